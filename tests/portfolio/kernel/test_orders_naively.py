"""The kernel's sizes, stops and limit orders against an account written a second time, in plain Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import BarBlock
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.order_rules import Excess
from bot.portfolio.rules import LatePolicy
from bot.portfolio.trace import Phase

N = 60
CAPITAL = 10_000.0
FEE, MAKER, HALF_SPREAD, SLIPPAGE, STEP, LEAST, TICK = 0.001, 0.0002, 0.0005, 0.0003, 0.1, 0.5, 0.05
Made = Callable[..., Any]


@dataclass
class Order:
    """What is pending."""

    left: float
    why: str
    limit: float | None = None
    age: int = 0
    slice: float = math.inf


@dataclass
class Account:
    """One symbol, fixed sizes, all costs; what is asked for by name in `want`."""

    want: dict[str, Any]
    cash: float = CAPITAL
    held: float = 0.0
    entry: float = 0.0
    best: float = 0.0
    order: Order | None = None
    volume: float = 0.0
    variance: float = 0.0
    traded: float = 0.0
    banned: float = 0.0
    fills: list[tuple[int, float, float, float, str]] = field(default_factory=list)

    def bar(self, t: int, o: float, h: float, low: float, c: float, v: float, valid: bool,
            fillable: bool, signal: float) -> None:  # fmt: skip
        """Live through a bar."""
        self.traded = 0.0
        self.fresh = False
        if self.order:
            self.at_open(t, o, valid and fillable)
        if valid:
            self.inside(t, o, h, low, c, v, fillable)
        if self.order and self.order.limit is not None and (fillable or self.order.age > 0):
            self.order.age += 1
            if self.order.age == self.want["limit_bars"]:
                self.order.limit = None
                if not self.want["crosses"]:
                    self.order = None
        if valid:
            self.way_back(t, h, low, c, v)
            self.volume = v
            move = abs(c / o - 1.0)
            self.variance = 0.94 * (self.variance or move**2) + 0.06 * move**2
            self.decide(c, signal)

    def at_open(self, t: int, o: float, possible: bool) -> None:
        order = self.order
        assert order
        if not possible:
            if order.why == "signal" and self.want["late"] == LatePolicy.CANCEL:
                self.order = None
            return
        buys = order.left > 0.0
        if order.limit is not None:
            ask = o * (1 + HALF_SPREAD) if buys else o * (1 - HALF_SPREAD)
            if order.age or (ask > order.limit if buys else ask < order.limit):
                return
            if self.want["post_only"]:
                self.order = None
                return
        self.take(t, o, self.volume)

    def room(self, volume: float, price: float) -> tuple[float, bool]:
        """Return what can be filled, and whether a slice alone makes it less."""
        assert self.order
        asked = abs(self.order.left)
        most = (
            max(self.want["share"] * volume - self.traded, 0.0) if self.want["share"] else math.inf
        )
        if self.want["largest"]:
            most = min(most, self.want["largest"])
        sliced = self.order.slice < most
        most = min(most, self.order.slice)
        return (asked, True) if asked <= most else (self.lot(most, price), sliced)

    def lot(self, quantity: float, price: float) -> float:
        whole = math.floor(quantity / STEP + 1e-9) * STEP
        return whole if whole >= LEAST * (1 - 1e-9) and whole * price >= 5.0 else 0.0

    def take(self, t: int, middle: float, volume: float) -> None:
        """Fill at the market."""
        assert self.order
        part, sliced = self.room(volume, middle)
        if part:
            side = math.copysign(1.0, self.order.left)
            share = part / self.volume if self.volume > 0 else 1.0
            if self.want["share"]:
                share = min(share, self.want["share"]) if self.volume > 0 else self.want["share"]
            impact = self.want["impact"] * math.sqrt(self.variance) * math.sqrt(share)
            price = middle * (1 + side * HALF_SPREAD) * (1 + side * SLIPPAGE)
            price = self.ticked(price * (1 + impact) if side > 0 else price / (1 + impact), side)
            if self.order.limit is not None and (price - self.order.limit) * side > 0:
                price = self.order.limit
            self.fill(t, side * part, price, FEE)
        self.after(part, sliced, middle)

    def ticked(self, price: float, side: float) -> float:
        ticks = price / TICK
        return TICK * (math.ceil(ticks - 1e-6) if side > 0 else math.floor(ticks + 1e-6))

    def after(self, part: float, sliced: bool, price: float) -> None:
        order = self.order
        assert order
        order.left -= math.copysign(part, order.left)
        if abs(order.left) < STEP / 2:
            self.order = None
        elif order.why == "signal":
            closes = abs(order.left + self.held) < 1e-9
            if (self.want["excess"] == Excess.DROP and not sliced) or (
                part and not closes and self.lot(abs(order.left), price) == 0.0
            ):
                self.order = None

    def fill(self, t: int, quantity: float, price: float, fee: float) -> None:
        assert self.order
        self.cash -= quantity * price + abs(quantity) * price * fee
        after = self.held + quantity
        if abs(after) < STEP / 2:
            after = self.entry = self.best = 0.0
        elif self.held * quantity > 0:
            self.entry = (self.entry * self.held + price * quantity) / after
        elif self.held * after <= 0:
            self.entry = self.best = price
        self.held = after
        self.traded += abs(quantity)
        self.fills.append((t, quantity, price, abs(quantity) * price * fee, self.order.why))

    def inside(
        self, t: int, o: float, h: float, low: float, c: float, v: float, fillable: bool
    ) -> None:
        """Entries, stops, exits, and the stops of what was turned."""
        self.meet_limit(t, h, low, v, fillable, exits=False)
        self.stop(t, o, h, low, v)
        if self.meet_limit(t, h, low, v, fillable, exits=True):
            self.stop(t, o, h, low, v)

    def meet_limit(
        self, t: int, h: float, low: float, v: float, fillable: bool, exits: bool
    ) -> bool:
        order = self.order
        if not order or order.limit is None or not (fillable or order.age) or v == 0.0:
            return False
        if (order.left * self.held < 0) != exits:
            return False
        buys = order.left > 0
        if self.held and not exits:
            level = self.level()[0]
            if level is not None and (order.limit <= level if buys else order.limit >= level):
                return False
        if not (
            low <= order.limit - TICK * 0.999999 if buys else h >= order.limit + TICK * 0.999999
        ):
            return False
        part, sliced = self.room(v, order.limit)
        limit = order.limit
        if part:
            self.fill(t, part if buys else -part, limit, MAKER)
        self.after(part, sliced, limit)
        if part and self.held * (1 if buys else -1) > 0:
            self.fresh = True
        return bool(part)

    def level(self) -> tuple[float | None, str]:
        side = math.copysign(1.0, self.held)
        levels = []
        for name, basis in (("stop_loss", self.entry), ("trailing_stop", self.best)):
            if self.want[name]:
                levels.append((self.ticked(basis * (1 - side * self.want[name]), -side), name))
        if not levels:
            return None, ""
        return max(levels, key=lambda known: side * known[0])

    def stopping(self) -> bool:
        return self.order is not None and self.order.why != "signal"

    def stop(self, t: int, o: float, h: float, low: float, v: float) -> None:
        if not self.held or self.stopping():
            return
        up = self.held > 0
        level, why = self.level()
        if level is not None and (o <= level if up else o >= level):
            self.close(t, o, v, why)
            return
        target = self.target()
        if target is not None and (o >= target if up else o <= target):
            self.close(t, o, v, "take_profit")
            return
        far = low if up else h
        if level is not None and (far <= level if up else far >= level):
            self.close(t, level, v, why)

    def target(self) -> float | None:
        side = math.copysign(1.0, self.held)
        if not self.want["take_profit"]:
            return None
        return self.ticked(self.entry * (1 + side * self.want["take_profit"]), -side)

    def close(self, t: int, price: float, v: float, why: str) -> None:
        self.banned = math.copysign(1.0, self.held)
        self.order = Order(-self.held, why)
        if v:
            self.take(t, price, v)

    def way_back(self, t: int, h: float, low: float, c: float, v: float) -> None:
        if not self.held or self.fresh:
            return
        up = self.held > 0
        near = h if up else low
        self.best = max(self.best, near) if up else min(self.best, near)
        if self.stopping():
            return
        target = self.target()
        if target is not None and (near >= target if up else near <= target):
            self.close(t, target, v, "take_profit")
        elif self.want["trailing_stop"]:
            side = 1.0 if up else -1.0
            trail = self.ticked(self.best * (1 - side * self.want["trailing_stop"]), -side)
            if c <= trail if up else c >= trail:
                self.close(t, trail, v, "trailing_stop")

    def decide(self, c: float, signal: float) -> None:
        if math.isnan(signal) or self.stopping():
            return
        side = 0.0 if abs(signal) <= 0.001 else math.copysign(1.0, signal)
        if side * self.banned > 0:
            return
        self.banned = 0.0
        coming = self.held + (self.order.left if self.order else 0.0)
        if side == (0.0 if abs(coming) < STEP / 2 else math.copysign(1.0, coming)):
            return
        self.order = None
        aim = side * math.floor(0.5 * (self.cash + self.held * c) / c / STEP + 1e-9) * STEP
        change = round((aim - self.held) / STEP) * STEP if aim else -self.held
        if aim and (abs(change) < LEAST * (1 - 1e-9) or abs(change) * c < 5.0):
            return
        if not change:
            return
        self.order = Order(change, "signal")
        if self.want["limit"]:
            way = math.copysign(1.0, change)
            self.order.limit = self.ticked(c * (1 - way * self.want["offset"]), way)
        elif self.want["excess"] == Excess.SPLIT:
            part = self.lot(math.ceil(abs(change) / 3 / STEP - 1e-9) * STEP, c)
            self.order.slice = part or math.inf


WANTED = st.fixed_dictionaries(
    {
        "share": st.sampled_from([0.0, 0.02, 0.3]),
        "largest": st.sampled_from([0.0, 9.7]),
        "impact": st.sampled_from([0.0, 1.0]),
        "excess": st.sampled_from(list(Excess)),
        "stop_loss": st.sampled_from([0.0, 0.01, 0.04]),
        "take_profit": st.sampled_from([0.0, 0.02]),
        "trailing_stop": st.sampled_from([0.0, 0.015]),
        "limit": st.booleans(),
        "offset": st.sampled_from([-0.002, 0.0, 0.003]),
        "post_only": st.booleans(),
        "limit_bars": st.sampled_from([1, 3]),
        "crosses": st.booleans(),
        "late": st.sampled_from([LatePolicy.HOLD, LatePolicy.CANCEL]),
    }
).filter(lambda want: not (want["limit"] and want["excess"] == Excess.SPLIT))


def random_bars(bars_of: Made, seed: int) -> tuple[BarBlock, Any]:
    """Prices with gaps, on the tick; volumes of which orders are a large part; holes and late bars."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.012, N)))
    opened = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0.0, 0.004, N))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0.0, 0.006, N)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0.0, 0.006, N)))
    volume = np.where(rng.random(N) < 0.1, 0.0, rng.lognormal(6.0, 1.5, N))
    whole = rng.random(N) > 0.08
    bars = bars_of(
        opened, close, high=high, low=low, volume=volume, valid=whole,
        fillable=whole & (volume > 0.0) & (rng.random(N) > 0.1),
    )  # fmt: skip
    turns = np.where(rng.random(N) < 0.4, rng.choice([-1.0, 0.0, 1.0], N), np.nan)
    return bars, turns


