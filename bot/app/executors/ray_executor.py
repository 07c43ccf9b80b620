"""Units on a Ray cluster: what is sent, what came back, what is begun once more.

Owns the thread that talks with Ray; `flights` decides. Rules: data go into Ray's store once and units by
reference to them; a result is a future's, in this process, which alone writes files, so that the machines need no
folder in common; a unit whose process or machine ends is done again.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bot.app.executors.flights import MOST_DEATHS, Flight, Flights
from bot.app.executors.ray_cluster import connect
from bot.app.executors.ray_node import Parcel, build_here, run_parcel
from bot.app.executors.units import D, R, SharedData, Work
from bot.errors import BotError, ModelError
from bot.parts.plugins import digests_of
from bot.wording import counted

_LOOK_S, _SHORT_S = 0.5, 0.02
"""Between two looks at what is slow and at how many slots there are; and where a slot is free."""

_END_S = 5.0


@dataclass(eq=False)
class _Sent(Flight[Any]):
    future: Future[Any] | None = None
    parcel: bytes = b""
    data: str = ""


class _Shelf:
    """Data in Ray's store: each put once, and kept while units that read it are on their way."""

    def __init__(self, put: Callable[[Any], Any]) -> None:
        self._put = put
        self._there: OrderedDict[str, tuple[Any, Any]] = OrderedDict()
        self._uses: dict[str, int] = {}
        self.puts = 0

    def take(self, data: SharedData[D]) -> Any:
        """Put data unless they are there; return how they are read."""
        if data.name not in self._there:
            packed = data.packed()
            self._there[data.name] = self._put(packed.content), packed.read
            self.puts += 1
        self._uses[data.name] = self._uses.get(data.name, 0) + 1
        for name in [n for n in self._there if n != data.name and not self._uses.get(n)]:
            del self._there[name]
        return self._there[data.name][1]

    def reference(self, name: str) -> Any:
        return self._there[name][0]

    def leave(self, name: str) -> None:
        self._uses[name] -= 1


