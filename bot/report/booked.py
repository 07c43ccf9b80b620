"""Bars, and what an account held and earned on them: all that profits and round trips are made from.

A whole run is one such stretch, and so is a slice of a long run that is read piece by piece. Rules:
n bars in the order of `bars`, S symbols; amounts are in the quote currency. Must not read files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64, BarBlock, Bool
from bot.portfolio.reasons import FillReason
from bot.portfolio.worth import value_of
from bot.timegrid import spans

_LIQUIDATED, _SETTLED = int(FillReason.LIQUIDATION), int(FillReason.SETTLEMENT)
_STOPS = [int(r) for r in (FillReason.STOP_LOSS, FillReason.TAKE_PROFIT, FillReason.TRAILING_STOP)]


class ArrayRoom(Protocol):
    """Where arrays of all bars and symbols have their place: in memory, or on the disk."""

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> Any:
        """Return an array of this shape, of any content."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Bars of S symbols, of which those from `start_index` on count.

    Attributes:
        room: for arrays that are made of them; None: in memory.
    """

    symbols: tuple[str, ...]
    bars: BarBlock
    start_index: int
    room: ArrayRoom | None = field(default=None, compare=False, repr=False)

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
        price: F64 = self.empty(self.bars.close.shape)
        last = np.full((1, self.n_symbols), np.nan)
        for span in spans(*price.shape):
            close = np.where(self.bars.valid[span], self.bars.close[span], np.nan)
            price[span] = carried(np.concatenate((last, close)))[1:]
            last = price[span][-1:]
        return price

    def flags(self, of_span: Callable[[slice], npt.ArrayLike], start: int = 0) -> Bool:
        """Return bool[n - start, S], what is said of each span of bars from `start` on."""
        out: Bool = self.empty((len(self.bars) - start, self.n_symbols), np.bool_)
        for at in spans(*out.shape):
            out[at] = of_span(slice(start + at.start, start + at.stop))
        return out

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> Any:
        """Return an array of this shape, of any content, where the run's arrays have their room."""
        return np.empty(shape, dtype) if self.room is None else self.room.empty(shape, dtype)


class CoinsHeld(NamedTuple):
    """Coins of inverse symbols at a close, float64[S]: all, and those that no position held has brought."""

    held: F64
    earlier: F64


@dataclass(frozen=True, kw_only=True)
class Booked(Observed):
    """The same with an account.

    Attributes:
        initial_capital: equity before the first bar.
        fill: where orders decided at a close are filled.
        equity: float64[n], at the bar's close.
        funding: float64[n], paid in the bar.
        quantity: float64[n, S], held at the bar's close (base currency; contracts where inverse).
        fills: structured FILL array, oldest first.
        inverse: bool[S], which symbols are held in contracts and coin; None for none.
        coins_at_first: those at the first bar's close, where the run began before it.
    """

    initial_capital: float
    fill: Literal["next_open", "next_close"]
    equity: F64
    funding: F64
    quantity: F64
    fills: npt.NDArray[np.void]
    inverse: Bool | None = None
    coins_at_first: CoinsHeld | None = None

    @property
    def is_inverse(self) -> Bool:
        """Return bool[S], which symbols are held in contracts and coin."""
        none = np.zeros(self.n_symbols, dtype=np.bool_)
        return none if self.inverse is None else self.inverse

    @property
    def has_inverse(self) -> bool:
        """Tell whether any symbol is inverse."""
        return bool(self.is_inverse.any())

    def equity_before(self, index: int) -> float:
        """Return the equity at the close before bar `index`."""
        return float(self.equity[index - 1]) if index > 0 else self.initial_capital

    def quantity_before(self, start: int) -> F64:
        """Return float64[n - start, S], the quantity held when each bar from `start` on opened."""
        before = np.zeros_like(self.quantity)
        before[1:] = self.quantity[:-1]
        return before[start:]

    def quantities_around(self, first: int, stop: int) -> tuple[F64, F64]:
        """Return float64[stop - first, S] twice, what was held when each of the bars opened and at its close."""
        before = np.zeros_like(self.quantity[first:stop])
        before[1:] = self.quantity[first : stop - 1]
        if first > 0:
            before[:1] = self.quantity[first - 1]
        return before, self.quantity[first:stop]

    def value(self, start: int, stop: int | None = None) -> F64:
        """Return float64[stop - start, S], what positions are in the quote currency at the closes; 0 of none.

        Args:
            stop: n by default.
        """
        span = slice(start, stop)
        return np.nan_to_num(value_of(self.quantity[span], self.price[span], self.inverse))

    def summed(self, of_fills: F64) -> F64:
        """Return float64[n, S], the sums of an amount of each fill, by its bar and symbol."""
        sums = np.bincount(self._cells, weights=of_fills, minlength=self.quantity.size)
        return sums.astype(np.float64).reshape(self.quantity.shape)

    @cached_property
    def _cells(self) -> I64:
        """Return the place of each fill among bars and symbols."""
        bar = np.searchsorted(self.open_time, self.fills["open_time"])
        cells: I64 = bar * self.n_symbols + self.fills["symbol"]
        return cells

    def quantity_inside(self, start: int) -> F64:
        """Return float64[n - start, S], the quantity that pays for the settlements inside each bar: after its
        open's fills and those on its path, before those of its end."""
        quantity = self.fills["quantity"]
        if self.fill == "next_open":
            settled = quantity * (self.fills["reason"] == _SETTLED)
            return self.quantity[start:] - self.summed(settled)[start:]
        return self.quantity_before(start) + self.summed(quantity * self._is_on_path)[start:]

    @property
    def _is_on_path(self) -> Bool:
        """Return bool[f], which fills a bar's path has brought where orders are filled at its end.

        The rest of a stop is filled at later ends: a stop after a stop of what is still held. In a piece of a run
        nothing is known of the fills before it.
        """
        symbol, reason = self.fills["symbol"], self.fills["reason"]
        stops, rest = np.isin(reason, _STOPS), np.zeros(len(reason), dtype=np.bool_)
        for s in range(self.n_symbols):
            mine = np.flatnonzero(symbol == s)
            rest[mine[1:]] = stops[mine[:-1]] & stops[mine[1:]]
        bar = np.searchsorted(self.open_time, self.fills["open_time"])
        rest &= self.quantity_before(0)[bar, symbol] != 0.0
        on_path: Bool = (stops | (reason == _LIQUIDATED)) & ~rest
        return on_path


def opened_share(held: F64, now: F64) -> F64:
    """Return float64[m, S], how much of what a flip trades opens the new position."""
    size = np.abs(held) + np.abs(now)
    share: F64 = np.divide(np.abs(now), size, out=np.zeros_like(size), where=size > 0.0)
    return share


def carried(values: F64) -> F64:
    """Return float64[n, S] with each NaN replaced by the value last known in its column.

    >>> carried(np.array([[np.nan], [1.0], [np.nan]])).ravel().tolist()
    [nan, 1.0, 1.0]
    """
    rows = np.where(np.isnan(values), -1, np.arange(len(values))[:, None])
    last = np.maximum.accumulate(rows, axis=0)
    taken = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last >= 0, taken, np.nan)
