"""Blocking calls beside the loop, in daemon threads: a process that stops does not wait for them.

asyncio's own threads are joined at exit, and a request or a connect can take a minute. Rule: what a
call raises, its awaiting task gets; a call whose task is cancelled goes on and is forgotten.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

T = TypeVar("T")
C = TypeVar("C")


async def in_daemon_thread(call: Callable[[], T]) -> T:
    """Return what the call returns, run in a thread of its own."""
    future: Future[T] = Future()
    threading.Thread(target=_settle, args=(future, call), daemon=True).start()
    return await asyncio.wrap_future(future)


class DaemonPool(Generic[C]):
    """A thread for each client; a client is used by its own thread only."""

    def __init__(self, clients: Sequence[C]) -> None:
        self._clients = clients
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[C], Any]] | None]
        self._jobs = queue.SimpleQueue()
        self._started = False

    async def run(self, job: Callable[[C], T]) -> T:
        """Return what the job returns, given the first client that is free."""
        if not self._started:
            self._started = True
            for client in self._clients:
                threading.Thread(target=self._work, args=(client,), daemon=True).start()
        future: Future[T] = Future()
        self._jobs.put((future, job))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the threads end after the job that each is at, and those before this call."""
        if self._started:
            for _ in self._clients:
                self._jobs.put(None)

    def _work(self, client: C) -> None:
        while (item := self._jobs.get()) is not None:
            future, job = item
            _settle(future, lambda job=job: job(client))  # type: ignore[misc]


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except Exception as error:  # noqa: BLE001 - it is raised where the call is awaited
        future.set_exception(error)
    else:
        future.set_result(result)
