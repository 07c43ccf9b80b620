"""Inside a bar of the plain account: limit orders, stops and liquidations, in the order of its path.

Rules: entries, stops and liquidations on the adverse side first; then exits by limit, take profits and
trailing stops. What was opened inside the bar has no favourable side. Read well, profits are taken before
all else but what happens at the open, and a touch fills a limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.oracle.margin import gone_rather, liquidate, used_up
from tests.oracle.terms import Candle, Position, Settings

if TYPE_CHECKING:
    from tests.oracle.account import Account


def walk(account: Account, bar: Sequence[Candle]) -> None:
    """Take orders and positions along the path."""
    entered: dict[int, bool] = {}
    meet_limits(account, bar, False, entered)
    stop_on_the_way(account, bar)
    liquidate(account, bar)
    if meet_limits(account, bar, True, entered):
        stop_on_the_way(account, bar)
        liquidate(account, bar)
    for position, candle in zip(account.positions, bar, strict=True):
        grow_old(account.settings, position, candle)
    for s, candle in enumerate(bar):
        if candle.valid and account.positions[s].quantity and not entered.get(s):
            come_back(account, s, candle)


def meet_limits(
    account: Account, bar: Sequence[Candle], exits: bool, entered: dict[int, bool]
) -> bool:
    """Fill the resting orders that the bar trades through; tell whether there was any."""
    any_filled = False
    for s, candle in enumerate(bar):
        position = account.positions[s]
        limit, buys = position.limit, position.order > 0.0
        rests = candle.valid and (candle.fillable or position.age > 0) and candle.volume != 0.0
        if not position.order or limit is None or not rests:
            continue
        if (position.order * position.quantity < 0.0) is not exits:
            continue
        side = 1.0 if buys else -1.0
        if exits and -side * (limit - target_of(account.settings, position)) > 0.0:
            continue  # profit is taken before it
        if position.quantity and not exits:
            level, _ = stop_of(account.settings, position)
            if side * (limit - level) <= 0.0:  # the stop lies before it
                continue
        through = limit - candle.low if buys else candle.high - limit
        tick = position.terms.tick
        met = through > 0.0 and through >= tick * (1.0 - 1e-6)
        if not (through >= -1e-6 * tick if account.settings.optimistic else met):
            continue
        volume = position.volume if math.isnan(candle.volume) else candle.volume
        part, cut = account.share(position, limit, math.nan, volume)
        paid = account.afforded(position, part, limit, position.terms.maker_fee)
        account.fill(s, paid, limit, position.terms.maker_fee, cut if paid == part else "cash")
        if paid:
            any_filled = True
            entered[s] = side * position.quantity > 0.0
    return any_filled


def grow_old(settings: Settings, position: Position, candle: Candle) -> None:
    """Count the bars of a resting order; after the last it is cancelled, or goes to the market."""
    placed = candle.fillable or position.age > 0
    if not position.order or position.limit is None or not candle.in_session or not placed:
        return
    position.age += 1
    if position.age >= settings.limit_bars:
        position.limit = None
        position.order = position.order if settings.crosses else 0.0


def stop_of(settings: Settings, position: Position) -> tuple[float, str]:
    """Return where a position is stopped on the adverse side, NaN for nowhere, and by what."""
    levels = [
        (position.on_tick(basis * (1.0 - position.side * share), -position.side), name)
        for basis, share, name in (
            (position.entry, settings.stop_loss, "stop_loss"),
            (position.best, settings.trailing_stop, "trailing_stop"),
        )
        if share
    ]
    return max(levels, key=lambda level: position.side * level[0], default=(math.nan, ""))


def target_of(settings: Settings, position: Position) -> float:
    """Return where profit is taken, NaN for nowhere."""
    if not settings.take_profit:
        return math.nan
    gain = max(position.entry * (1.0 + position.side * settings.take_profit), 0.0)
    return position.on_tick(gain, -position.side)


def stop_on_the_way(account: Account, bar: Sequence[Candle]) -> None:
    """Close what is stopped on the adverse side, the first one first, unless its margin went before."""
    while True:
        met = []
        for s, candle in enumerate(bar):
            found = _met(account.settings, account.positions[s], candle)
            if found is not None and not used_up(account, bar, s, found[0]):
                met.append((found[0], s, found[1], found[2]))
        if not met:
            return
        way, s, price, reason = min(met)
        if not (account.settings.optimistic and gone_rather(account, bar, s, way, price)):
            stop(account, s, bar[s], price, reason)


def _met(settings: Settings, position: Position, candle: Candle) -> tuple[float, float, str] | None:
    """Return how far on the way to the bar's worst price a position is stopped, the price, the reason."""
    if not position.quantity or not candle.valid or position.stopping:
        return None
    side = position.side
    level, reason = stop_of(settings, position)
    if side * (candle.open - level) <= 0.0:
        return 0.0, candle.open, reason
    if side * (candle.open - target_of(settings, position)) >= 0.0:
        return 0.0, candle.open, "take_profit"
    best = candle.high if side > 0.0 else candle.low
    if settings.optimistic and side * (best - target_of(settings, position)) >= 0.0:
        return 0.0, target_of(settings, position), "take_profit"
    worst = candle.low if side > 0.0 else candle.high
    if side * (worst - level) <= 0.0:
        return (candle.open - level) / (candle.open - worst), level, reason
    return None


def come_back(account: Account, s: int, candle: Candle) -> None:
    """Go on to the best price of the bar and its close."""
    settings, position = account.settings, account.positions[s]
    side = position.side
    best = candle.high if side > 0.0 else candle.low
    position.best = side * max(side * position.best, side * best)
    if position.stopping:
        return
    trail = math.nan
    if settings.trailing_stop:
        trail = position.on_tick(position.best * (1.0 - side * settings.trailing_stop), -side)
    target = target_of(settings, position)
    if side * (best - target) >= 0.0:
        stop(account, s, candle, target, "take_profit")
    elif side * (candle.close - trail) <= 0.0:
        stop(account, s, candle, trail, "trailing_stop")


def stop(account: Account, s: int, candle: Candle, price: float, reason: str) -> None:
    """Order a position closed at the market from this price on."""
    position = account.positions[s]
    account.decide(s, -position.quantity, reason)
    if candle.volume != 0.0:
        volume = position.volume if math.isnan(candle.volume) else candle.volume
        account.take(s, price, math.nan, math.nan, volume)
