"""What the daemon tells while a request waits for its next try."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.app.live.request_waits import TOLD_WAIT_S, RequestWaits


class Log:
    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.told.append({"event": event, **fields})


async def test_a_long_wait_is_told_before_it_and_a_short_one_is_not() -> None:
    log = Log()
    wall = [1_700_000_000.0]
    waits = RequestWaits(log, lambda: wall[0])
    assert waits.now() is None
    for wait_s in (1.0, TOLD_WAIT_S, 600.0):
        await asyncio.to_thread(waits.on_wait, wait_s, "barred (HTTP 403)")
    await asyncio.sleep(0)
    assert [told["retry_s"] for told in log.told] == [TOLD_WAIT_S, 600.0]
    assert log.told[0]["event"] == "exchange_unreachable"
    assert log.told[0]["reason"] == "barred (HTTP 403)"
    assert waits.now() == "barred (HTTP 403); asks again at 2023-11-14 22:23 UTC"
    wall[0] += 600.0
    assert waits.now() is None


def test_a_wait_that_outlives_the_loop_harms_nothing() -> None:
    async def make() -> Any:
        return RequestWaits(Log()).on_wait

    asyncio.run(make())(600.0, "barred")
