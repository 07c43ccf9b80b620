"""The members of a live run's universe at the closes of its bars.

Rules: they come from the bars of the journal and nothing else, so that a process that resumes judges
as the one before would have; what a bar adds counts once it is committed. Must not decide what
becomes of a position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.blocks import BarBlock, Bool
from bot.config.universe import UniverseRule
from bot.portfolio.instruments import Instrument
from bot.timegrid import DAY_MS
from bot.universe import Universe


class LiveMembers:
    """Follow a universe over a run's bars."""

    def __init__(
        self, rule: UniverseRule, folder: RunFolder, interval_ms: int, *, inverse: bool = False
    ) -> None:
        self._rule, self._folder, self._interval_ms = rule, folder, interval_ms
        self._inverse = inverse
        self._known: Universe | None = None
        self._next: tuple[int, Universe] | None = None

    def at(self, bars: BarBlock, instruments: Mapping[str, Instrument]) -> Bool:
        """Return bool[n, S], the members at the closes of bars that are about to be committed.

        Args:
            instruments: of each symbol, in the run's order.
        """
        first = int(bars.open_time[0])
        if self._next is not None and self._next[0] < first:
            self._known = self._next[1]  # it was committed: the run goes on behind it
        if self._known is None:
            self._known = self._of_journal(first, list(instruments.values()))
        tried = self._known.copy()
        members = tried.advance(bars)
        self._next = int(bars.open_time[-1]), tried
        return members

    def _of_journal(self, before_ms: int, instruments: Sequence[Instrument]) -> Universe:
        launches = [each.launch_ms for each in instruments]
        universe = Universe(self._rule, self._interval_ms, launches, inverse=self._inverse)
        enough = before_ms - (self._rule.days + 2) * DAY_MS
        with open_record(self._folder) as record:
            times = record.bar_times()
            if all(launches):  # else the first bar of each counts
                times = times[times >= enough]
            times = times[times < before_ms]
            for part in np.array_split(times, max(1, len(times) // _BARS)):
                if len(part):
                    universe.advance(record.bars(int(part[0]) - 1, int(part[-1])))
        return universe


_BARS = 4096
"""That are read at a time."""
