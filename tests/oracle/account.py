"""An account kept a second time, in plain Python: what the compiled one must come to.

Owns fills, costs, funding, margin, settlement and cash, written from the rules and not from the kernel's
code, of which it imports nothing. What is decided is given to it; what becomes of that it works out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

NAN = math.nan


@dataclass(frozen=True)
class Candle:
    """A bar of one symbol; NaN where a price is not known."""

    open: float
    high: float
    low: float
    close: float
    valid: bool
    fillable: bool
    in_session: bool = True
    tradable: bool = True
    volume: float = NAN
    fill_bid: float = NAN
    fill_ask: float = NAN
    bid_size: float = NAN
    ask_size: float = NAN
    funding_rate: float = 0.0
    mark: float = NAN
    mark_low: float = NAN
    mark_high: float = NAN
    funding_inside: float = 0.0
    settlement_price: float = NAN


@dataclass(frozen=True)
class Tier:
    """Of maintenance margin: up to which value, the rate, what is deducted, the largest leverage."""

    limit: float
    rate: float
    deduction: float
    leverage: float


@dataclass(frozen=True)
class Terms:
    """Of one symbol."""

    taker_fee: float
    contract: bool = True
    funding: bool = True
    step: float = 0.0
    min_quantity: float = 0.0
    min_notional: float = 0.0
    leverage: float = 1.0
    tiers: Sequence[Tier] = (Tier(math.inf, 0.005, 0.0, 100.0),)
    settlement_fee: float = 0.0


@dataclass(frozen=True)
class Settings:
    """Of the account; without `full` nothing is asked for margin, cash or size."""

    half_spread: float = 0.0
    slippage: float = 0.0
    at_close: bool = False
    late: str = "hold"
    full: bool = False
    margin: str = "none"
    borrow: bool = False
    interest: float = 0.0


@dataclass
class Position:
    """What is held and what is on order of a symbol."""

    terms: Terms
    quantity: float = 0.0
    entry: float = 0.0
    price: float = NAN
    order: float = 0.0
    reason: str = ""

    @property
    def side(self) -> float:
        return math.copysign(1.0, self.quantity) if self.quantity else 0.0

    def change(self, quantity: float, price: float) -> None:
        """Take a fill in: the entry is the average of what was added on the side that is held."""
        after = self.quantity + quantity
        if abs(after) <= 1e-12 * abs(quantity):
            after = self.entry = 0.0
        elif after * self.quantity <= 0.0:
            self.entry = price
        elif abs(after) > abs(self.quantity):
            self.entry += (price - self.entry) * quantity / after
        self.quantity = after

    def tier(self, value: float) -> Tier:
        return next(tier for tier in self.terms.tiers if value <= tier.limit)

    def initial_margin(self, value: float) -> float:
        return value / min(self.terms.leverage, self.tier(value).leverage)

    def maintenance_margin(self, value: float) -> float:
        return self.tier(value).rate * value - self.tier(value).deduction

    def lot(self, quantity: float, price: float) -> float:
        """Return what of a quantity the exchange takes as an order."""
        terms = self.terms
        if terms.step:
            quantity = math.floor(quantity / terms.step + 1e-9) * terms.step
        small = quantity < terms.min_quantity * (1.0 - 1e-9)
        return 0.0 if small or quantity * price < terms.min_notional else quantity


@dataclass
class Fill:
    """A change of a position."""

    symbol: int
    quantity: float
    price: float
    fee: float
    reason: str


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
        return self.cash + sum(p.quantity * p.price for p in self.positions if p.quantity)

    def begin(self, bar: Sequence[Candle]) -> None:
        """Pay what funding is due at the open, and fill what is on order."""
        self.fees = self.funding = 0.0
        self.fills = []
        for position, candle in zip(self.positions, bar, strict=True):
            due = position.quantity * self.mark(position, candle) * candle.funding_rate
            if position.quantity and position.terms.funding and not math.isnan(due):
                self.pay_funding(due)
        if self.settings.at_close:
            return
        lowers = [p.order * p.quantity < 0.0 for p in self.positions]
        for first in (True, False):  # what is sold pays for what is bought
            for s, candle in enumerate(bar):
                if self.positions[s].order and lowers[s] is first:
                    self.trade(s, candle)

    def end(self, bar: Sequence[Candle]) -> None:
        """Go through the bar to its close."""
        if self.settings.full:
            self.pay_interest()
            if self.settings.margin == "isolated":
                for s, candle in enumerate(bar):
                    self.liquidate_isolated(s, candle)
            elif self.settings.margin == "cross":
                self.liquidate_cross(bar)
        for s, candle in enumerate(bar):
            position = self.positions[s]
            if position.quantity and position.terms.funding:
                self.pay_funding(position.quantity * candle.funding_inside)
            if self.settings.full and not math.isnan(candle.settlement_price):
                self.settle(s, candle.settlement_price)
            if candle.valid:
                position.price = candle.close
            if self.settings.at_close and position.order:
                self.trade(s, candle)

    def decide(self, s: int, quantity: float, reason: str) -> None:
        """Let an order stand instead of the one that did; 0 is none."""
        self.positions[s].order = quantity
        self.positions[s].reason = reason

    def mark(self, position: Position, candle: Candle) -> float:
        """Return the mark price at the open, or what stands in for it."""
        if not math.isnan(candle.mark):
            return candle.mark
        return candle.open if candle.valid else position.price

    def pay_funding(self, due: float) -> None:
        self.cash -= due
        self.funding += due

    def book(self, s: int, quantity: float, price: float, fee: float, reason: str) -> None:
        self.cash -= quantity * price
        self.cash -= fee
        self.fees += fee
        self.positions[s].change(quantity, price)
        self.fills.append(Fill(s, quantity, price, fee, reason))

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
        side = math.copysign(1.0, position.order)
        met = middle * (1.0 + side * settings.half_spread)
        if quoted:
            met = candle.fill_ask if side > 0.0 else candle.fill_bid
        price = met * (1.0 + side * settings.slippage)
        quantity, reason = self.afforded(position, position.order, price), position.reason
        position.order = 0.0
        if quantity:
            self.book(s, quantity, price, position.terms.taker_fee * abs(quantity) * price, reason)

    def be_late(self, s: int, candle: Candle) -> None:
        position = self.positions[s]
        if not candle.in_session or self.settings.late == "hold":
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
                value = position.quantity * position.entry
                free += value
                if self.settings.margin == "isolated":
                    free -= position.initial_margin(abs(value))
        return free

    def afforded(self, position: Position, quantity: float, price: float) -> float:
        """Return what of an order there is cash for."""
        terms = position.terms
        if not self.settings.full or self.settings.borrow or terms.contract or quantity < 0.0:
            return quantity
        each, free = price * (1.0 + terms.taker_fee), max(self.free_cash(), 0.0)
        return quantity if quantity * each <= free else position.lot(free / each, price)

    def pay_interest(self) -> None:
        if self.settings.borrow:
            interest = max(-self.free_cash(), 0.0) * self.settings.interest
            self.cash -= interest
            self.fees += interest

    def settle(self, s: int, price: float) -> None:
        position = self.positions[s]
        position.order = 0.0
        if position.quantity:
            fee = position.terms.settlement_fee * abs(position.quantity) * price
            self.book(s, -position.quantity, price, fee, "settlement")

    def ends_of_path(self, position: Position, candle: Candle) -> tuple[float, float]:
        """Return the mark at the open, and the worst of the bar."""
        start = self.mark(position, candle)
        worst, of_bar = candle.mark_low, candle.low
        if position.quantity < 0.0:
            worst, of_bar = candle.mark_high, candle.high
        if math.isnan(worst):
            worst = of_bar if candle.valid else start
        return start, position.side * min(position.side * start, position.side * worst)

    def liquidate_isolated(self, s: int, candle: Candle) -> None:
        """Take a position over at the mark at which no more than its maintenance is left of its margin."""
        position = self.positions[s]
        if not position.quantity or not position.terms.contract:
            return
        value, size = abs(position.quantity) * position.entry, abs(position.quantity)
        margin = position.initial_margin(value)
        reach = (margin - position.maintenance_margin(value)) / size
        taken_at = position.entry - position.side * reach
        start, worst = self.ends_of_path(position, candle)
        if position.side * (worst - taken_at) > 0.0:
            return
        if position.side * (start - taken_at) < 0.0:
            taken_at = start
        bankrupt_at = position.entry - position.side * margin / size
        closing = position.terms.taker_fee * size * bankrupt_at
        left = margin + position.quantity * (taken_at - position.entry)
        position.order = 0.0
        self.book(s, -position.quantity, taken_at, left + closing, "liquidation")

    def liquidate_cross(self, bar: Sequence[Candle]) -> None:
        """Close everything at the marks at which the account has no more than its maintenance margin."""
        ends = [self.ends_of_path(p, c) for p, c in zip(self.positions, bar, strict=True)]
        held = [s for s, position in enumerate(self.positions) if position.quantity]
        on_margin = [s for s in held if self.positions[s].terms.contract or self.settings.borrow]

        def at(s: int, way: float) -> float:
            return ends[s][0] + way * (ends[s][1] - ends[s][0])

        def beyond(way: float) -> float:
            left = self.cash + sum(self.positions[s].quantity * at(s, way) for s in held)
            for s in on_margin:
                value = abs(self.positions[s].quantity) * at(s, way)
                left -= self.positions[s].maintenance_margin(value)
                left -= value * self.positions[s].terms.taker_fee
            return left

        if not on_margin or beyond(1.0) > 0.0:
            return
        near, far = 0.0, 1.0 if beyond(0.0) > 0.0 else 0.0
        while far - near > 1e-15:
            middle = (near + far) / 2.0
            near, far = (middle, far) if beyond(middle) > 0.0 else (near, middle)
        for s in held:
            self.book(s, -self.positions[s].quantity, at(s, far), 0.0, "liquidation")
        self.fees += self.cash
        self.cash = 0.0
        for position in self.positions:
            position.order = 0.0
