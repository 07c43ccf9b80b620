"""Which symbols a run may trade at a time, by a rule over what was known then.

Owns the arithmetic of `market.universe`. Rules: membership is judged anew at each 00:00 UTC, from
bars closed by then, and holds for every close until the next; it is a function of the bars alone,
whatever blocks they come in, so that a backtest, a live run and a replay agree. Must not know an
account: what becomes of a position in a symbol that drops out is `risk.on_leaving`.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np

from bot.blocks import F64, BarBlock, Bool
from bot.config.universe import UniverseRule
from bot.timegrid import DAY_MS

_NOT_YET = 2**62


class Universe:
    """The members of a universe, followed from bar to bar.

    A symbol is listed since its launch, where the exchange tells it, else since its first bar. Its
    turnover is that of its bars, volume times close where a bar tells none. Equal turnovers are taken in
    the order of the symbols; a symbol without any is never a member.

    Args:
        launch_ms: of each symbol, 0 where it is not known.
        inverse: whether volumes are in the quote currency and turnovers in coin, as of inverse contracts.
    """

    def __init__(
        self,
        rule: UniverseRule,
        interval_ms: int,
        launch_ms: Sequence[int],
        *,
        inverse: bool = False,
    ) -> None:
        S = len(launch_ms)
        self._rule, self._interval_ms, self._inverse = rule, interval_ms, inverse
        launched = np.array(launch_ms, dtype=np.int64)
        self._listed = np.where(launched > 0, launched, _NOT_YET)
        self._days: list[tuple[int, F64]] = []  # (midnight by which it was known, turnover)
        self._judged = -1
        self._members: Bool = np.zeros(S, dtype=np.bool_)

    def copy(self) -> Self:
        """Return the same, which goes on by itself."""
        other = copy(self)
        other._listed = self._listed.copy()
        other._days = [(midnight, turnover.copy()) for midnight, turnover in self._days]
        return other

    def advance(self, bars: BarBlock) -> Bool:
        """Take in the bars that follow; return bool[n, S], the members at each bar's close."""
        ends = bars.open_time + self._interval_ms
        turnover = _turnover(bars, inverse=self._inverse)
        self._note_listings(bars)
        members: Bool = np.empty(bars.valid.shape, dtype=np.bool_)
        judged = ends // DAY_MS
        known = -(-ends // DAY_MS)
        for midnight in np.unique(judged).tolist():
            a, b = np.searchsorted(judged, [midnight, midnight + 1]).tolist()
            at = int(np.searchsorted(known[a:b], midnight, "right")) + a
            self._add(midnight, turnover[a:at])  # a bar that ends at midnight is known there
            if midnight > self._judged:
                self._judge(midnight)
            self._add(midnight + 1, turnover[at:b])
            members[a:b] = self._members
        return members

    def _note_listings(self, bars: BarBlock) -> None:
        """Take the first bar of a symbol whose launch is not known; only its own past is read of it."""
        for s in np.flatnonzero(self._listed == _NOT_YET).tolist():
            there = np.flatnonzero(bars.valid[:, s])
            if len(there):
                self._listed[s] = bars.open_time[there[0]]

    def _add(self, midnight: int, rows: F64) -> None:
        if len(rows) == 0:
            return
        if not self._days or self._days[-1][0] != midnight:
            self._days.append((midnight, np.zeros(rows.shape[1])))
        day = self._days[-1][1]
        # one row after the other, so that no cut between blocks changes a sum
        day[:] = np.add.accumulate(np.vstack([day, rows]))[-1]

    def _judge(self, midnight: int) -> None:
        rule = self._rule
        self._days = [day for day in self._days if day[0] > midnight - rule.days]
        total = np.zeros(len(self._members))
        for _, turnover in self._days:
            total += turnover
        old_enough = self._listed <= (midnight - rule.listed_days) * DAY_MS
        total[~old_enough] = 0.0
        first = np.argsort(-total, kind="stable")[: rule.most]
        self._members = np.zeros(len(total), dtype=np.bool_)
        self._members[first] = total[first] > 0.0
        self._judged = midnight


def _turnover(bars: BarBlock, *, inverse: bool) -> F64:
    """Return float64[n, S], what was traded in each bar in the quote currency; 0 where it is not known."""
    if inverse:
        told = bars.volume
    else:
        told = np.where(np.isnan(bars.turnover), bars.volume * bars.close, bars.turnover)
    found: F64 = np.where(bars.valid & np.isfinite(told) & (told > 0.0), told, 0.0)
    return found
