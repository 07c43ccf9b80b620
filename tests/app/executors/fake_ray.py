"""A stand-in for the module ray: tasks run when they are waited for, and end as a test scripts them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """What a cluster raises."""


class RayTaskError(RayError):
    """A task raised."""


class WorkerCrashedError(RayError):
    """A process died."""


class FakeRay:
    """One node of two cores.

    Attributes:
        script: what the next tasks do before they run: None to run, an error to end with it, or an event
            to hang until it is set.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.cancelled: list[Any] = []
        self.puts: list[Any] = []
        self.is_shut = False
        self.cores = [2.0]
        self.broken = False
        self._tasks: dict[int, tuple[Callable[..., Any], tuple[Any, ...], Any]] = {}
        self._number = itertools.count()

    def remote(self, function: Callable[..., Any]) -> Any:
        def start(*args: Any) -> int:
            ref = next(self._number)
            self._tasks[ref] = function, args, self.script.pop(0) if self.script else None
            return ref

        made = SimpleNamespace(remote=start)
        made.options = lambda **given: made
        return made

    def put(self, value: Any) -> Any:
        self.puts.append(value)
        return value

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": cores}} for cores in self.cores]

    def wait(
        self, refs: Sequence[int], num_returns: int, timeout: float
    ) -> tuple[list[int], list[int]]:
        if self.broken:
            raise RayError("the head is gone")
        ready = [ref for ref in refs if not self._hangs(ref)]
        if not ready:
            threading.Event().wait(0.001)
        return ready[:num_returns], ready[num_returns:]

    def _hangs(self, ref: int) -> bool:
        event = self._tasks[ref][2]
        return isinstance(event, threading.Event) and not event.is_set()

    def get(self, ref: int) -> Any:
        function, args, scripted = self._tasks[ref]
        if isinstance(scripted, Exception):
            raise scripted
        try:
            return function(*args)
        except Exception as error:
            raise RayTaskError(str(error)) from error

    def cancel(self, ref: int, *, force: bool) -> None:
        assert force
        self.cancelled.append(ref)

    def shutdown(self) -> None:
        self.is_shut = True
