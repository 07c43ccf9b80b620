"""Who earned what: profit of each symbol bar by bar, and of each round trip.

A round trip of a symbol goes from flat or a flip to flat or a flip, as seen at the closes and, of a bar
in which it was both bought and sold, by its fills (`turned_bars.py`). Its profit is net of its fees, its spread and slippage (they are inside the price) and the funding paid
while it was open; a position still open at the end is no trip. Where a bar closes one trip and
opens the next, the price splits at the fill and the fee by the quantities closed and opened.

Of an inverse symbol a trip's profit is in coin, told at the prices of its bars and at last of its exit; what
these coins make afterwards is the symbol's (`Profit.coins`).

Rules: positions are marked at the last known close. The profits of all symbols and bars sum to the
change of equity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bot.blocks import F64, I64, Bool
from bot.portfolio.funding import funding_paid
from bot.report.booked import Booked, opened_share
from bot.report.money.coins import coin_profit, unexplained
from bot.report.money.turned_bars import TurnedBar, changed_sides, inside_profit, turned_bars
from bot.report.some_symbols import groups_of_symbols
from bot.timegrid import last_closes


@dataclass(frozen=True, slots=True)
class Profit:
    """Net profit float64[m, S] of each bar from a start on, in the quote currency, in its parts.

    `leaving` belongs to the position held when the bar opened, `entering` to a new one that the bar
    opened; where the sign stays, all is `leaving`. `inside` float64[m, S] is that of positions that the bar both
    opened and closed. `coins` float64[m, S] is what an inverse symbol's coins
    of earlier positions made. `funding` float64[m, S] is inside `leaving`, and
    `fees` float64[m, S] inside all; `entering_fees` and `inside_fees` float64[m, S] are those of two. `left_at` and
    `entered_at` float64[m, S] are the mean prices of the bar's fills that closed a position and opened one, NaN without one.
    `changed` bool[m, S] tells where a position ended or began, and `turned` has the bars of fills of both signs.
    """

    leaving: F64
    entering: F64
    inside: F64
    fees: F64
    entering_fees: F64
    inside_fees: F64
    funding: F64
    left_at: F64
    entered_at: F64
    changed: Bool
    turned: list[TurnedBar]
    coins: F64 | None = None

    @property
    def total(self) -> F64:
        """Return float64[m, S], the net profit."""
        of_trips = self.leaving + self.entering + self.inside
        return of_trips if self.coins is None else of_trips + self.coins


@dataclass(frozen=True, slots=True)
class Trips:
    """Closed round trips: symbol, first and last bar (absolute), net profit, and profit as a
    fraction of the equity before the first bar."""

    symbol: I64
    first: I64
    last: I64
    profit: F64
    fraction: F64

    def __len__(self) -> int:
        return len(self.symbol)


def profits(run: Booked, start: int) -> Profit:
    """Return the profit of each symbol in each bar from `start` on."""
    price = run.price[start:]
    before = carried_in(run.price, start)
    held, now = run.quantity_before(start), run.quantity[start:]
    traded, fees = _fills_by_bar(run, start)
    filled_at = np.where(np.isnan(traded), price, traded)
    turned = turned_bars(run, start)
    flipped = changed_sides(run, start, turned)

    old = _marked(held, before, filled_at)
    new = _marked(now, filled_at, price)
    funding = _funding_by_symbol(run, start)
    entering_fees = np.where(flipped, fees * opened_share(held, now), 0.0)
    entering = np.where(flipped, new - entering_fees, 0.0)
    leaving = old + new - fees - funding - entering
    linear = Profit(
        leaving, entering, np.zeros_like(leaving), fees=fees, entering_fees=entering_fees,
        inside_fees=np.zeros_like(leaving), funding=funding, left_at=traded, entered_at=traded.copy(),
        changed=flipped, turned=turned,
    )  # fmt: skip
    for each in turned:
        _tell_apart(linear, each, run, start, float(before[each.bar, each.symbol]))
    return _with_coins(linear, run, start) if run.has_inverse else linear


def _tell_apart(profit: Profit, turned: TurnedBar, run: Booked, start: int, before: float) -> None:
    """Put what a bar of fills of both signs earned where it belongs, as of a linear symbol.

    Args:
        before: the last close before the bar.
    """
    i, s = turned.bar, turned.symbol
    inverse = bool(run.is_inverse[s])
    held, now = float(run.quantity_before(start)[i, s]), float(run.quantity[start + i, s])
    legs = [
        *([turned.left] if turned.left else []),
        *turned.inside,
        *([turned.entered] if turned.entered else []),
    ]
    worth = (now * float(run.price[start + i, s]) if now else 0.0) - (
        held * before if held else 0.0
    )
    total = worth + sum(leg.cash for leg in legs) - profit.funding[i, s]
    profit.inside[i, s] = sum(leg.cash for leg in turned.inside)
    profit.inside_fees[i, s] = sum(leg.fees for leg in turned.inside)
    profit.entering[i, s] = profit.entering_fees[i, s] = 0.0
    if turned.entered is not None:
        profit.entering[i, s] = now * float(run.price[start + i, s]) + turned.entered.cash
        profit.entering_fees[i, s] = turned.entered.fees
        profit.entered_at[i, s] = turned.entered.mean_price(turned.entered.side, inverse=inverse)
    profit.leaving[i, s] = total - profit.inside[i, s] - profit.entering[i, s]
    if turned.left is not None and profit.changed[i, s]:
        profit.left_at[i, s] = turned.left.mean_price(-turned.left.side, inverse=inverse)


def _with_coins(linear: Profit, run: Booked, start: int) -> Profit:
    """Return profits of which those of inverse symbols are told by their coins."""
    own, inverse = coin_profit(run, start), run.is_inverse
    told = replace(
        linear,
        leaving=np.where(inverse, own.leaving, linear.leaving),
        entering=np.where(inverse, own.entering, linear.entering),
        inside=np.where(inverse, own.inside, linear.inside),
        left_at=np.where(inverse, own.left_at, linear.left_at),
        entered_at=np.where(inverse, own.entered_at, linear.entered_at),
        coins=np.where(inverse, own.coins, 0.0),
    )
    missing = unexplained(run, start, told.total, own.coins)
    return replace(told, coins=np.where(inverse, own.coins + missing, 0.0))


def carried_in(price: F64, start: int) -> F64:
    """Return float64[n - start, S], the last known close when each bar from `start` on opened."""
    first = price[start - 1 : start] if start > 0 else np.full((1, price.shape[1]), np.nan)
    return np.concatenate((first, price[start:-1]))


def round_trips(run: Booked, start: int, profit: Profit) -> Trips:
    """Return the closed round trips entered at bar `start` or later, symbol by symbol; those that began and
    ended in one bar come last."""
    side = np.sign(run.quantity[start:])
    side_before = np.sign(run.quantity_before(start))
    capital = np.concatenate(([run.equity_before(start)], run.equity[start:-1]))
    parts = [
        (s, *entries_and_exits(side_before[:, s], side[:, s], profit.changed[:, s]))
        for s in range(run.n_symbols)
    ]
    through = np.cumsum(profit.leaving, axis=0)
    symbol = np.concatenate([np.full(len(entries), s) for s, entries, _ in parts])
    first = np.concatenate([entries for _, entries, _ in parts])
    last = np.concatenate([exits for _, _, exits in parts])
    earned = profit.entering[first, symbol] + through[last, symbol] - through[first, symbol]
    inside = [
        (each.symbol, each.bar, inside_profit(leg, inverse=bool(run.is_inverse[each.symbol])))
        for each in profit.turned
        for leg in each.inside
    ]
    symbol = np.concatenate([symbol, np.array([s for s, _, _ in inside], np.int64)])
    first = np.concatenate([first, np.array([i for _, i, _ in inside], np.int64)])
    last = np.concatenate([last, first[len(last) :]])
    earned = np.concatenate([earned, np.array([made for _, _, made in inside])])
    return Trips(symbol, first + start, last + start, earned, earned / capital[first])


def close_before(price: F64, bar: int) -> F64:
    """Return float64[S], the last known close when a bar opened."""
    none: F64 = np.full(price.shape[1], np.nan)
    return price[bar - 1] if bar > 0 else none


def closed_trips(run: Booked, start: int) -> Trips:
    """Return what `round_trips` does, worked out of some symbols at a time."""
    ended: list[list[F64 | I64]] = []
    inside: list[list[F64 | I64]] = []
    for places, some in groups_of_symbols(run):
        profit = profits(some, start)
        trips = round_trips(some, start, profit)
        cut = len(trips) - sum(len(each.inside) for each in profit.turned)
        columns = [
            trips.symbol + places.start,
            trips.first,
            trips.last,
            trips.profit,
            trips.fraction,
        ]
        ended.append([column[:cut] for column in columns])
        inside.append([column[cut:] for column in columns])
    joined: list[Any] = [np.concatenate(parts) for parts in zip(*ended, *inside, strict=True)]
    return Trips(*joined)


def entries_and_exits(before: F64, after: F64, changed: Bool | None = None) -> tuple[I64, I64]:
    """Return the first and last bar of each closed trip, from the sides around each bar.

    Args:
        changed: where a position ended or began, by default where the sides differ.
    """
    changed = before != after if changed is None else changed
    entries = np.flatnonzero(changed & (after != 0.0))
    exits = np.flatnonzero(changed & (before != 0.0))
    if len(exits) and (len(entries) == 0 or exits[0] <= entries[0]):
        exits = exits[1:]  # the position was there before the start
    return entries[: len(exits)], exits


def _marked(quantity: F64, start: F64, end: F64) -> F64:
    """Return what a quantity earns between two prices; nothing where there is no quantity."""
    move = np.where(quantity != 0.0, end - start, 0.0)
    return quantity * move


def _fills_by_bar(run: Booked, start: int) -> tuple[F64, F64]:
    """Return float64[m, S]: mean price of the bar's fills (NaN without one), and their fees."""
    size = np.abs(run.fills["quantity"])
    quantity, notional = run.summed(size)[start:], run.summed(size * run.fills["price"])[start:]
    price = np.divide(notional, quantity, out=np.full_like(quantity, np.nan), where=quantity > 0.0)
    return price, run.summed(run.fills["fee"])[start:]


def _funding_by_symbol(run: Booked, start: int) -> F64:
    """Return float64[m, S], funding paid as the ledger books it; none in a run without funding."""
    if not run.funding.any():
        return np.zeros((len(run.equity) - start, run.n_symbols))
    bars = run.bars.rows(start, len(run.bars))
    before = last_closes(run.bars.rows(0, start), np.full(run.n_symbols, np.nan))[-1]
    return funding_paid(
        bars, run.quantity_before(start), run.quantity_inside(start), before, run.inverse
    )
