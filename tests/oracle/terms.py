"""What the plain account is told: bars, the terms of a symbol and the settings; and what it holds.

Must not know of the account as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

NAN = math.nan
STOPS = ("stop_loss", "take_profit", "trailing_stop")


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
    inverse: bool = False
    funding: bool = True
    step: float = 0.0
    min_quantity: float = 0.0
    min_notional: float = 0.0
    leverage: float = 1.0
    tiers: Sequence[Tier] = (Tier(math.inf, 0.005, 0.0, 100.0),)
    settlement_fee: float = 0.0
    tick: float = 0.0
    largest: float = 0.0
    maker_fee: float = 0.0


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
    participation: float = 0.0
    impact: float = 0.0
    excess: str = "wait"
    split_bars: int = 1
    stop_loss: float = 0.0
    take_profit: float = 0.0
    trailing_stop: float = 0.0
    limit_orders: bool = False
    limit_offset: float = 0.0
    post_only: bool = False
    limit_bars: int = 1
    crosses: bool = False
    optimistic: bool = False


@dataclass
class Position:
    """What is held and what is on order of a symbol."""

    terms: Terms
    quantity: float = 0.0
    coin: float = 0.0
    entry: float = 0.0
    price: float = NAN
    order: float = 0.0
    reason: str = ""
    best: float = 0.0
    volume: float = 0.0
    variance: float = 0.0
    traded: float = 0.0
    each_bar: float = math.inf
    limit: float | None = None
    age: int = 0

    @property
    def side(self) -> float:
        return math.copysign(1.0, self.quantity) if self.quantity else 0.0

    @property
    def worth(self) -> float:
        """Return what is held in the quote currency: an inverse contract owes one unit of it."""
        if self.terms.inverse:
            return self.coin * self.price - self.quantity if self.coin or self.quantity else 0.0
        return self.quantity * self.price if self.quantity else 0.0

    def notional(self, quantity: float, price: float) -> float:
        """Return the value of a quantity in the quote currency, without its sign."""
        return abs(quantity) if self.terms.inverse else abs(quantity) * price

    def value(self, quantity: float, price: float) -> float:
        """Return it in what margin is in: the coin of an inverse contract."""
        return abs(quantity) / price if self.terms.inverse else abs(quantity) * price

    def unit(self, price: float) -> float:
        """Return what one of that is in the quote currency."""
        return price if self.terms.inverse else 1.0

    def gain(self, price: float) -> float:
        """Return the profit of what is held, in the same."""
        if self.terms.inverse:
            return self.quantity / self.entry - self.quantity / price
        return self.quantity * (price - self.entry)

    def pay(self, amount: float, price: float) -> float:
        """Take an amount of the quote currency from the coins, if there are such; return what cash pays."""
        if self.terms.inverse:
            self.coin -= amount / price
            return 0.0
        return amount

    def change(self, quantity: float, price: float) -> None:
        """Take a fill in: the entry is the average of what was added on the side that is held."""
        after = self.quantity + quantity
        if abs(after) <= 1e-12 * abs(quantity):
            after = self.entry = self.best = 0.0
        elif after * self.quantity <= 0.0:
            self.entry = self.best = price
        elif abs(after) > abs(self.quantity):
            if self.terms.inverse:  # as many contracts buy as many coins
                self.entry = after / (self.quantity / self.entry + quantity / price)
            else:
                self.entry += (price - self.entry) * quantity / after
        self.quantity = after

    @property
    def stopping(self) -> bool:
        """Tell whether the rest of a stop is still on order."""
        return bool(self.order) and self.reason in STOPS

    def on_tick(self, price: float, side: float) -> float:
        """Return the price on the tick: bought higher, sold lower."""
        tick = self.terms.tick
        if not tick:
            return price
        ticks = price / tick
        whole = math.ceil(ticks - 1e-6) if side > 0.0 else math.floor(ticks + 1e-6)
        return max(whole, 1) * tick

    def learn(self, candle: Candle) -> None:
        """Take in the volume of a bar that has closed, and the variance of its return."""
        if not math.isnan(candle.volume):
            self.volume = candle.volume
        move = min(abs(candle.close / candle.open - 1.0), 1.0) ** 2
        self.variance = 0.94 * (self.variance or move) + 0.06 * move

    def tier(self, value: float) -> Tier:
        return next(tier for tier in self.terms.tiers if value <= tier.limit)

    def initial_margin(self, value: float) -> float:
        return value / min(self.terms.leverage, self.tier(value).leverage)

    def set_aside(self, side: float, value: float) -> float:
        """Return an isolated position's margin, with the fee for closing it where that is lost."""
        margin = self.initial_margin(value)
        lost = math.copysign(margin, -side if self.terms.inverse else side)
        return margin + self.terms.taker_fee * (value - lost)

    def maintenance_margin(self, value: float) -> float:
        return self.tier(value).rate * value - self.tier(value).deduction

    def lot(self, quantity: float, price: float) -> float:
        """Return what of a quantity the exchange takes as an order."""
        terms = self.terms
        if terms.step:
            quantity = math.floor(quantity / terms.step + 1e-9) * terms.step
        small = quantity < terms.min_quantity * (1.0 - 1e-9)
        return 0.0 if small or self.notional(quantity, price) < terms.min_notional else quantity


@dataclass
class Fill:
    """A change of a position."""

    symbol: int
    quantity: float
    price: float
    fee: float
    reason: str