def rules_and_full(want: dict[str, Any], rules_of: Made, orders_of: Made, full_of: Made) -> Any:
    rules = rules_of(
        taker_fee=FEE, half_spread=HALF_SPREAD, slippage=SLIPPAGE, quantity_step=STEP,
        min_quantity=LEAST, min_notional=5.0, late_policy=int(want["late"]),
    )  # fmt: skip
    orders = orders_of(
        tick=TICK, max_market=want["largest"], max_limit=want["largest"],
        max_participation=want["share"], excess=int(want["excess"]), split_bars=3,
        impact=want["impact"], stop_loss=want["stop_loss"], take_profit=want["take_profit"],
        trailing_stop=want["trailing_stop"], is_limit=want["limit"], limit_offset=want["offset"],
        post_only=want["post_only"], limit_bars=want["limit_bars"], crosses=want["crosses"],
        maker_fee=MAKER,
    )  # fmt: skip
    return rules._replace(full=full_of(orders))


@settings(max_examples=200, deadline=None)
@given(WANTED, st.integers(0, 10_000))
def test_every_fill_is_that_of_the_plain_account(
    bars_of: Made, rules_of: Made, orders_of: Made, full_of: Made, fills_of: Made,
    want: dict[str, Any], seed: int,
) -> None:  # fmt: skip
    bars, signal = random_bars(bars_of, seed)
    naive = Account(want)
    columns = [bars.open, bars.high, bars.low, bars.close, bars.volume, bars.valid, bars.fillable]
    for t in range(N):
        o, h, low, c, v, valid, fillable = (column[t, 0].item() for column in columns)
        naive.bar(t, o, h, low, c, v, valid, fillable, float(signal[t]))
    rules = rules_and_full(want, rules_of, orders_of, full_of)
    lone = signal[:, None]
    _, trace = run_bars(
        new_book(1, CAPITAL), rules, bars, lone, np.full_like(lone, 0.01), Phase.BOTH
    )
    found = fills_of(trace, bars)
    assert [(f[0], f[3]) for f in found] == [(f[0], f[4]) for f in naive.fills]
    assert [f[1] for f in found] == pytest.approx([f[1] for f in naive.fills], abs=1e-9)
    assert [f[2] for f in found] == pytest.approx([f[2] for f in naive.fills], rel=1e-12)
    assert trace.fills["fee"].tolist() == pytest.approx([f[3] for f in naive.fills], rel=1e-9)
    assert trace.cash[-1] == pytest.approx(naive.cash, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(WANTED, st.integers(0, 10_000), st.lists(st.integers(1, N - 1), max_size=5))
def test_any_partition_gives_the_same_bits(
    bars_of: Made, rules_of: Made, orders_of: Made, full_of: Made, want: dict[str, Any], seed: int,
    cuts: list[int],
) -> None:  # fmt: skip
    bars, signal = random_bars(bars_of, seed)
    rules = rules_and_full(want, rules_of, orders_of, full_of)
    lone = signal[:, None]
    volatility = np.full_like(lone, 0.01)
    whole, trace = run_bars(new_book(1, CAPITAL), rules, bars, lone, volatility, Phase.BOTH)
    book, fills = new_book(1, CAPITAL), []
    places = sorted({0, *cuts, N})
    for start, stop in itertools.pairwise(places):
        apart = stop == start + 1
        for phase in (Phase.OPEN, Phase.CLOSE) if apart else (Phase.BOTH,):
            at = slice(start, stop)
            part = bars.rows(start, stop)
            book, told = run_bars(book, rules, part, lone[at], volatility[at], phase)
            fills.append(told.fills)
    assert np.concatenate(fills).tobytes() == trace.fills.tobytes()
    for name in Book._fields:
        assert getattr(book, name).tobytes() == getattr(whole, name).tobytes(), name
