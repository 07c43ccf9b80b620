"""An account kept a second time, in plain Python: what the compiled one must come to.

Owns cash, fills and their costs, funding and settlement, written from the rules and not from the
kernel's code, of which it imports nothing. What is decided is given to it; what becomes of that it works
out. `margin.py` has its liquidations, `inside.py` what a bar's path does to its orders.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.oracle.inside import walk
from tests.oracle.margin import end, liquidate
from tests.oracle.terms import NAN, Candle, Fill, Position, Settings


@dataclass
class Account:
    """Cash and positions, taken through bars one by one: `begin`, `end`, then `decide`."""

    cash: float
    settings: Settings
    positions: list[Position]
    fees: float = 0.0
    funding: float = 0.0
    fills: list[Fill] = field(default_factory=list)

    @property
    def equity(self) -> float:
        return self.cash + sum(p.worth for p in self.positions)

    def begin(self, bar: Sequence[Candle]) -> None:
        """Pay what funding is due at the open, and fill what is on order."""
        self.fees = self.funding = 0.0
        self.fills = []
        for position, candle in zip(self.positions, bar, strict=True):
            mark, rate = self.mark(position, candle), candle.funding_rate
            if position.quantity and position.terms.funding and rate and not math.isnan(rate):
                due = math.copysign(position.notional(position.quantity, mark), position.quantity)
                self.pay_funding(position, due * rate, mark)
            position.traded = 0.0
        if self.settings.at_close:
            return
        if self.settings.full and any(position.order for position in self.positions):
            liquidate(self, bar, reach=0.0)
        self.trade_all(bar)

    def end(self, bar: Sequence[Candle]) -> None:
        """Go through the bar to its close."""
        if self.settings.full:
            self.pay_interest()
            walk(self, bar)
        for position, candle in zip(self.positions, bar, strict=True):
            if position.quantity and position.terms.funding:
                price = self.mark(position, candle)
                units = position.quantity / (price if position.terms.inverse else 1.0)
                self.pay_funding(position, units * candle.funding_inside, price)
        if self.settings.full:
            liquidate(self, bar, reach=2.0)
        for s, candle in enumerate(bar):
            position = self.positions[s]
            if self.settings.full and not math.isnan(candle.settlement_price):
                self.settle(s, candle.settlement_price)
            if candle.valid:
                position.price = candle.close
                position.learn(candle)
        if self.settings.at_close:
            self.trade_all(bar)
        if any(position.terms.inverse for position in self.positions):
            self.repay()

    def repay(self) -> None:
        """Buy the coins that are owed where nothing is held; an account on margin that is then below zero is
        over, and the insurance fund pays."""
        for position in self.positions:
            if not position.quantity and position.coin < 0.0 and not math.isnan(position.price):
                self.cash, position.coin = self.cash + position.coin * position.price, 0.0
        if self.settings.margin != "none" and self.equity < 0.0:
            end(self, [position.price for position in self.positions])

    def decide(self, s: int, quantity: float, reason: str) -> None:
        """Let an order stand instead of the one that did; 0 is none."""
        position, settings = self.positions[s], self.settings
        position.order, position.reason = quantity, reason
        position.each_bar, position.limit, position.age = math.inf, None, 0
        if not quantity or reason != "signal":
            return
        if settings.limit_orders:
            side = math.copysign(1.0, quantity)
            better = position.price * (1.0 - side * settings.limit_offset)
            position.limit = position.on_tick(better, side)
        if settings.excess == "split":
            part, step = abs(quantity) / settings.split_bars, position.terms.step
            if step:
                part = math.ceil(part / step - 1e-9) * step
            position.each_bar = position.lot(part, position.price) or math.inf

    def mark(self, position: Position, candle: Candle) -> float:
        """Return the mark price at the open, or what stands in for it."""
        if not math.isnan(candle.mark):
            return candle.mark
        return candle.open if candle.valid else position.price

    def pay_funding(self, position: Position, due: float, price: float) -> None:
        self.cash -= position.pay(due, price)
        self.funding += due

    def book(self, s: int, quantity: float, price: float, fee: float, reason: str) -> None:
        position = self.positions[s]
        if position.terms.inverse:
            position.coin += quantity / price
        else:
            self.cash -= quantity * price
        self.cash -= position.pay(fee, price)
        self.fees += fee
        position.change(quantity, price)
        self.fills.append(Fill(s, quantity, price, fee, reason))

    def trade_all(self, bar: Sequence[Candle]) -> None:
        """Trade what is on order: what is sold pays for what is bought."""
        lowers = [p.order * p.quantity < 0.0 for p in self.positions]
        for first in (True, False):
            for s, candle in enumerate(bar):
                if self.positions[s].order and lowers[s] is first:
                    self.trade(s, candle)

    def trade(self, s: int, candle: Candle) -> None:
        """Fill an order at the market, where that is possible; else let it be late."""
        position, settings = self.positions[s], self.settings
        quoted = not (settings.at_close or math.isnan(candle.fill_bid + candle.fill_ask))
        if settings.at_close:
            possible, middle = candle.valid and candle.tradable, candle.close
        else:
            possible, middle = candle.valid or quoted, candle.open
        if not (possible and candle.fillable):
            self.be_late(s, candle)
            return
        buys = position.order > 0.0
        quote, size = NAN, NAN
        if quoted:
            quote = candle.fill_ask if buys else candle.fill_bid
        if not settings.at_close:
            size = candle.ask_size if buys else candle.bid_size
        if position.limit is not None:
            met = self.met(position.order, middle, quote)
            if position.age or (met > position.limit if buys else met < position.limit):
                return
            if settings.post_only:
                position.order = 0.0
                return
        self.take(s, middle, quote, size, position.volume)

    def met(self, quantity: float, middle: float, quote: float) -> float:
        """Return the price on the other side of the market."""
        if math.isnan(quote):
            return middle * (1.0 + math.copysign(self.settings.half_spread, quantity))
        return quote

    def price_of(self, position: Position, quantity: float, middle: float, quote: float) -> float:
        """Return what an order at the market gets: beyond what it meets, slippage and its own impact."""
        settings, side = self.settings, math.copysign(1.0, quantity)
        price = self.met(quantity, middle, quote) * (1.0 + side * settings.slippage)
        share = min(settings.participation or 1.0, 1.0)
        if position.volume > 0.0:
            share = min(abs(quantity) / position.volume, settings.participation or math.inf)
        moved = 1.0 + settings.impact * math.sqrt(position.variance) * math.sqrt(share)
        return position.on_tick(price * moved if side > 0.0 else price / moved, side)

    def take(self, s: int, middle: float, quote: float, size: float, volume: float) -> None:
        """Fill at the market what can be filled of an order."""
        position = self.positions[s]
        fee = position.terms.taker_fee
        part, cut = self.share(position, middle, size, volume)
        if not part:
            self.fill(s, 0.0, middle, fee, cut)
            return
        price = self.price_of(position, part, middle, quote)
        paid = self.afforded(position, part, price, fee)
        if paid != part:
            part, cut = paid, "cash"
            price = self.price_of(position, part, middle, quote) if part else price
        if position.limit is not None and part * (price - position.limit) > 0.0:
            price = position.limit
        self.fill(s, part, price, fee, cut)

    def share(
        self, position: Position, price: float, size: float, volume: float
    ) -> tuple[float, str]:
        """Return what a bar may fill of an order, and what has cut it."""
        settings, terms = self.settings, position.terms
        bounds = [(math.inf, "")]
        if settings.participation:
            bounds += [(max(settings.participation * volume - position.traded, 0.0), "market")]
            bounds += [] if math.isnan(size) else [(size, "market")]
        bounds += [(terms.largest, "market")] if terms.largest else []
        bounds += [(position.each_bar, "slice")]
        most, cut = min(bounds, key=lambda bound: bound[0])
        if abs(position.order) <= most + 1e-9 * terms.step:
            return position.order, ""
        return math.copysign(position.lot(most, price), position.order), cut

    def fill(self, s: int, part: float, price: float, rate: float, cut: str) -> None:
        """Book a part of an order; what is left of it waits, is dropped, or is no order any more."""
        position = self.positions[s]
        reason, rest = position.reason, position.order - part
        if part:
            position.traded += abs(part)
            self.book(s, part, price, rate * position.notional(part, price), reason)
        if rest and reason == "signal":
            if cut == "cash" or (cut == "market" and self.settings.excess == "drop"):
                rest = 0.0
            elif part and not math.isclose(rest, -position.quantity, rel_tol=1e-9):
                rest = math.copysign(position.lot(abs(rest), price), rest)
        position.order = rest

    def be_late(self, s: int, candle: Candle) -> None:
        position = self.positions[s]
        if not candle.in_session or self.settings.late == "hold" or position.stopping:
            return
        if self.settings.late == "flatten" and position.quantity:
            forced = position.reason in ("halt", "command")
            self.decide(s, -position.quantity, position.reason if forced else "late_flatten")
        else:
            position.order = 0.0

    def free_cash(self) -> float:
        """Return the wallet, in which contracts are worth nothing, less what isolated ones hold of it."""
        free = self.cash
        for position in self.positions:
            if position.terms.contract:
                free += position.worth
                if position.quantity:
                    unit = position.unit(position.price)
                    free -= position.gain(position.price) * unit
                    if self.settings.margin == "isolated":
                        value = position.value(position.quantity, position.entry)
                        free -= position.set_aside(position.quantity, value) * unit
        return free

    def afforded(self, position: Position, quantity: float, price: float, fee: float) -> float:
        """Return what of an order there is cash or margin for."""
        if self.settings.full and self.settings.margin == "isolated" and position.terms.contract:
            return self.margined(position, quantity, price, fee)
        terms = position.terms
        if not self.settings.full or self.settings.borrow or terms.contract or quantity < 0.0:
            return quantity
        each, free = price * (1.0 + fee), self.free_cash()
        if quantity * each <= free:
            return quantity
        return position.lot(free / each, price) if free > 1e-9 * quantity * each else 0.0

    def margined(self, position: Position, quantity: float, price: float, fee: float) -> float:
        """Return what of an order finds its margin and its fees; what it closes always does."""
        held, terms = position.quantity, position.terms
        turns = quantity * held < 0.0
        if not quantity or (turns and abs(quantity) <= abs(held)):
            return quantity
        before = position.value(held, position.entry) if held else 0.0
        closing, kept = (-held, 0.0) if turns else (0.0, before)
        free = self.free_cash() / position.unit(price) - fee * position.value(closing, price)
        if held:
            free += position.set_aside(held, before)
        if turns:
            free += position.gain(price)
        opening = quantity - closing
        side, most, below = math.copysign(1.0, opening), -math.inf, 0.0
        for tier in terms.tiers:  # margin and fees are a share of the value in each
            share = 1.0 / min(terms.leverage, tier.leverage)
            share += terms.taker_fee * (1.0 - (-side if terms.inverse else side) * share)
            value = min((free + fee * kept) / (share + fee), tier.limit)
            most = value if value > below else most
            below = tier.limit
        room = (most - kept) * price if terms.inverse else (most - kept) / price
        if room >= abs(opening):
            return quantity
        if room <= 1e-9 * abs(opening):
            return closing
        return closing + side * position.lot(room, price)

    def pay_interest(self) -> None:
        if self.settings.borrow:
            interest = max(-self.free_cash(), 0.0) * self.settings.interest
            self.cash -= interest
            self.fees += interest

    def settle(self, s: int, price: float) -> None:
        position = self.positions[s]
        position.order = 0.0
        if position.quantity:
            fee = position.terms.settlement_fee * position.notional(position.quantity, price)
            self.book(s, -position.quantity, price, fee, "settlement")
