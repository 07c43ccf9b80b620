"""The symbols of a run that goes on: those of its creation, and what joined them on the way.

Rules: a symbol joins by a command that sets market.symbols to a list with it, from the open of a bar
on, behind all that were there before; none is ever taken out of a record: what left is not traded
any more. A bar's rows are of the symbols that had joined by then, but for its row of `bars`, of which
those of the bars before are written when a symbol joins. Must not judge whether one may join.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from bot.adapters.record.commands import CommandRow
from bot.blocks import I64

SYMBOLS = "market.symbols"


@dataclass(frozen=True)
class Joins:
    """Who is in a run, from when on.

    Attributes:
        symbols: all that ever were, in the order of all arrays.
        first: how many of them were there at the run's creation.
        later: (open time, how many there are from that bar's open on), in the order of time.
    """

    symbols: tuple[str, ...]
    first: int
    later: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, made_with: Sequence[str], commands: Sequence[CommandRow]) -> Self:
        """Return what a run's commands have made of the symbols of its creation."""
        symbols, later = list(made_with), []
        for row in commands:
            new = new_symbols(row, symbols)
            if new:
                symbols += new
                later.append((row.open_time, len(symbols)))
        return cls(tuple(symbols), len(made_with), tuple(later))

    def count_at(self, open_time: int) -> int:
        """Return how many there are in a bar."""
        return int(self.counts(np.array([open_time], dtype=np.int64))[0])

    def counts(self, times: I64) -> I64:
        """Return how many there are in each bar, int64[n]."""
        found = np.full(len(times), self.first, dtype=np.int64)
        for open_time, count in self.later:
            found[times >= open_time] = count
        return found


def new_symbols(row: CommandRow, known: Sequence[str]) -> list[str]:
    """Return the symbols that a command lets join those that are known; none of most commands."""
    if row.refused is not None or row.kind != "set":
        return []
    listed = row.values.get(SYMBOLS)
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    return [name for name in dict.fromkeys(names) if name not in known]
