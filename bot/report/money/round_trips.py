"""Who earned what: profit of each symbol bar by bar, and of each round trip.

A round trip of a symbol goes from flat or a flip to flat or a flip, as seen at the closes. Its
profit is net of its fees, its spread and slippage (they are inside the price) and the funding paid
while it was open; a position still open at the end is no trip. Where a bar closes one trip and
opens the next, the price splits at the fill and the fee by the quantities closed and opened.

Of an inverse symbol a trip's profit is in coin, told at the prices of its bars and at last of its exit; what
these coins make afterwards is the symbol's (`Profit.coins`).

Rules: positions are marked at the last known close. The profits of all symbols and bars sum to the
change of equity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bot.blocks import F64, I64
from bot.portfolio.funding import funding_paid
from bot.report.booked import Booked, opened_share
from bot.report.money.coins import coin_profit, unexplained
from bot.timegrid import last_closes


@dataclass(frozen=True, slots=True)
class Profit:
    """Net profit float64[m, S] of each bar from a start on, in the quote currency, in its parts.

    `leaving` belongs to the position held when the bar opened, `entering` to a new one that the bar
    opened; where the sign stays, all is `leaving`. `coins` float64[m, S] is what an inverse symbol's coins
    of earlier positions made. `funding` float64[m, S] is inside `leaving`, and
    `fees` float64[m, S] inside both. `filled_at` float64[m, S] is the mean price of the bar's fills,
    NaN without one.
    """

    leaving: F64
    entering: F64
    fees: F64
    funding: F64
    filled_at: F64
    coins: F64 | None = None

    @property
    def total(self) -> F64:
        """Return float64[m, S], the net profit."""
        of_trips = self.leaving + self.entering
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
    flipped = np.sign(held) != np.sign(now)

    old = _marked(held, before, filled_at)
    new = _marked(now, filled_at, price)
    funding = _funding_by_symbol(run, start)
    entering = np.where(flipped, new - fees * opened_share(held, now), 0.0)
    leaving = old + new - fees - funding - entering
    linear = Profit(leaving, entering, fees, funding=funding, filled_at=traded)
    return _with_coins(linear, run, start) if run.has_inverse else linear


def _with_coins(linear: Profit, run: Booked, start: int) -> Profit:
    """Return profits of which those of inverse symbols are told by their coins."""
    own, inverse = coin_profit(run, start), run.is_inverse
    told = replace(
        linear,
        leaving=np.where(inverse, own.leaving, linear.leaving),
        entering=np.where(inverse, own.entering, linear.entering),
        filled_at=np.where(inverse, own.filled_at, linear.filled_at),
        coins=np.where(inverse, own.coins, 0.0),
    )
    missing = unexplained(run, start, told.total, own.coins)
    return replace(told, coins=np.where(inverse, own.coins + missing, 0.0))


def carried_in(price: F64, start: int) -> F64:
    """Return float64[n - start, S], the last known close when each bar from `start` on opened."""
    first = price[start - 1 : start] if start > 0 else np.full((1, price.shape[1]), np.nan)
    return np.concatenate((first, price[start:-1]))


def round_trips(run: Booked, start: int, profit: Profit) -> Trips:
    """Return the closed round trips entered at bar `start` or later, symbol by symbol."""
    side = np.sign(run.quantity[start:])
    side_before = np.sign(run.quantity_before(start))
    capital = np.concatenate(([run.equity_before(start)], run.equity[start:-1]))
    parts = [(s, *entries_and_exits(side_before[:, s], side[:, s])) for s in range(run.n_symbols)]
    through = np.cumsum(profit.leaving, axis=0)
    symbol = np.concatenate([np.full(len(entries), s) for s, entries, _ in parts])
    first = np.concatenate([entries for _, entries, _ in parts])
    last = np.concatenate([exits for _, _, exits in parts])
    earned = profit.entering[first, symbol] + through[last, symbol] - through[first, symbol]
    return Trips(symbol, first + start, last + start, earned, earned / capital[first])


def entries_and_exits(before: F64, after: F64) -> tuple[I64, I64]:
    """Return the first and last bar of each closed trip, from the sides around each bar."""
    changed = before != after
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
