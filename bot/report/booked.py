"""Bars, and what an account held and earned on them: all that profits and round trips are made from.

A whole run is one such stretch, and so is a slice of a long run that is read piece by piece. Rules:
n bars in the order of `bars`, S symbols; amounts are in the quote currency. Must not read files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64, BarBlock


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Bars of S symbols, of which those from `start_index` on count."""

    symbols: tuple[str, ...]
    bars: BarBlock
    start_index: int

    @property
    def open_time(self) -> I64:
        """Return int64[n], ms UTC."""
        return self.bars.open_time

    @property
    def n_symbols(self) -> int:
        """Return S."""
        return len(self.symbols)

    @cached_property
    def price(self) -> F64:
        """Return float64[n, S], the last known close; NaN before a symbol's first bar."""
        return carried(np.where(self.bars.valid, self.bars.close, np.nan))


@dataclass(frozen=True, kw_only=True)
class Booked(Observed):
    """The same with an account.

    Attributes:
        initial_capital: equity before the first bar.
        fill: where orders decided at a close are filled.
        equity: float64[n], at the bar's close.
        funding: float64[n], paid in the bar.
        quantity: float64[n, S], held at the bar's close (base currency).
        fills: structured FILL array, oldest first.
    """

    initial_capital: float
    fill: Literal["next_open", "next_close"]
    equity: F64
    funding: F64
    quantity: F64
    fills: npt.NDArray[np.void]

    def equity_before(self, index: int) -> float:
        """Return the equity at the close before bar `index`."""
        return float(self.equity[index - 1]) if index > 0 else self.initial_capital

    def quantity_before(self, start: int) -> F64:
        """Return float64[n - start, S], the quantity held when each bar from `start` on opened."""
        before = np.zeros_like(self.quantity)
        before[1:] = self.quantity[:-1]
        return before[start:]

    def quantity_inside(self, start: int) -> F64:
        """Return float64[n - start, S], the quantity held in each bar after its open's fills."""
        return self.quantity[start:] if self.fill == "next_open" else self.quantity_before(start)


def carried(values: F64) -> F64:
    """Return float64[n, S] with each NaN replaced by the value last known in its column.

    >>> carried(np.array([[np.nan], [1.0], [np.nan]])).ravel().tolist()
    [nan, 1.0, 1.0]
    """
    rows = np.where(np.isnan(values), -1, np.arange(len(values))[:, None])
    last = np.maximum.accumulate(rows, axis=0)
    taken = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last >= 0, taken, np.nan)
