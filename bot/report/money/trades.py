"""The closed round trips as rows: when, how large, at which prices, what each earned and why it ended.

A trip is that of `round_trips.py`, and has the same profit. A run may come in one stretch or piece by
piece, so that a long one needs little memory: the trips are the same. Rules: times are open times of
bars; a position that is open at the end is no trip. Must not format.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64
from bot.report.booked import Booked
from bot.report.money.round_trips import Profit, profits
from bot.report.money.turned_bars import TurnedBar, inside_profit
from bot.report.some_symbols import groups_of_symbols


@dataclass(frozen=True, slots=True)
class Trades:
    """Closed round trips, k of them, in the order in which they ended.

    Attributes:
        symbol: int64[k], its place among the run's symbols.
        side: int64[k], 1 long, -1 short.
        entry_ms, exit_ms: int64[k], open times of the bars that opened and closed it, ms UTC.
        bars_held: int64[k].
        quantity: float64[k], the largest held at a close, base currency; of a trip of one bar the largest in it.
        entry_price, exit_price: float64[k], mean price of the fills of those bars.
        profit: float64[k], net, quote currency.
        fees, funding: float64[k], paid in it, quote currency.
        fraction: float64[k], the profit over the equity before it was opened.
        exit_reason: int64[k], code of its last fill, 0 where there is none.
    """

    symbol: I64
    side: I64
    entry_ms: I64
    exit_ms: I64
    bars_held: I64
    quantity: F64
    entry_price: F64
    exit_price: F64
    profit: F64
    fees: F64
    funding: F64
    fraction: F64
    exit_reason: I64

    def __len__(self) -> int:
        return len(self.symbol)

    def rows(self, at: I64) -> Trades:
        """Return the trips at these places."""
        return Trades(*(getattr(self, f.name)[at] for f in fields(self)))


class _Open(NamedTuple):
    """What is known so far of a trip that no piece has closed yet."""

    entry_ms: int
    entry_bar: int
    side: int
    entry_price: float
    capital: float
    quantity: float
    profit: float
    fees: float
    funding: float


class _Sums(NamedTuple):
    """Running sums float64[m, S] of what belongs to the position that a bar opened with."""

    profit: F64
    fees: F64
    funding: F64


class _Entering(NamedTuple):
    """float64[m, S], what belongs to the position that a bar opened, not to the one before."""

    profit: F64
    fees: F64


@dataclass
class TradeWalk:
    """Find the round trips of a run that is handed over piece by piece."""

    _open: dict[int, _Open] = field(default_factory=dict)
    _bars: int = 0

    def add(self, run: Booked, start: int) -> Trades:
        """Return the trips that end from bar `start` on.

        Args:
            run: the next piece. Behind the first one, its first bar is the last of the piece before
                and `start` is 1; that bar's price is the last known one.
            start: first bar that counts.
        """
        profit = profits(run, start)
        entering = _Entering(profit.entering, profit.entering_fees)
        sums = _Sums(
            np.cumsum(profit.leaving, axis=0),
            np.cumsum(profit.fees - profit.entering_fees - profit.inside_fees, axis=0),
            np.cumsum(profit.funding, axis=0),
        )
        reasons = _last_reasons(run, start, profit)
        found = []
        for s in range(run.n_symbols):
            found += self._of_symbol(
                run, start, s, entering=entering, sums=sums, profit=profit, reasons=reasons[:, s]
            )
        for each in profit.turned:
            found += _inside(each, run, start)
        self._bars += len(run.equity) - start
        return _in_order(found)

    def _of_symbol(
        self, run: Booked, start: int, s: int, entering: _Entering, sums: _Sums, profit: Profit,
        reasons: I64,
    ) -> list[tuple[Any, ...]]:  # fmt: skip
        """Return the rows of a symbol's trips that end in the piece, and keep the one left open."""
        times, quantity = run.open_time[start:], np.abs(run.quantity[start:, s])
        side = np.sign(run.quantity[start:, s]).astype(np.int64)
        changed = np.flatnonzero(profit.changed[:, s])
        rows: list[tuple[Any, ...]] = []
        open_, since = self._open.pop(s, None), -1
        for i in changed.tolist():
            if open_ is not None:
                whole = _grown(open_, s, i, since, quantity, sums=sums, through=i)
                rows.append(
                    (
                        s, whole.side, whole.entry_ms, int(times[i]), self._bars + i - whole.entry_bar,
                        whole.quantity, whole.entry_price, float(profit.left_at[i, s]),
                        whole.profit, whole.fees, whole.funding, whole.profit / whole.capital,
                        int(reasons[i]),
                    )
                )  # fmt: skip
            open_, since = None, i
            if side[i]:
                open_ = _Open(
                    int(times[i]), self._bars + i, int(side[i]),
                    entry_price=float(profit.entered_at[i, s]), capital=run.equity_before(start + i),
                    quantity=0.0, profit=float(entering.profit[i, s]),
                    fees=float(entering.fees[i, s]), funding=0.0,
                )  # fmt: skip
        if open_ is not None:
            self._open[s] = _grown(open_, s, len(times), since, quantity, sums=sums)
        return rows


