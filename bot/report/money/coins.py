"""The coins of inverse symbols, and what positions and coins have earned in the quote currency.

An inverse position brings coins and owes contracts; fees and funding are paid in coin. What a trip has made
stays in coin when it is closed, and moves with its price from then on: that is no trip's, but the symbol's.
So a bar's profit of a symbol has a third part beside those of positions, what its coins made that no position
of the bar has brought.

Rules: coins follow from the record's own fills and funding, at the prices at which the kernel took them. A
liquidation that ends a cross account exchanges all coins for cash, and the cash for the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bot.blocks import F64
from bot.portfolio.funding import funding_paid, price_at_open
from bot.report.booked import Booked, carried, opened_share
from bot.report.money.turned_bars import changed_sides, inside_profit, turned_bars


class Coins(NamedTuple):
    """Coins at the closes of a run's bars, float64[n, S]; 0 of what is not inverse.

    Attributes:
        held: in all.
        earlier: of these, what the position held did not bring.
        entering: what a bar's fills brought for the position that it opened.
        inside: what they brought for positions that it both opened and closed.
        repaid: bought at the close because they were owed.
        exchanged: cash that a bar's coins were exchanged for, less what those repaid cost.
        left_at: price of the bar's fills that closed a position, at which their contracts are their coins; NaN without one.
        entered_at: of those that opened one.
    """

    held: F64
    earlier: F64
    entering: F64
    inside: F64
    repaid: F64
    exchanged: F64
    left_at: F64
    entered_at: F64


@dataclass(frozen=True, slots=True)
class CoinProfit:
    """What an inverse symbol earned in each bar, float64[m, S], in the parts of `Profit`."""

    leaving: F64
    entering: F64
    inside: F64
    coins: F64
    left_at: F64
    entered_at: F64


def coins_of(run: Booked) -> Coins:
    """Return the coins of a run's inverse symbols; 0 of others."""
    before, now = run.quantity_before(0), run.quantity
    flows, filled_at, fees = _flows(run)
    known = run.coins_at_first
    if known is not None:
        flows[0] = known.held
    coins = np.cumsum(flows, axis=0)
    ended = ended_at(run)
    repaid = _repaid(run, coins)
    repaid[ended if ended is not None else len(coins) :] = 0.0  # then all coins are exchanged
    coins += np.cumsum(repaid, axis=0)
    exchanged = -np.nan_to_num(repaid * run.price)
    if ended is not None:
        at = np.where(np.isnan(filled_at[ended]), run.price[ended], filled_at[ended])
        exchanged[ended] += np.nan_to_num(coins[ended] * at)
        coins[ended:] = 0.0
    turned = [each for each in turned_bars(run, 0) if run.is_inverse[each.symbol]]
    flipped = changed_sides(run, 0, turned)
    per_price = np.divide(1.0, filled_at, out=np.zeros_like(coins), where=filled_at > 0.0)
    entering = np.where(flipped, (now - opened_share(before, now) * fees) * per_price, 0.0)
    inside, entered_at = np.zeros_like(coins), filled_at.copy()
    for each in turned:
        at = each.bar, each.symbol
        entering[at] = 0.0 if each.entered is None else each.entered.coins
        inside[at] = sum(leg.coins for leg in each.inside)
        if each.entered is not None:
            entered_at[at] = each.entered.mean_price(each.entered.side, inverse=True)
        if each.left is not None and flipped[at]:
            filled_at[at] = each.left.mean_price(-each.left.side, inverse=True)
    earlier = np.where(flipped | (now == 0.0), coins - entering, np.nan)
    if known is not None:
        earlier[0] = known.earlier
    earlier = np.nan_to_num(carried(earlier))
    nothing = np.zeros_like(coins)
    held, earlier, entering, inside, repaid, exchanged = (
        np.where(run.is_inverse, amounts, nothing)
        for amounts in (coins, earlier, entering, inside, repaid, exchanged)
    )
    return Coins(
        held, earlier, entering=entering, inside=inside, repaid=repaid, exchanged=exchanged,
        left_at=filled_at, entered_at=entered_at,
    )  # fmt: skip


