from __future__ import annotations

import asyncio
import threading

import pytest

from bot.adapters.bybit.threads import DaemonPool, in_daemon_thread


async def test_a_call_returns_or_raises_where_it_is_awaited() -> None:
    assert await in_daemon_thread(lambda: threading.current_thread().daemon)
    with pytest.raises(ZeroDivisionError):
        await in_daemon_thread(lambda: 1 // 0)


async def test_each_client_is_used_by_one_thread_at_a_time() -> None:
    pool = DaemonPool(["one", "two"])
    meeting = threading.Barrier(2, timeout=5.0)

    def job(client: str) -> str:
        meeting.wait()
        return client

    assert sorted(await asyncio.gather(pool.run(job), pool.run(job))) == ["one", "two"]
    with pytest.raises(ValueError, match="invalid literal"):
        await pool.run(int)
    pool.close()


async def test_a_cancelled_job_that_waits_is_never_run() -> None:
    pool = DaemonPool([None])
    go = threading.Event()
    ran: list[str] = []
    first = asyncio.ensure_future(pool.run(lambda _: go.wait(5.0)))
    second = asyncio.ensure_future(pool.run(lambda _: ran.append("second")))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    go.set()
    assert await first
    await pool.run(lambda _: ran.append("third"))
    assert ran == ["third"]
    pool.close()
