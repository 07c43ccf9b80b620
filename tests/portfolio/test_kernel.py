"""The kernel against a second broker, slow and plain, written from the words of the design.

The naive one keeps Python objects in lists and works everything out anew at each bar.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import F64, BarBlock
from bot.portfolio.book import new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.ledger import LedgerHash, check_books
from bot.portfolio.reasons import FillReason, Refusal
from bot.portfolio.rules import FillAt, LatePolicy, Rules, SizingMethod
from bot.portfolio.trace import Phase, Trace, joined

DAY_MS = 86_400_000
OF_SYMBOL = (SizingMethod.FIXED, SizingMethod.PROPORTIONAL)
"""The others are tried beside independent calculations in `sizings`."""


@dataclass
class Order:
    quantity: float
    weight: float
    reason: FillReason


@dataclass
class NaiveBroker:
    rules: Rules
    cash: float
    held: list[float]
    orders: list[Order | None] = field(default_factory=list)
    marks: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    closes: list[tuple[int, float]] = field(default_factory=list)  # (day, equity)
    halted: str = ""
    fills: list[dict[str, Any]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = len(self.held)
        self.orders = [None] * count
        self.marks = [math.nan] * count
        self.weights = [0.0] * count
        self.closes = [(-1, self.cash)]

    def run(self, bars: BarBlock, signal: F64, volatility: F64, agreement: F64) -> None:
        self.agreement = agreement
        for i in range(len(bars)):
            self.row: dict[str, Any] = {
                "fees": 0.0, "spread": 0.0, "slippage": 0.0, "funding": 0.0, "unknown": 0,
                "refusal": [Refusal.NONE] * len(self.held), "order": [0.0] * len(self.held),
                "weight": [math.nan] * len(self.held),
            }  # fmt: skip
            self.bars, self.i = bars, i
            self.time = int(bars.open_time[i])
            for s in range(len(self.held)):
                self.pay_funding(s)
            if self.rules.fill_at == FillAt.NEXT_OPEN:
                self.meet_orders(at_open=True)
            for s in range(len(self.held)):
                self.pay_inside(s)
                if bars.valid[i, s]:
                    self.marks[s] = float(bars.close[i, s])
            if self.rules.reference:
                self.settle_reference()
            elif self.rules.fill_at == FillAt.NEXT_CLOSE:
                self.meet_orders(at_open=False)
            self.close(signal[i], volatility[i])
            self.row |= {"cash": self.cash, "equity": self.equity(), "quantity": list(self.held)}
            self.rows.append(self.row)

    def equity(self) -> float:
        return self.cash + sum(
            q * m for q, m in zip(self.held, self.marks, strict=True) if q != 0.0
        )

    def pay_funding(self, s: int) -> None:
        rate = float(self.bars.funding_rate[self.i, s])
        if self.held[s] == 0.0 or not self.rules.funding[s]:
            return
        if math.isnan(rate):
            self.row["unknown"] += 1
            return
        price = float(self.bars.mark[self.i, s])
        if math.isnan(price):
            valid = self.bars.valid[self.i, s]
            price = float(self.bars.open[self.i, s]) if valid else self.marks[s]
        self.cash -= self.held[s] * price * rate
        self.row["funding"] += self.held[s] * price * rate

    def pay_inside(self, s: int) -> None:
        if self.held[s] != 0.0 and self.rules.funding[s]:
            paid = self.held[s] * float(self.bars.funding_inside[self.i, s])
            self.cash -= paid
            self.row["funding"] += paid
            self.row["unknown"] += int(self.bars.funding_inside_unknown[self.i, s])

    def meet_orders(self, *, at_open: bool) -> None:
        for s, order in enumerate(self.orders):
            if order is None:
                continue
            prices = self.price_of(s, buys=order.quantity > 0, at_open=at_open)
            if prices is not None:
                self.orders[s] = None
                self.trade(s, order, *prices)
            elif self.bars.in_session[self.i, s]:
                self.late(s, order)

    def price_of(self, s: int, *, buys: bool, at_open: bool) -> tuple[float, float] | None:
        """Return the middle and the price before slippage, None where there is no fill."""
        bars, i = self.bars, self.i
        if not bars.fillable[i, s]:
            return None
        sign = 1 if buys else -1
        if not at_open:
            if not (bars.valid[i, s] and bars.tradable[i]):
                return None
            close = float(bars.close[i, s])
            return close, close + sign * self.rules.half_spread * close
        bid, ask = float(bars.fill_bid[i, s]), float(bars.fill_ask[i, s])
        both = not math.isnan(bid) and not math.isnan(ask)
        if not bars.valid[i, s] and not both:
            return None
        middle = (bid + ask) / 2 if both else float(bars.open[i, s])
        mine = ask if buys else bid
        if math.isnan(mine):
            mine = middle + sign * self.rules.half_spread * middle
        return middle, mine

    def trade(self, s: int, order: Order, middle: float, reference: float) -> None:
        slip = self.rules.slippage * reference * (1 if order.quantity > 0 else -1)
        price = reference + slip
        fee = float(self.rules.taker_fee[s]) * abs(order.quantity) * price
        self.weights[s] = order.weight
        self.book(
            s, order.quantity, price, fee,
            (reference - middle) * order.quantity, slip * order.quantity, order.reason,
        )  # fmt: skip

    def book(
        self, s: int, quantity: float, price: float, fee: float, spread: float, slippage: float,
        reason: FillReason,
    ) -> None:  # fmt: skip
        self.cash -= quantity * price
        self.cash -= fee
        self.held[s] += quantity
        self.row["fees"] += fee
        self.row["spread"] += spread
        self.row["slippage"] += slippage
        self.fills.append(
            {
                "open_time": self.time, "symbol": s, "quantity": quantity, "price": price,
                "fee": fee, "spread": spread, "slippage": slippage, "reason": reason,
            }
        )  # fmt: skip

    def late(self, s: int, order: Order) -> None:
        policy = self.rules.late_policy
        if policy == LatePolicy.CANCEL or (policy == LatePolicy.FLATTEN and self.held[s] == 0.0):
            self.orders[s] = None
            self.row["refusal"][s] = Refusal.LATE_CANCELLED
        elif policy == LatePolicy.FLATTEN:
            halt = order.reason == FillReason.HALT
            reason = FillReason.HALT if halt else FillReason.LATE_FLATTEN
            self.orders[s] = Order(-self.held[s], 0.0, reason)

    def settle_reference(self) -> None:
        if not self.bars.valid[self.i, 0]:
            return
        equity, price, order = max(self.equity(), 0.0), self.marks[0], self.orders[0]
        fee, reason = 0.0, FillReason.RESCALE
        if order is not None:
            fee, reason = float(self.rules.taker_fee[0]) * equity, order.reason
            self.weights[0], self.orders[0] = order.weight, None
        aim = self.weights[0] * (equity - fee) / price
        if order is not None or abs(aim - self.held[0]) > 1e-12 * abs(aim):
            self.book(0, aim - self.held[0], price, fee, 0.0, 0.0, reason)

    def close(self, signal: F64, volatility: F64) -> None:
        equity, day = self.equity(), self.time // DAY_MS
        before = [e for d, e in self.closes if d != day][-1]
        self.closes.append((day, equity))
        peak = max(e for _, e in self.closes)
        self.halted = "" if self.halted == "day" and self.closes[-2][0] != day else self.halted
        if equity <= 0.0:
            self.halted = "bankrupt"
        elif self.halted != "bankrupt":
            if self.rules.max_drawdown and equity <= peak * (1.0 - self.rules.max_drawdown):
                self.halted = "drawdown"
            elif self.rules.max_daily_loss and equity <= before * (1.0 - self.rules.max_daily_loss):
                self.halted = self.halted or "day"
        if self.halted:
            self.obey_halt(signal)
        elif self.bars.tradable[self.i]:
            self.decide(equity, signal, volatility)

    def obey_halt(self, signal: F64) -> None:
        for s, order in enumerate(self.orders):
            standing = order is not None and order.reason == FillReason.HALT
            if not standing:
                self.orders[s] = None
            if not self.bars.tradable[self.i]:
                continue
            if self.bars.valid[self.i, s] and abs(signal[s]) > self.rules.threshold:
                self.row["refusal"][s] = Refusal[f"HALTED_{self.halted.upper()}"]
            if self.held[s] != 0.0:
                self.row["weight"][s] = 0.0
                if not standing:
                    self.orders[s] = Order(-self.held[s], 0.0, FillReason.HALT)
                    self.row["order"][s] = -self.held[s]

    def decide(self, equity: float, signal: F64, volatility: F64) -> None:
        aims: dict[int, float] = {}
        for s in range(len(self.held)):
            if not self.bars.valid[self.i, s] or math.isnan(signal[s]):
                continue
            weight = self.weigh(s, float(signal[s]), float(volatility[s]))
            if weight is None:
                continue
            self.row["weight"][s] = weight
            if self.worth(s, weight, equity):
                aims[s] = weight * equity / self.marks[s]
        self.cap_gross(aims, equity)
        for s, aim in aims.items():
            self.place(s, aim)

    def weigh(self, s: int, signal: float, volatility: float) -> float | None:
        r = self.rules
        if -r.threshold <= signal <= r.threshold:
            return 0.0
        if signal < 0 and not r.allow_short[s]:
            self.row["refusal"][s] = Refusal.SHORT_NOT_ALLOWED
            return 0.0
        if r.method == SizingMethod.FIXED:
            weight = r.fraction if signal > 0 else -r.fraction
        else:
            if math.isnan(volatility) or volatility <= 0.0:
                self.row["refusal"][s] = Refusal.NO_VOLATILITY
                return None
            weight = max(-r.max_weight, min(r.max_weight, r.scale * signal / volatility))
        if r.disagreement_penalty:
            weight *= float(self.agreement[self.i, s])
        if r.max_symbol_weight and abs(weight) > r.max_symbol_weight:
            self.row["refusal"][s] = Refusal.CAP_SYMBOL
            weight = r.max_symbol_weight if weight > 0 else -r.max_symbol_weight
        return weight

    def projected(self, s: int) -> float:
        order = self.orders[s]
        return self.held[s] + (order.quantity if order is not None else 0.0)

    def worth(self, s: int, weight: float, equity: float) -> bool:
        now = self.projected(s)
        if self.rules.method == SizingMethod.FIXED:
            return (weight > 0) - (weight < 0) != (now > 0) - (now < 0)
        if weight == 0.0:
            return now != 0.0
        return abs(weight - now * self.marks[s] / equity) > self.rules.band

    def cap_gross(self, aims: dict[int, float], equity: float) -> None:
        if not self.rules.max_gross or not aims:
            return
        kept = {}
        for s, aim in aims.items():
            same_side = aim * self.held[s] > 0
            kept[s] = min(abs(aim), abs(self.held[s])) * (1 if aim > 0 else -1) * same_side
        gross = sum(abs(kept[s]) * self.marks[s] for s in aims)
        gross += sum(
            abs(self.projected(s)) * self.marks[s]
            for s in range(len(self.held))
            if s not in aims and self.projected(s) != 0.0
        )
        more = sum(abs(aims[s] - kept[s]) * self.marks[s] for s in aims)
        room = max(0.0, self.rules.max_gross * equity - gross)
        if more > room:
            for s, aim in aims.items():
                if aim != kept[s]:
                    aims[s] = kept[s] + (aim - kept[s]) * (room / more)
                    self.row["weight"][s] = aims[s] * self.marks[s] / equity
                    self.row["refusal"][s] = Refusal.CAP_GROSS

    def place(self, s: int, aim: float) -> None:
        r = self.rules
        self.orders[s] = None
        step = float(r.quantity_step[s])
        order, rounded = aim - self.held[s], aim
        if step:
            steps = math.trunc(
                Fraction(aim) / Fraction(step) + Fraction(1, 10**9) * (1 if aim > 0 else -1)
            )
            rounded = steps * step
            order = (steps - round(self.held[s] / step)) * step
        if rounded == 0.0:
            order = -self.held[s]
            if aim != 0.0:
                self.row["refusal"][s] = Refusal.STEP_ROUNDS_TO_ZERO
        elif order == 0.0:
            if aim != self.held[s]:
                self.row["refusal"][s] = Refusal.STEP_ROUNDS_TO_ZERO
        elif abs(order) < r.min_quantity[s] * (1 - 1e-9):
            self.row["refusal"][s] = Refusal.MIN_QUANTITY
            return
        elif abs(order) * self.marks[s] < r.min_notional[s]:
            self.row["refusal"][s] = Refusal.MIN_NOTIONAL
            return
        if order != 0.0:
            self.orders[s] = Order(order, self.row["weight"][s], FillReason.SIGNAL)
            self.row["order"][s] = order


CAPITAL = 1000.0
HOUR_MS = 3_600_000


@dataclass
class Case:
    rules: Rules
    bars: BarBlock
    signal: F64
    volatility: F64
    agreement: F64


@st.composite
def cases(draw: st.DrawFn, make_rules: Callable[..., Rules]) -> Case:
    """Draw a market with every fault, and rules with every knob."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_symbols = draw(st.integers(1, 4))
    reference = n_symbols == 1 and draw(st.integers(0, 4)) == 0
    cost = 0.0 if reference else 1.0
    fill_at = FillAt.NEXT_CLOSE if reference else draw(st.sampled_from(FillAt))
    method = SizingMethod.FIXED if reference else draw(st.sampled_from(OF_SYMBOL))
    off_or = st.sampled_from([0.0, 0.01, 0.05, 0.2])
    rules = make_rules(
        n_symbols,
        method=method,
        fraction=draw(st.sampled_from([0.3, 1.0, 2.5])),
        scale=draw(st.sampled_from([0.1, 0.5])),
        max_weight=draw(st.sampled_from([0.4, 1.5])),
        band=draw(st.sampled_from([0.0, 0.05, 0.3])),
        disagreement_penalty=draw(st.sampled_from([0.0, 1.0])),
        max_symbol_weight=cost * draw(st.sampled_from([0.0, 0.45, 1.0])),
        max_gross=cost * draw(st.sampled_from([0.0, 0.7, 1.5])),
        max_daily_loss=cost * draw(off_or),
        max_drawdown=cost * draw(st.sampled_from([0.0, 0.0, 0.3, 0.6])),
        half_spread=cost * draw(st.sampled_from([0.0, 1e-4, 2e-3])),
        slippage=cost * draw(st.sampled_from([0.0, 1e-4, 3e-3])),
        reference=reference,
        fill_at=fill_at,
        late_policy=draw(st.sampled_from(LatePolicy)),
        allow_short=rng.random(n_symbols) < 0.7,
        funding=cost * (rng.random(n_symbols) < 0.7),
        taker_fee=rng.choice([0.0, 0.001], n_symbols),
        quantity_step=cost * rng.choice([0.0, 0.1, 0.25, 3.0], n_symbols),
        min_quantity=cost * rng.choice([0.0, 0.5], n_symbols),
        min_notional=cost * rng.choice([0.0, 5.0, 60.0], n_symbols),
    )
    return _market(rng, rules, draw(st.integers(1, 60)), n_symbols)


