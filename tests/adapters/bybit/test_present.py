from __future__ import annotations

from bot.adapters.bybit.clock import ASK_AGAIN_S, STAND_S, Jump, ServerClock
from bot.adapters.bybit.present import Present

STEP = 60_000


class Seconds:
    """A monotonic clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_candle_is_over_when_a_newer_one_has_opened() -> None:
    present = Present(monotonic=Seconds())
    present.shown(5 * STEP)
    assert present.least_ms() == 5 * STEP
    present.shown(6 * STEP)
    present.shown(4 * STEP)
    assert present.least_ms() == 6 * STEP


def test_where_nothing_newer_opens_it_is_over_when_it_has_been_seen_for_its_length() -> None:
    seconds = Seconds()
    present = Present(rate=2000.0, monotonic=seconds)
    present.shown(5 * STEP)
    seconds.now = 29.9
    assert present.least_ms() < 6 * STEP
    present.shown(5 * STEP)
    seconds.now = 30.0
    assert present.least_ms() == 6 * STEP
    seconds.now = 10.0
    assert present.least_ms() >= 5 * STEP


def measured() -> tuple[ServerClock, Seconds]:
    seconds = Seconds()
    clock = ServerClock(wall_ms=lambda: 0, monotonic=seconds)
    clock.answered(1_000_000, 0.0, 0.0)
    return clock, seconds


def test_a_jump_is_believed_once_it_has_stood_for_a_minute() -> None:
    clock, seconds = measured()
    jumps: list[Jump | None] = []
    while not jumps or jumps[-1] is None or not jumps[-1].believed:
        seconds.now += ASK_AGAIN_S
        jumps.append(clock.answered(2_000_000 + int(seconds.now * 1000), seconds.now, seconds.now))
        if clock.doubted:
            assert clock.now_ms() == 1_000_000 + int(seconds.now * 1000)
    assert seconds.now == STAND_S + ASK_AGAIN_S
    assert clock.now_ms() == 2_000_000 + int(seconds.now * 1000)
    assert jumps[0] == Jump(1_000_000, believed=False, first=True)
    assert clock.refused == len(jumps) - 1
    assert not clock.doubted


def test_a_jump_that_comes_and_goes_or_wanders_is_not_believed() -> None:
    clock, seconds = measured()
    for turn in range(100):
        seconds.now += ASK_AGAIN_S
        off = 0 if turn % 11 == 10 else 50_000 if turn < 50 else 3_000 * turn
        jump = clock.answered(1_000_000 + off + int(seconds.now * 1000), seconds.now, seconds.now)
        assert jump is None or not jump.believed
        assert clock.now_ms() == 1_000_000 + int(seconds.now * 1000)


def test_a_small_difference_is_taken_at_once() -> None:
    clock, _ = measured()
    for by_ms in (1_900, -100, -2_000, 2_000):
        before = clock.now_ms()
        assert clock.answered(before + by_ms, 0.0, 0.0) is None
        assert clock.now_ms() == before + by_ms
    assert not clock.doubted
    assert clock.refused == 0