def trades_of(run: Booked, start: int) -> Trades:
    """Return the closed round trips of a whole run that were opened at bar `start` or later."""
    parts = [
        replace(found, symbol=found.symbol + places.start)
        for places, some in groups_of_symbols(run)
        for found in [TradeWalk().add(some, start)]
    ]
    if len(parts) == 1:
        return parts[0]
    order = np.lexsort(
        [np.concatenate([getattr(p, k) for p in parts]) for k in ("symbol", "exit_ms")]
    )
    return Trades(
        *[np.concatenate([getattr(p, f.name) for p in parts])[order] for f in fields(Trades)]
    )


def _grown(
    open_: _Open, s: int, stop: int, since: int, quantity: F64, sums: _Sums,
    through: int | None = None,
) -> _Open:  # fmt: skip
    """Return an open trip with what the piece adds to it.

    Args:
        stop: the first bar that no longer closes with it.
        since: the bar of the piece that opened it, -1 where it was open before.
        through: the last bar whose sums are its own; by default that before `stop`.
    """
    last = stop - 1 if through is None else through
    added = [float(x[last, s] - (x[since, s] if since >= 0 else 0.0)) for x in sums]
    largest = float(quantity[max(since, 0) : stop].max(initial=open_.quantity))
    return open_._replace(
        quantity=largest,
        profit=open_.profit + added[0],
        fees=open_.fees + added[1],
        funding=open_.funding + added[2],
    )


def _inside(turned: TurnedBar, run: Booked, start: int) -> list[tuple[Any, ...]]:
    """Return the rows of trips that began and ended in one bar."""
    time, capital = int(run.open_time[start + turned.bar]), run.equity_before(start + turned.bar)
    inverse, rows = bool(run.is_inverse[turned.symbol]), []
    for leg in turned.inside:
        entry, exit_ = (leg.mean_price(sign, inverse=inverse) for sign in (leg.side, -leg.side))
        made = inside_profit(leg, inverse=inverse)
        rows.append(
            (
                turned.symbol, leg.side, time, time, 0, leg.largest, entry, exit_,
                made, leg.fees, 0.0, made / capital, leg.reason,
            )
        )  # fmt: skip
    return rows


def _last_reasons(run: Booked, start: int, profit: Profit) -> I64:
    """Return int64[m, S], the reason of each bar's last fill of the position held before it, 0 without one."""
    reasons = np.zeros((len(run.equity) - start, run.n_symbols), dtype=np.int64)
    bar = np.searchsorted(run.open_time, run.fills["open_time"]) - start
    ours = bar >= 0
    reasons[bar[ours], run.fills["symbol"][ours]] = run.fills["reason"][ours]
    for each in profit.turned:
        if each.left is not None:
            reasons[each.bar, each.symbol] = each.left.reason
    return reasons


def _in_order(rows: list[tuple[Any, ...]]) -> Trades:
    """Return the rows as columns, by the time at which they ended, then by symbol."""
    rows.sort(key=lambda row: (row[3], row[0]))
    whole = {"symbol", "side", "entry_ms", "exit_ms", "bars_held", "exit_reason"}
    columns: list[npt.NDArray[Any]] = [
        np.array([row[k] for row in rows], np.int64 if f.name in whole else np.float64)
        for k, f in enumerate(fields(Trades))
    ]
    return Trades(*columns)
