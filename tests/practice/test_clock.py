"""The clocks: what wakes when."""

from __future__ import annotations

import asyncio

import pytest

from bot.practice.clock import ManualClock, RealClock


async def test_sleepers_wake_in_order_of_time_at_their_time() -> None:
    clock = ManualClock(1000)
    woken: list[tuple[str, int]] = []

    async def sleep(name: str, *times: int) -> None:
        for time_ms in times:
            await clock.sleep_until(time_ms)
            woken.append((name, clock.now_ms()))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleep("late", 1300, 1301))
        group.create_task(sleep("early", 1100, 1300))
        await clock.advance(0)
        assert woken == []
        await clock.advance(299)
        assert woken == [("early", 1100)]
        await clock.advance(1000)
    assert woken[1:] == [("late", 1300), ("early", 1300), ("late", 1301)]
    assert clock.now_ms() == 2299


async def test_a_cancelled_sleeper_is_passed_over() -> None:
    clock = ManualClock(0)
    sleeper = asyncio.create_task(clock.sleep_until(10))
    await clock.advance(1)
    sleeper.cancel()
    await clock.advance(100)
    assert sleeper.cancelled()


async def test_pauses_pass_on_the_manual_clock_or_in_wall_time() -> None:
    clock = ManualClock(0)
    pause = asyncio.create_task(clock.pause(5))
    await clock.advance(4)
    assert not pause.done()
    await clock.advance(1)
    await pause
    await ManualClock(0, real_pauses=True).pause(0.01)


async def test_a_real_clock_runs_at_its_speed() -> None:
    clock = RealClock(5_000, speed=1e6)
    assert clock.now_ms() >= 5_000
    await clock.sleep_until(15_000)  # ten seconds of it are 10 µs
    assert clock.now_ms() >= 15_000
    with pytest.raises(ValueError, match="above 0"):
        RealClock(0, speed=0.0)
