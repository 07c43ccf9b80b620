"""Costs: what a fill costs, by the shipped scheme or by one of a user's own.

Rules: every fill is charged by `costs`, and a decision is told of the costs by the same function;
with q the signed quantity in the base currency, spread and slippage are what the price met and the price paid lie beyond
the middle, so that together they are (price - middle) q. Money is in the quote currency, positive
when paid. A scheme knows the fill, what was traded before it, and its own state in the book.
"""

from __future__ import annotations

import math

from bot.parts.registry import shipped
from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.impact import impact_of
from bot.portfolio.kernel.asked import SchemeCall, call_scheme, note_fault
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.contracts import base_of, quantity_of, value_of
from bot.portfolio.market import Market
from bot.portfolio.rules import Rules
from bot.portfolio.ticks import on_tick


@hot
def costs(
    i: int, s: int, quantity: float, middle: float, quote: float, turnover: float, book: Book,
    rules: Rules, market: Market, scheme: SchemeCall, full: FullAccount | None, trial: bool,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Return the price, fee, spread and slippage of a fill.

    In the full account the price lies on the tick, and the order's own impact is in the slippage.

    Args:
        i: the bar.
        s: the symbol.
        quantity: signed.
        middle: what is in the middle of the market: of bid and ask, else the bar's price.
        quote: what the order meets, the ask when bought; NaN where there is none, and it is then
            half a spread off the middle.
        turnover: of the account before this fill.
        scheme: a user's, if there is one; else a taker's.
        trial: whether the fill is asked about and not made; it goes on from `begin_trial`.
    """
    side = 1.0 if quantity > 0.0 else -1.0
    met = quote if math.isfinite(quote) else middle * (1.0 + side * rules.half_spread)
    price = met * (1.0 + side * rules.slippage)
    if full is not None:
        moved = 1.0 + impact_of(s, quantity, book, full)
        price = on_tick(price * moved if side > 0.0 else price / moved, side, full.orders.tick[s])
    fee = rules.taker_fee[s] * abs(value_of(s, quantity, price, full))
    if scheme.is_own:
        fill = scheme.fill[0]
        fill.symbol = s
        fill.open_time = market.open_time[i]
        fill.side = side
        fill.quantity = quantity
        fill.middle = middle
        fill.met = met
        fill.turnover = turnover
        fill.taker_fee = rules.taker_fee[s]
        fill.price = price
        fill.fee = fee
        call_scheme(scheme.address, fill, scheme.trial if trial else scheme.state[s])
        price = fill.price
        fee = fill.fee
        if not (0.0 < price < math.inf and math.isfinite(fee)):
            note_fault(scheme.fault, i, s)
        elif full is not None:
            price = on_tick(price, side, full.orders.tick[s])
    traded = base_of(s, quantity, middle, full)
    return price, fee, (met - middle) * traded, (price - met) * traded


shipped(
    "cost_scheme", "taker",
    keys=("costs.taker_fee", "costs.half_spread_bps", "costs.slippage_bps", "costs.impact"),
    doc="A taker's: the quote, or half a spread off the middle; slippage and impact beyond it; a fee.",
)(costs)  # fmt: skip


@cold
def begin_trial(s: int, scheme: SchemeCall) -> None:
    """Let fills that are asked about and not made begin from what a user's scheme carries."""
    if scheme.is_own:
        for k in range(len(scheme.trial)):
            scheme.trial[k] = scheme.state[s, k]


@cold
def round_trip(
    i: int, s: int, weight: float, half_spread: float,
    book: Book, rules: Rules, market: Market, scheme: SchemeCall, full: FullAccount | None,
) -> float:  # fmt: skip
    """Return what it would cost to open a position at this close and close it, of its notional.

    Args:
        weight: of the position, negative when short.
        half_spread: of the quotes that are to be met, a fraction.

    Returns:
        A fraction; NaN where the weight is 0 or not known.
    """
    account = book.account[0]
    middle = market.close[i, s]
    quantity = quantity_of(s, weight * account.equity, middle, full)
    if not abs(quantity) > 0.0:
        return math.nan
    begin_trial(s, scheme)
    turnover = account.turnover
    paid = 0.0
    for _ in range(2):
        quote = middle * (1.0 + math.copysign(half_spread, quantity))
        price, fee, spread, slippage = costs(
            i, s, quantity, middle, quote, turnover, book, rules, market, scheme, full, True
        )
        paid += fee + spread + slippage
        turnover += abs(value_of(s, quantity, price, full))
        quantity = -quantity
    share: float = paid / abs(value_of(s, quantity, middle, full))
    return share


@hot
def costs_of_reference(s: int, equity: float, rules: Rules) -> float:
    """Return the fee of a change of position in the reference backtest: a share of equity."""
    fee: float = rules.taker_fee[s] * equity
    return fee
