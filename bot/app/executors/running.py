"""All of a study's units through an executor: twice as many under way as there are slots.

Rules: a result is landed as soon as it comes, by this process, so that what is done stays done whatever
comes next; a unit that refuses spares the others. Must not know what a unit computes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Protocol, TypeVar

from bot.app.executors.units import Executor, SharedData
from bot.config import Config
from bot.errors import BotError


class _Labelled(Protocol):
    @property
    def config(self) -> Config: ...

    @property
    def label(self) -> str: ...

    def run(self, data: Any) -> Any: ...


U = TypeVar("U", bound=_Labelled)


def run_units(
    executor: Executor,
    units: Iterable[U],
    *,
    data_of: Callable[[U], SharedData[Any]],
    land: Callable[[U, Any], None],
    finished: Callable[[], None],
) -> list[tuple[U, BotError]]:
    """Run all units; return those that failed, and why.

    Args:
        data_of: makes sure that a unit's data are there, just before it is submitted.
        land: keeps a unit's result.
        finished: told after each unit, landed or failed.
    """
    waiting = deque(units)
    running: dict[Future[Any], U] = {}
    failed: list[tuple[U, BotError]] = []
    while waiting or running:
        while waiting and len(running) < 2 * executor.slots:
            unit = waiting.popleft()
            running[executor.submit(unit, data_of(unit))] = unit
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            unit, error = running.pop(future), future.exception()
            if isinstance(error, BotError):
                failed.append((unit, error))
            elif error is not None:
                raise error
            else:
                land(unit, future.result())
            finished()
    return failed