def _market(rng: np.random.Generator, rules: Rules, n: int, n_symbols: int) -> Case:
    shape = (n, n_symbols)

    def holes(array: F64, share: float) -> F64:
        return np.where(rng.random(shape) < share, np.nan, array)

    close = 50.0 * np.exp(np.cumsum(0.04 * rng.standard_normal(shape), axis=0))
    open_ = close * np.exp(0.01 * rng.standard_normal(shape))
    in_session = rng.random(shape) < 0.95
    valid = (rng.random(shape) < 0.9) & in_session
    quotes = rng.random(shape) < 0.4
    bars = BarBlock(
        open_time=(np.cumsum(rng.integers(1, 8, n)) * HOUR_MS).astype(np.int64),
        open=np.where(valid, open_, np.nan),
        high=np.where(valid, np.maximum(open_, close), np.nan),
        low=np.where(valid, np.minimum(open_, close), np.nan),
        close=np.where(valid, close, np.nan),
        volume=np.where(valid, 1.0, np.nan),
        turnover=np.full(shape, np.nan),
        valid=valid,
        in_session=in_session,
        tradable=rng.random(n) < 0.9,
        fillable=rng.random(shape) < 0.85,
        fill_bid=holes(np.where(quotes, open_ * 0.999, np.nan), 0.2),
        fill_ask=holes(np.where(quotes, open_ * 1.002, np.nan), 0.2),
        funding_rate=holes(np.where(rng.random(shape) < 0.3, 0.002, 0.0), 0.1),
        mark=holes(open_ * 1.001, 0.3),
        funding_inside=np.where(rng.random(shape) < 0.3, 0.003 * open_, 0.0),
        funding_inside_unknown=rng.choice([0.0, 1.0, 2.0], shape, p=[0.8, 0.1, 0.1]),
        refused=np.full(shape, np.nan),
        mark_high=np.full(shape, np.nan),
        mark_low=np.full(shape, np.nan),
        bid_size=np.full(shape, np.nan),
        ask_size=np.full(shape, np.nan),
        leaving=np.zeros(shape, dtype=np.bool_),
        settlement_price=np.full(shape, np.nan),
        realised_variance=np.full(shape, np.nan),
    )
    signal = holes(rng.choice([-0.02, -0.001, 0.0, 0.0005, 0.001, 0.0015, 0.02], shape), 0.1)
    volatility = holes(rng.choice([0.0, 0.01, 0.02], shape, p=[0.1, 0.5, 0.4]), 0.05)
    agreement = rng.choice([0.0, 0.4, 1.0], shape, p=[0.1, 0.5, 0.4])
    return Case(rules, bars, signal, volatility, agreement)


