"""Law: whatever a market does, the account ends in a defined state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.ledger import check_books
from bot.portfolio.limits import RiskLimits
from bot.portfolio.order_rules import plain_orders
from bot.portfolio.reasons import FillReason
from bot.portfolio.rules import FillAt, LatePolicy, Rules, SizingMethod
from bot.portfolio.trace import Phase, Trace
from bot.timegrid import HOUR_MS

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

CAPITAL = 10_000.0
MARGINS = ["cross", "isolated"]
STOPS = {"has_stops": True, "stop_loss": 0.02, "take_profit": 0.5, "trailing_stop": 0.1}
SIZES = {"max_participation": 0.02, "impact": 1.0}


def bars_of(prices: Any, **changed: Any) -> BarBlock:
    """Return hourly bars, each from its price to its price; columns that differ are named."""
    price = np.array(prices, dtype=float).reshape(len(prices), -1)
    given = {name: changed.pop(name, price) for name in ("open", "high", "low", "close")}
    columns = {
        name: np.array(value, dtype=float).reshape(price.shape) for name, value in given.items()
    }
    times = np.arange(len(price), dtype=np.int64) * HOUR_MS
    volume = 1e4 * CAPITAL / columns["close"]
    return BarBlock.of_candles(times, **columns, volume=volume, **changed)


def rules_for(n: int, margin: str, fraction: float, leverage: float, **orders: Any) -> Rules:
    """Return rules of contracts, with fees and slippage, without steps."""
    one, none = np.ones((n, 1)), np.zeros(n)
    full = FullAccount(
        margin_mode=int(MarginMode[margin.upper()]), contract=np.ones(n, dtype=np.bool_),
        leverage=np.full(n, leverage), tier_limit=np.inf * one, tier_rate=0.005 * one,
        tier_deduction=0.0 * one, tier_leverage=100.0 * one, borrow=False, interest=0.0,
        orders=plain_orders(n)._replace(**orders),
        risk=RiskLimits(
            halve_drawdown=0.1, flatten_drawdown=0.3, cool_down_bars=1, settlement_fee=none.copy()
        ),
    )  # fmt: skip
    return Rules(
        threshold=0.001, method=int(SizingMethod.FIXED), fraction=fraction, scale=0.1, max_weight=1.0,
        band=0.05, disagreement_penalty=0.0, max_symbol_weight=0.0, max_gross=0.0,
        max_daily_loss=0.0, max_drawdown=0.0, half_spread=0.0002, slippage=0.0001, reference=False,
        fill_at=int(FillAt.NEXT_OPEN), late_policy=int(LatePolicy.HOLD),
        allow_short=np.ones(n, dtype=np.bool_), funding=np.ones(n, dtype=np.bool_),
        taker_fee=np.full(n, 0.00055), quantity_step=none.copy(), min_quantity=none.copy(),
        min_notional=none.copy(), bar_ms=HOUR_MS, full=full,
    )  # fmt: skip


def trade(rules: Rules, bars: BarBlock, signal: Any) -> tuple[Book, Trace]:
    """Take CAPITAL through the bars; the state is defined, and the same by bars and phases."""
    signal = np.broadcast_to(np.array(signal, dtype=float), bars.close.shape).copy()
    volatility = np.full_like(signal, 0.01)
    first = new_book(bars.n_symbols, CAPITAL)
    after, trace = run_bars(first, rules, bars, signal, volatility, Phase.BOTH)
    check_books(first, bars, trace)
    book = first
    for i in range(len(bars)):
        for phase in (Phase.OPEN, Phase.CLOSE):
            at = slice(i, i + 1)
            book, _ = run_bars(book, rules, bars.rows(i, i + 1), signal[at], volatility[at], phase)
    for name in Book._fields:
        assert getattr(book, name).tobytes() == getattr(after, name).tobytes(), name
    for column in (trace.cash, trace.equity, trace.fees, trace.funding, trace.quantity):
        assert np.isfinite(column).all()
    for name in ("price", "fee", "spread", "slippage"):
        assert np.isfinite(trace.fills[name]).all()
    assert (trace.fills["price"] > 0.0).all()
    assert (trace.equity >= 0.0).all()
    return after, trace


def reasons(trace: Trace) -> list[int]:
    return [int(reason) for reason in trace.fills["reason"]]


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("price", [1e-12, 1e-6, 1e9])
def test_prices_of_any_size(margin: str, price: float) -> None:
    """The unit of the price is nobody's business: at any, the same money is made."""
    moves = np.exp(np.cumsum(np.random.default_rng(3).normal(0.0, 0.02, 60)))
    signal = np.where(np.arange(60) % 7 < 4, 0.01, -0.01)[:, None]
    rules = rules_for(1, margin, 0.9, 5.0, **STOPS, **SIZES)
    book, trace = trade(rules, bars_of(moves * price), signal)
    _, usual = trade(rules, bars_of(moves), signal)
    assert len(trace.fills) > 10
    assert reasons(trace) == reasons(usual)
    np.testing.assert_allclose(trace.equity, usual.equity, rtol=1e-9)
    assert book.account["equity"][0] > 0.0


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("orders", [{}, STOPS, STOPS | SIZES], ids=["none", "stops", "sizes"])
@pytest.mark.parametrize("inside", [True, False], ids=["in a bar", "between bars"])
def test_a_crash_with_twenty_times_leverage(
    margin: str, side: float, orders: dict[str, Any], inside: bool
) -> None:
    """It falls by 90 % (a short: rises tenfold); nothing is owed, and the loss is what stood for it."""
    far = 10.0 if side > 0.0 else 1000.0
    prices = [100.0, 100.0, far, far, far]
    opens = [100.0, 100.0, 100.0 if inside else far, far, far]
    bars = bars_of(
        prices, open=opens, high=np.maximum(opens, prices), low=np.minimum(opens, prices)
    )
    weight = 19.0 if margin == "cross" else 10.0
    rules = rules_for(1, margin, weight, 20.0, **orders)
    book, trace = trade(rules, bars, [[side], [np.nan], [np.nan], [np.nan], [np.nan]])
    assert book.quantity[0] == 0.0
    stopped = inside and "stop_loss" in orders
    ends = {int(FillReason.STOP_LOSS if stopped else FillReason.LIQUIDATION)}
    assert set(reasons(trace)[1:]) >= ends
    if not stopped:
        left = 0.0 if margin == "cross" else 0.5 * CAPITAL
        assert book.account["equity"][0] == pytest.approx(left, abs=0.03 * CAPITAL)


