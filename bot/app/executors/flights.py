"""What is under way on a cluster: which unit waits, which runs where, which is begun once more.

Owns the rules, and knows neither Ray nor a clock. A unit whose worker died goes back to the front, up to
MOST_DEATHS times. One that runs SLOW times as long as the median of those that landed gets a second copy
where a slot is free; the first result counts, and as units are pure functions, either would do.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MOST_DEATHS = 3
SLOW, LEAST_LANDED, LEAST_S = 3.0, 5, 20.0
"""Times the median; of so many units at least; and never before so many seconds."""

C = TypeVar("C", bound=Hashable)


@dataclass(eq=False)
class Flight(Generic[C]):
    """A unit on its way.

    Attributes:
        began: when its oldest running copy was started, in seconds.
        copies: those that run.
        deaths: how many of its workers died.
    """

    label: str
    began: float = 0.0
    copies: set[C] = field(default_factory=set)
    deaths: int = 0


F = TypeVar("F", bound=Flight)  # type: ignore[type-arg]


class Flights(Generic[F, C]):
    """All units on their way; C tells copies apart."""

    def __init__(self) -> None:
        self._waiting: deque[F] = deque()
        self._running: dict[C, F] = {}
        self._took: list[float] = []

    @property
    def running(self) -> list[C]:
        """Return the copies that run."""
        return list(self._running)

    def add(self, flight: F) -> None:
        """Let a unit wait for a slot."""
        self._waiting.append(flight)

    def due(self, slots: int, now: float) -> Iterator[F]:
        """Yield each unit of which a copy is to be started now; `started` is told before the next."""
        while self._waiting and len(self._running) < slots:
            yield self._waiting.popleft()
        if self._waiting or len(self._took) < LEAST_LANDED:
            return
        patience = max(SLOW * statistics.median(self._took), LEAST_S)
        for flight in sorted(set(self._running.values()), key=lambda f: f.began):
            if len(self._running) >= slots:
                return
            if len(flight.copies) == 1 and now - flight.began > patience:
                yield flight

    def started(self, flight: F, copy: C, now: float) -> None:
        """Note that a copy runs."""
        if not flight.copies:
            flight.began = now
        flight.copies.add(copy)
        self._running[copy] = flight

    def landed(self, copy: C, now: float) -> tuple[F, set[C]]:
        """Return the unit of a copy that has a result, and its other copies, which nobody needs."""
        flight = self._running[copy]
        self._took.append(now - flight.began)
        others = flight.copies - {copy}
        for each in flight.copies:
            del self._running[each]
        flight.copies = set()
        return flight, others

    def died(self, copy: C) -> tuple[F, bool]:
        """Return the unit of a copy whose worker died, and whether to give it up."""
        flight = self._running.pop(copy)
        flight.copies.discard(copy)
        flight.deaths += 1
        given_up = flight.deaths >= MOST_DEATHS and not flight.copies
        if not flight.copies and not given_up:
            self._waiting.appendleft(flight)
        return flight, given_up

    def clear(self) -> tuple[list[F], list[C]]:
        """Forget all units; return them, and the copies that run."""
        flights = list({*self._waiting, *self._running.values()})
        running = self.running
        self._waiting.clear()
        self._running.clear()
        return flights, running
