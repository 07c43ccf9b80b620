"""What must be known of all bars of a run before its first is traded, gathered block by block.

Rule: the facts do not depend on how the bars were cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bot.app.backtest.contract_units import UnitFactors
from bot.blocks import I64, BarBlock, Bool


@dataclass
class MarketFacts:
    """Facts of the bars that were seen so far.

    Attributes:
        start_ms: open time from which bars are traded; None: all are.
        there: bool[S], whether any bar is valid.
        known: bool[S] by 'volume', 'funding', 'mark' and 'variance': whether any bar has it.
        lacks_variance: int64[S], valid bars without a realised variance.
        missing: a symbol's missing bars between its first and its last.
        funding_unknown: settlements in traded bars whose rate is not known.
        members: bool[S], who was in the universe at any traded bar; None without a rule.
        changes: traded bars at which the members were others than before.
    """

    symbols: tuple[str, ...]
    start_ms: int | None
    there: Bool
    known: dict[str, Bool]
    lacks_variance: I64
    factors: UnitFactors
    missing: int = 0
    funding_unknown: int = 0
    members: Bool | None = None
    changes: int = 0
    _times: list[I64] = field(default_factory=list)
    _pending: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    _members_before: Bool | None = None

    @classmethod
    def of(
        cls, symbols: Sequence[str], start_ms: int | None, inverse: Bool | None = None
    ) -> MarketFacts:
        """Return the facts of no bar.

        Args:
            inverse: bool[S], of which symbols the units of volume are looked at.
        """
        S = len(symbols)

        def none() -> Bool:
            return np.zeros(S, dtype=np.bool_)

        names = ("volume", "funding", "mark", "variance")
        return cls(
            tuple(symbols), start_ms, none(), {name: none() for name in names},
            lacks_variance=np.zeros(S, np.int64), factors=UnitFactors(symbols, inverse),
            _pending=np.zeros(S, np.int64),
        )  # fmt: skip

    @property
    def open_time(self) -> I64:
        """Return int64[n], of all bars."""
        return np.concatenate(self._times) if self._times else np.zeros(0, np.int64)

    @property
    def start_index(self) -> int:
        """Return the first bar that is traded; as many as there are, if none is."""
        return 0 if self.start_ms is None else int(np.searchsorted(self.open_time, self.start_ms))

    def see(self, bars: BarBlock, members: Bool | None = None) -> None:
        """Take in the bars that follow, and who was in the universe at each."""
        self._times.append(bars.open_time)
        self._count_missing(bars)
        self.there |= bars.valid.any(axis=0)
        funding = (bars.funding_rate != 0.0) | (bars.funding_inside != 0.0)
        no_variance = np.isnan(bars.realised_variance)
        for name, has in (
            ("volume", bars.valid & (bars.volume > 0.0)),
            ("funding", funding & np.isfinite(bars.funding_rate)),
            ("mark", np.isfinite(bars.mark)),
            ("variance", ~no_variance),
        ):
            self.known[name] |= has.any(axis=0)
        self.lacks_variance += (bars.valid & no_variance).sum(axis=0)
        self.factors.see(bars)
        first = 0 if self.start_ms is None else int(np.searchsorted(bars.open_time, self.start_ms))
        traded = bars.rows(first, len(bars))
        unknown = np.isnan(traded.funding_rate) + traded.funding_inside_unknown
        self.funding_unknown += int(unknown[traded.valid].sum())
        if members is not None:
            self._follow(members[first:])

    def _count_missing(self, bars: BarBlock) -> None:
        lacking = ~bars.valid & bars.in_session
        for s in range(bars.n_symbols):
            at = np.flatnonzero(bars.valid[:, s])
            seen = bool(self.there[s])
            if len(at) == 0:
                self._pending[s] += int(lacking[:, s].sum()) if seen else 0
                continue
            first, last = int(at[0]), int(at[-1])
            if seen:
                self.missing += int(self._pending[s]) + int(lacking[:first, s].sum())
            self.missing += int(lacking[first:last, s].sum())
            self._pending[s] = int(lacking[last + 1 :, s].sum())

    def _follow(self, members: Bool) -> None:
        """Count the changes of the members, at the edge between two blocks too."""
        if len(members) == 0:
            return
        here: Bool = np.asarray(members.any(axis=0))
        self.members = here if self.members is None else np.asarray(self.members | here)
        if self._members_before is not None:
            members = np.vstack([self._members_before, members])
        self.changes += int((members[1:] != members[:-1]).any(axis=1).sum())
        self._members_before = members[-1].copy()