def test_a_gap_over_the_stop_is_filled_at_the_open() -> None:
    bars = bars_of([100.0, 100.0, 80.0, 80.0])
    rules = rules_for(1, "cross", 0.5, 5.0, **STOPS)
    _, trace = trade(rules, bars, [[1.0], [np.nan], [np.nan], [np.nan]])
    assert reasons(trace) == [FillReason.SIGNAL, FillReason.STOP_LOSS]
    cost = (1.0 - 0.0002) * (1.0 - 0.0001)
    assert trace.fills["price"][1] == pytest.approx(80.0 * cost, rel=1e-12)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_an_order_closes_nothing_beyond_its_margin(margin: str, side: float) -> None:
    """It opens at half (a short: at double) with the closing on order: it was taken over before."""
    far = 50.0 if side > 0.0 else 200.0
    rules = rules_for(1, margin, 19.0 if margin == "cross" else 10.0, 20.0)
    signal = [[side * 0.01], [0.0], [np.nan], [0.01]]
    book, trace = trade(rules, bars_of([100.0, 100.0, far, far]), signal)
    assert reasons(trace) == [FillReason.SIGNAL, FillReason.LIQUIDATION]
    assert trace.fills["price"][1] == far
    assert book.account["liquidations"][0] == 1
    assert book.pending[0] == 0.0 or margin == "isolated"


@pytest.mark.parametrize("margin", MARGINS)
def test_what_is_not_gained_yet_is_lost_only_once(margin: str) -> None:
    """The first has gained half the account when the second is opened; then both are worth a tenth."""
    opens = [[100.0, 100.0]] * 3 + [[110.0, 100.0]] * 2
    closes = [[100.0, 100.0]] * 2 + [[110.0, 100.0]] * 2 + [[10.0, 10.0]]
    bars = bars_of(
        closes, open=opens, high=np.maximum(opens, closes), low=np.minimum(opens, closes)
    )
    signal = np.full((5, 2), np.nan)
    signal[0, 0] = signal[2, 1] = 0.01
    _, trace = trade(rules_for(2, margin, 4.9, 10.0), bars, signal)
    assert reasons(trace)[-2:] == [FillReason.LIQUIDATION] * 2


@pytest.mark.parametrize("margin", MARGINS)
def test_five_hundred_symbols_fall_together(margin: str) -> None:
    rng = np.random.default_rng(4)
    shape = (12, 500)
    close = 10.0 ** rng.uniform(-12, 9, 500) * np.exp(
        np.cumsum(rng.normal(0.0, 0.01, shape), axis=0)
    )
    close[6:] *= 0.05
    open_ = np.concatenate([close[:1], close[:-1]])
    bars = bars_of(close, open=open_, high=np.maximum(open_, close), low=np.minimum(open_, close))
    signal = np.where(rng.random(shape) < 0.6, 0.01, -0.01)
    signal[6:] = np.nan
    rules = rules_for(500, margin, 4.0 / 500, 5.0)
    _, trace = trade(rules, bars, signal)
    fallen = trace.fills[trace.fills["reason"] == FillReason.LIQUIDATION]
    assert len(fallen) > 200
    assert (trace.quantity[5] != 0.0).all()


def test_an_account_that_lost_everything_stays_at_nothing() -> None:
    """After a liquidation to nothing and the cool-down of its stage, no peak is divided by."""
    prices = [100.0, 100.0, *[10.0] * 8]
    rules = rules_for(1, "cross", 19.0, 20.0)
    book, trace = trade(rules, bars_of(prices), [[1.0]] * len(prices))
    assert (trace.equity[2:] == 0.0).all()
    assert book.account["fills"][0] == 2