def run_blocks(case: Case, sizes: list[int], *, apart: bool) -> tuple[list[Trace], str]:
    """Run the case in blocks of the given sizes, single bars possibly as open and close apart."""
    book = new_book(case.bars.n_symbols, CAPITAL)
    ledger = LedgerHash([f"S{s}" for s in range(case.bars.n_symbols)])
    traces = []
    start = 0
    for size in [*sizes, len(case.bars)]:
        bars = case.bars.rows(start, start + size)
        if len(bars) == 0:
            break
        told = case.signal[start : start + size], case.volatility[start : start + size]
        agreed = case.agreement[start : start + size]
        if apart and len(bars) == 1:
            half, opened = run_bars(book, case.rules, bars, *told, Phase.OPEN)
            check_books(book, bars, opened)
            after, closed = run_bars(half, case.rules, bars, *told, Phase.CLOSE, agreed)
            check_books(half, bars, closed)
            trace = joined(opened, closed)
        else:
            after, trace = run_bars(book, case.rules, bars, *told, Phase.BOTH, agreed)
        check_books(book, bars, trace)
        ledger.update(bars.open_time, trace)
        book = after
        traces.append(trace)
        start += size
    return traces, ledger.hexdigest()


def compare(trace: Trace, naive: NaiveBroker) -> None:
    def column(name: str) -> F64:
        return np.array([row[name] for row in naive.rows], dtype=np.float64)

    def same(mine: Any, other: Any, name: str) -> None:
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-8, err_msg=name)

    assert len(trace.fills) == len(naive.fills)
    for name in trace.fills.dtype.names or ():
        same(trace.fills[name], [fill[name] for fill in naive.fills], f"fills {name}")
    for name in ("cash", "equity", "fees", "spread", "slippage", "funding", "quantity"):
        same(getattr(trace, name), column(name).reshape(getattr(trace, name).shape), name)
    for name in ("order", "weight", "refusal"):
        same(getattr(trace, name), column(name), name)
    assert trace.funding_unknown.tolist() == [row["unknown"] for row in naive.rows]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_the_kernel_agrees_with_the_naive_broker(
    data: st.DataObject, rules_of: Callable[..., Rules]
) -> None:
    case = data.draw(cases(rules_of))
    naive = NaiveBroker(case.rules, CAPITAL, [0.0] * case.bars.n_symbols)
    naive.run(case.bars, case.signal, case.volatility, case.agreement)
    (trace,), _ = run_blocks(case, [], apart=False)
    compare(trace, naive)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), sizes=st.lists(st.integers(1, 9), max_size=60), apart=st.booleans())