class RayExecutor:
    """A cluster, which is started with this object or connected to."""

    def __init__(
        self, address: str | None, workers: int | None, *,
        tell: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
    ) -> None:  # fmt: skip
        """Connect, and refuse nodes that do not compute alike.

        Args:
            workers: the most units side by side; None for every core of the cluster.
            tell: told what happens to nodes and units.

        Raises:
            ConfigError: as `connect`.
        """
        self._cluster = connect(address, workers)
        self._ray, cpus = self._cluster.ray, self._cluster.cpus
        self._most = workers
        self._tell = tell
        if len(cpus) > 1:
            tell(
                f"ray: the nodes' CPUs differ ({', '.join(sorted(cpus))}); so may the last bits of results"
            )
        self._build = json.dumps(build_here())
        self._run = self._ray.remote(run_parcel).options(
            num_cpus=1, max_retries=0, scheduling_strategy="SPREAD"
        )
        self._shelf = _Shelf(self._ray.put)
        self._flights: Flights[_Sent, Any] = Flights()
        self._lock = threading.Condition()
        self._closed = False
        self._nodes, self._slots, self._looked = 0, 1, 0.0
        self._look()
        self._thread = threading.Thread(target=self._watch, name="ray", daemon=True)
        self._thread.start()

    @property
    def slots(self) -> int:
        """Return the cores of all living nodes, as many as may be used; at least one."""
        return self._slots

    def submit(self, unit: Work[D, R], data: SharedData[D]) -> Future[R]:
        """Run a unit on a node, as soon as a slot is free."""
        future: Future[R] = Future()
        with self._lock:
            read = self._shelf.take(data)
            parcel = Parcel(unit, read, digests_of(unit.config.plugins)).packed()
            self._flights.add(_Sent(unit.label, future=future, parcel=parcel, data=data.name))
            self._lock.notify()
        return future

    def shutdown(self) -> None:
        """Drop what has not started, end what is running, and leave the cluster; a new one ends."""
        with self._lock:
            self._closed = True
            flights, running = self._flights.clear()
            self._lock.notify()
        self._thread.join(_END_S)
        for flight in flights:
            _future_of(flight).cancel()
        self._cancel(running)
        self._cluster.leave()

    def _watch(self) -> None:
        """Start what is due and take what has come, until the end."""
        try:
            while self._step():
                pass
        except Exception as error:  # noqa: BLE001 - whoever waits for a result is told
            with self._lock:
                flights, _ = self._flights.clear()
            for flight in flights:
                _future_of(flight).set_exception(ModelError(f"the cluster is gone: {error}"))

    def _step(self) -> bool:
        with self._lock:
            if self._closed:
                return False
            if time.monotonic() - self._looked > _LOOK_S:
                self._look()
            self._start_due()
            running = self._flights.running
            if not running:
                self._lock.wait(_LOOK_S)
                return True
        patience = _LOOK_S if len(running) >= self._slots else _SHORT_S
        ready, _ = self._ray.wait(running, num_returns=1, timeout=patience)
        for ref in ready:
            self._take(ref)
        return True

    def _start_due(self) -> None:
        for flight in self._flights.due(self._slots, time.monotonic()):
            future = _future_of(flight)
            if flight.copies:
                self._tell(f"ray: {flight.label} takes long; begun once more beside it")
            elif not future.running() and not future.set_running_or_notify_cancel():
                self._shelf.leave(flight.data)
                continue
            ref = self._run.remote(self._build, flight.parcel, self._shelf.reference(flight.data))
            self._flights.started(flight, ref, time.monotonic())

    def _look(self) -> None:
        """See which nodes live, and tell where that has changed."""
        alive = [node["Resources"].get("CPU", 0.0) for node in self._ray.nodes() if node["Alive"]]
        cores = int(sum(alive))
        self._slots = max(1, cores if self._most is None else min(cores, self._most))
        self._looked = time.monotonic()
        if len(alive) != self._nodes:
            self._nodes = len(alive)
            self._tell(
                f"ray: {counted(len(alive), 'node')}, {counted(self._slots, 'unit')} side by side"
            )

    def _take(self, ref: Any) -> None:
        """Hand a result to its future, or begin its unit again."""
        exceptions = self._ray.exceptions
        try:
            result = self._ray.get(ref)
        except exceptions.RayTaskError as error:
            self._finish(ref, ModelError(f"failed on a node of the cluster: {error}"))
        except exceptions.RayError as error:
            self._lost(ref, error)
        else:
            self._finish(ref, result)

    def _lost(self, ref: Any, error: Exception) -> None:
        with self._lock:
            if self._closed:
                return
            flight, given_up = self._flights.died(ref)
            self._looked = 0.0  # its node may have ended with it: see at once
        why = type(error).__name__
        if not given_up:
            self._tell(f"ray: {flight.label} is done again; its process or its node ended ({why})")
            return
        with self._lock:
            self._shelf.leave(flight.data)
        _future_of(flight).set_exception(
            ModelError(
                f"{flight.label} ended without a result {MOST_DEATHS} times ({why}); was it killed, or "
                "short of memory?"
            )
        )

    def _finish(self, ref: Any, result: Any) -> None:
        with self._lock:
            if self._closed:
                return
            flight, others = self._flights.landed(ref, time.monotonic())
            self._shelf.leave(flight.data)
        self._cancel(others)
        if isinstance(result, BotError):
            _future_of(flight).set_exception(result)
        else:
            _future_of(flight).set_result(result)

    def _cancel(self, refs: Any) -> None:
        for ref in refs:
            with suppress(self._ray.exceptions.RayError, ValueError):
                self._ray.cancel(ref, force=True)


def _future_of(flight: _Sent) -> Future[Any]:
    assert flight.future is not None
    return flight.future
