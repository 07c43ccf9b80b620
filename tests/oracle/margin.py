"""Liquidations of the plain account: where on the marks' path margin is used up, and what is left.

Rules: the path goes from the mark at the open to the worst of the bar, of all symbols at once; read well,
straight to its close.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.oracle.terms import Candle, Position

if TYPE_CHECKING:
    from tests.oracle.account import Account


def liquidate(account: Account, bar: Sequence[Candle], reach: float = 1.0) -> None:
    """Take over what the marks use the margin of, up to the bar's worst (1) or at its end (2)."""
    if account.settings.margin == "isolated":
        for s, candle in enumerate(bar):
            _liquidate_isolated(account, s, candle, reach)
    elif account.settings.margin == "cross" and beyond(account, bar, reach) <= 0.0:
        _liquidate_cross(account, bar, reach)


def used_up(account: Account, bar: Sequence[Candle], s: int, way: float) -> bool:
    """Tell whether a position has no margin left, some way (0 to 1) on the path."""
    position = account.positions[s]
    if account.settings.margin == "cross":
        return beyond(account, bar, way) <= 0.0
    if account.settings.margin == "isolated" and position.terms.contract:
        return position.side * (_at(account, s, bar[s], way) - _taken_at(position)) <= 0.0
    return False


def gone_rather(account: Account, bar: Sequence[Candle], s: int, way: float, price: float) -> bool:
    """Tell whether a stop loses more than what is taken over before it; if so, take it over. Read well only."""
    position, settings = account.positions[s], account.settings
    for share in (settings.half_spread, settings.slippage):
        price *= 1.0 - position.side * share
    price = position.on_tick(price, -position.side)
    fee = position.terms.taker_fee * position.notional(position.quantity, price)
    if settings.margin == "isolated" and position.terms.contract:
        worst = _at(account, s, bar[s], way, well=False)
        aside = position.set_aside(
            position.quantity, position.value(position.quantity, position.entry)
        )
        lost = fee / position.unit(price) - position.gain(price)
        if position.side * (worst - _taken_at(position)) > 0.0 or lost <= aside:
            return False
        _take_isolated(account, s, bar[s])
        return True
    if settings.margin != "cross" or beyond(account, bar, way, well=False) > 0.0:
        return False
    marks = [price if o == s else _at(account, o, bar[o], way) for o in range(len(bar))]
    worth = [replace(p, price=m).worth for p, m in zip(account.positions, marks, strict=True)]
    if account.cash - fee + sum(worth) >= 0.0:
        return False
    end(account, [_at(account, o, bar[o], way, well=False) for o in range(len(bar))])
    return True


def beyond(
    account: Account, bar: Sequence[Candle], way: float, *, well: bool | None = None
) -> float:
    """Return what a cross account has beyond its maintenance, some way on the path."""
    left, on_margin = account.cash, False
    for s, position in enumerate(account.positions):
        if not position.quantity and not position.coin:
            continue
        price = _at(account, s, bar[s], way, well=well)
        left += replace(position, price=price).worth
        if position.quantity and (position.terms.contract or account.settings.borrow):
            on_margin = True
            value = position.value(position.quantity, price)
            need = position.maintenance_margin(value) + value * position.terms.taker_fee
            left -= need * position.unit(price)
    return left if on_margin else math.inf


def _at(account: Account, s: int, candle: Candle, way: float, *, well: bool | None = None) -> float:
    """Return the mark some way on the path: to the side that is bad for what is held, then to the end.

    Args:
        well: how the bar is read; None as the settings say.
    """
    position = account.positions[s]
    start = account.mark(position, candle)
    if way > 1.0:
        ends = (candle.settlement_price, candle.close if candle.valid else math.nan, start)
        return start + (way - 1.0) * (next(p for p in ends if not math.isnan(p)) - start)
    side = position.side
    if position.terms.inverse and account.settings.margin == "cross":
        side = math.copysign(1.0, position.coin) if position.coin else 0.0
    worst, of_bar = candle.mark_low, candle.low
    if side <= 0.0:
        side, worst, of_bar = -1.0, candle.mark_high, candle.high
    if math.isnan(worst):
        worst = start if math.isnan(of_bar) else of_bar
    worst = side * min(side * start, side * worst)
    if account.settings.optimistic if well is None else well:
        worst = candle.close if candle.valid else start
    return start + way * (worst - start)


def _taken_at(position: Position) -> float:
    """Return the mark at which an isolated position has only its maintenance left of its margin."""
    value = position.value(position.quantity, position.entry)
    spare = position.initial_margin(value) - position.maintenance_margin(value)
    if position.terms.inverse:
        coins = position.side * value + spare
        return position.quantity / coins if position.side * coins > 0.0 else math.inf
    return position.entry - position.side * spare / abs(position.quantity)


def _liquidate_isolated(account: Account, s: int, candle: Candle, reach: float) -> None:
    """Take a position over where its margin is used up, or at the open if that is beyond."""
    position = account.positions[s]
    if not position.quantity or not position.terms.contract:
        return
    if position.side * (_at(account, s, candle, reach) - _taken_at(position)) <= 0.0:
        _take_isolated(account, s, candle)


def _take_isolated(account: Account, s: int, candle: Candle) -> None:
    position = account.positions[s]
    price, start = _taken_at(position), _at(account, s, candle, 0.0)
    price = position.side * min(position.side * price, position.side * start)
    value = position.value(position.quantity, position.entry)
    set_aside = position.set_aside(position.quantity, value)
    position.order = 0.0
    unit = position.unit(price)
    lacks = 0.0
    if not account.settings.borrow and account.free_cash() < 0.0:
        before, position.price = position.price, price  # its coins too are worth what they are here
        lacks = max(-account.free_cash(), 0.0) / unit
        position.price = before
    lost = max(set_aside - lacks, 0.0)  # of the margin, which has paid for funding
    fee = (lost + position.gain(price)) * unit
    account.book(s, -position.quantity, price, fee, "liquidation")


def _liquidate_cross(account: Account, bar: Sequence[Candle], reach: float) -> None:
    """Close everything where the margin is used up; the account keeps nothing, and owes nothing."""
    near, far = max(reach - 1.0, 0.0), reach if beyond(account, bar, 0.0) > 0.0 else 0.0
    while far - near > 1e-15 * reach:
        middle = (near + far) / 2.0
        near, far = (middle, far) if beyond(account, bar, middle) > 0.0 else (near, middle)
    end(account, [_at(account, s, bar[s], far) for s in range(len(bar))])


def end(account: Account, prices: Sequence[float]) -> None:
    """Close everything at these prices; of what is left, or owed, nothing stays."""
    closed = False
    for s, (position, price) in enumerate(zip(account.positions, prices, strict=True)):
        position.order = 0.0
        if position.quantity:
            account.book(s, -position.quantity, price, 0.0, "liquidation")
            closed = True
        if position.coin:
            account.cash += position.coin * price
            position.coin = 0.0
    account.fees += account.cash
    if closed:
        account.fills[-1].fee += account.cash
    account.cash = 0.0