def test_any_partition_gives_the_same_bits(
    data: st.DataObject, sizes: list[int], apart: bool, rules_of: Callable[..., Rules]
) -> None:
    case = data.draw(cases(rules_of))
    (whole,), digest = run_blocks(case, [], apart=False)
    parts, digest_of_parts = run_blocks(case, sizes, apart=apart)
    assert digest_of_parts == digest
    for name in Trace._fields[1:]:
        cut = np.concatenate([getattr(part, name) for part in parts])
        assert cut.tobytes() == getattr(whole, name).tobytes(), name


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_fill_without_an_order_and_none_enters_while_halted(
    data: st.DataObject, rules_of: Callable[..., Rules]
) -> None:
    case = data.draw(cases(rules_of))
    (trace,), _ = run_blocks(case, [], apart=False)
    times = case.bars.open_time
    for fill in trace.fills:
        if fill["reason"] in {FillReason.RESCALE, FillReason.LATE_FLATTEN}:
            continue
        earlier = trace.order[times < fill["open_time"], fill["symbol"]]
        last = earlier[np.flatnonzero(earlier)[-1]]
        assert case.rules.reference or last == fill["quantity"]
    halted = np.isin(trace.refusal, [Refusal.HALTED_DRAWDOWN, Refusal.HALTED_BANKRUPT])
    if halted.any():
        first = times[np.argmax(halted.any(axis=1))]
        after = trace.fills[trace.fills["open_time"] > first]
        assert set(after["reason"]) <= {FillReason.HALT, FillReason.RESCALE}