def _repaid(run: Booked, unpaid: F64) -> F64:
    """Return float64[n, S], the coins bought at each close; in all as many as were owed most.

    Args:
        unpaid: float64[n, S], what fills and funding alone make of the coins.
    """
    owed = np.where((run.quantity == 0.0) & np.isfinite(run.price), -unpaid, 0.0)
    so_far = np.maximum.accumulate(np.maximum(owed, 0.0), axis=0)
    return np.diff(so_far, axis=0, prepend=0.0)


def coin_profit(run: Booked, start: int) -> CoinProfit:
    """Return what inverse symbols earned in each bar from `start` on; of others it says nothing."""
    coins = coins_of(run)
    q0, q1 = run.quantity_before(start), run.quantity[start:]
    price = np.nan_to_num(run.price)
    m0, m1 = _before(price)[start:], price[start:]
    c0, c1 = _before(coins.held)[start:], coins.held[start:]
    b0, b1 = _before(coins.earlier)[start:], coins.earlier[start:]
    total = c1 * m1 - q1 - (c0 * m0 - q0) + coins.exchanged[start:]
    turned = [each for each in turned_bars(run, start) if run.is_inverse[each.symbol]]
    flipped = changed_sides(run, start, turned)
    left_at = coins.left_at[start:]
    there = np.where(np.isnan(left_at), m1, left_at)
    repaid = coins.repaid[start:]
    of_left = c1 - repaid - coins.entering[start:] - coins.inside[start:]
    closed = (of_left - b0) * there + coins.exchanged[start:] + repaid * m1
    inside = np.zeros_like(closed)
    for each in turned:
        inside[each.bar, each.symbol] = sum(inside_profit(leg, inverse=True) for leg in each.inside)
    left = np.where(flipped, closed, (c1 - b0) * m1 - q1)
    leaving = np.where(q0 != 0.0, left - ((c0 - b0) * m0 - q0), 0.0)
    entering = np.where(flipped & (q1 != 0.0), (c1 - b1) * m1 - q1, 0.0)
    rest = total - leaving - entering - inside
    return CoinProfit(
        leaving, entering, inside=inside, coins=rest, left_at=left_at, entered_at=coins.entered_at[start:]
    )  # fmt: skip


def unexplained(run: Booked, start: int, profit: F64, coins: F64) -> F64:
    """Return float64[m, S], what the end of an account brought of its coins beyond what fills tell.

    Their price is that of the instant of the liquidation, which no fill tells where no position stood beside them;
    it follows from what the account lost in all.

    Args:
        profit, coins: float64[m, S], of each symbol in all, and of its coins, at the bar's last price.
    """
    missing, ended = np.zeros_like(profit), ended_at(run)
    if ended is None or ended < start:
        return missing
    at = ended - start
    alone = run.is_inverse & (coins[at] != 0.0)
    if not alone.any():
        alone = run.is_inverse & (profit[at] != 0.0)
    change = float(run.equity[ended]) - run.equity_before(ended)
    missing[at, alone] = (change - profit[at].sum()) / max(int(alone.sum()), 1)
    return missing


def _before(values: F64) -> F64:
    """Return float64[n, S], each bar's values at the close before it."""
    before = np.zeros_like(values)
    before[1:] = values[:-1]
    return before


def _flows(run: Booked) -> tuple[F64, F64, F64]:
    """Return float64[n, S]: coins that fills and funding brought, the fills' mean price, and their fees."""
    fills, price = run.fills, run.fills["price"]
    size = np.abs(fills["quantity"])
    contracts, coins = run.summed(size), run.summed(size / price)
    mean = np.divide(contracts, coins, out=np.full_like(coins, np.nan), where=coins > 0.0)
    flows = run.summed((fills["quantity"] - fills["fee"]) / price)
    if run.funding.any():
        flows -= _funding(run)
    return flows, mean, run.summed(fills["fee"])


def _funding(run: Booked) -> F64:
    """Return float64[n, S], the coins that contracts paid in funding."""
    bars, nothing = run.bars, np.full(run.n_symbols, np.nan)
    held, inside = run.quantity_before(0), run.quantity_inside(0)
    paid = funding_paid(bars, held, inside, nothing, run.is_inverse)
    return np.where(paid != 0.0, paid / price_at_open(bars, nothing), 0.0)


def ended_at(run: Booked) -> int | None:
    """Return the bar in which the whole account was taken over, None where it was not."""
    over = np.flatnonzero(run.equity == 0.0)
    return int(over[0]) if len(over) else None
