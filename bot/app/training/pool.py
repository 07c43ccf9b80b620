"""Trainings side by side, each in a process of its own with one thread.

Rules: every job runs in a fresh process, so that nothing carries over, and it can be ended; a worker
ends with the process that started it. Must not know what a job computes: `request` does.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import resource
import signal
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, TypeVar, cast

from bot.adapters.system.temporary import check_temporary
from bot.app.training.main_module import main_left_alone
from bot.config import Config
from bot.errors import BotError, JournalError, ModelError
from bot.parts.plugins import load_plugins

END_PATIENCE_S = 0.3
"""For processes that were ended to be gone; a daemon has a second to stop in all."""

Done_co = TypeVar("Done_co", covariant=True)


class TrainingJob(Protocol[Done_co]):
    """What the pool runs: picklable, and a pure function of itself."""

    @property
    def config(self) -> Config:
        """The settings, whose training.memory_limit_mb bounds the process."""
        ...

    @property
    def label(self) -> str:
        """What it is called in errors."""
        ...

    def run(self) -> Done_co:
        """Do it."""
        ...


class TrainingPool:
    """Run trainings side by side, each in a fresh process of one thread that can be ended.

    The threads that wait for the processes are daemons: a process takes seconds to start where it
    is the first, and one that is being started cannot be ended; nobody waits for it.
    """

    def __init__(self, workers: int) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["bot.app.training.preload"])
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._waiting: queue.SimpleQueue[tuple[Future[Any], TrainingJob[Any], float | None] | None]
        self._waiting = queue.SimpleQueue()
        self._running: set[BaseProcess] = set()
        self._closed = False

    def submit(
        self, request: TrainingJob[Done_co], time_limit_s: float | None = None
    ) -> Future[Done_co]:
        """Start a training as soon as a worker is free; it holds a thread that only waits.

        The future raises ModelError where the worker dies or exceeds its time, and the training's
        own error where it refuses.
        """
        future: Future[Done_co] = Future()
        self._waiting.put((future, request, time_limit_s))
        if len(self._threads) < self._workers:
            thread = threading.Thread(target=self._work_off, name="training", daemon=True)
            thread.start()
            self._threads.append(thread)  # Ctrl-C may come in between: only what runs is joined
        return future

    def shutdown(self) -> None:
        """Drop what has not started and end what is running."""
        self._closed = True
        with suppress(queue.Empty):
            while (item := self._waiting.get_nowait()) is not None:
                item[0].cancel()
        for _ in self._threads:
            self._waiting.put(None)
        for process in list(self._running):
            process.kill()
        patient_until = time.monotonic() + END_PATIENCE_S
        for thread in self._threads:
            thread.join(max(patient_until - time.monotonic(), 0.0))

    def _work_off(self) -> None:
        """Run what waits, one after the other."""
        _leave_interrupts_to_parent()
        while (item := self._waiting.get()) is not None:
            future, request, time_limit_s = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._run(request, time_limit_s))
            except Exception as error:  # noqa: BLE001 - it is raised where the result is taken
                future.set_exception(error)

    def _run(self, request: TrainingJob[Done_co], time_limit_s: float | None) -> Done_co:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(sender, request), daemon=True)
        try:
            check_temporary()
            with main_left_alone():
                process.start()
        except JournalError as error:
            raise ModelError(f"{request.label} could not be started: {error}") from None
        except (OSError, EOFError) as error:  # the latter where the process that forks has died
            raise ModelError(f"{request.label} could not be started: {error!r}") from error
        self._running.add(process)
        if self._closed:
            process.kill()
        sender.close()
        try:
            if not receiver.poll(time_limit_s):
                process.kill()
                raise ModelError(
                    f"{request.label} took longer than "
                    f"training.time_limit_s = {time_limit_s:g} and was ended"
                )
            result = receiver.recv()
        except (EOFError, OSError):
            process.join()
            raise ModelError(
                f"{request.label} ended without a result "
                f"(exit code {process.exitcode}); was it killed, or short of memory?"
            ) from None
        finally:
            self._running.discard(process)
            receiver.close()
        process.join()
        if isinstance(result, BotError):
            raise result
        return cast(Done_co, result)


def _leave_interrupts_to_parent() -> None:
    """Block Ctrl-C in this thread; the forkserver and every worker are its heirs in that.

    Python's resource tracker is started first, because its start unblocks Ctrl-C.
    """
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _work(sender: Connection, request: TrainingJob[Any]) -> None:
    """Train in the worker process, which ends with the one that started it, however that ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit = request.config.training.memory_limit_mb * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        load_plugins(request.config.plugins)
        sender.send(request.run())
    except BotError as error:
        sender.send(error)
    finally:
        sender.close()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
