"""Sizes: what a bar fills of an order, what becomes of the rest, and what impact costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bot.portfolio.book import new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.kernel.measured import DECAY
from bot.portfolio.order_rules import Excess
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import FillAt, LatePolicy
from bot.portfolio.trace import Phase

NAN = math.nan
P = [100.0] * 6
Made = Callable[..., Any]


def one(bars_of: Made, prices: Any = P, **changed: Any) -> Any:
    """Bars of one symbol with a volume of 100, of which two in a hundred are 2."""
    changed.setdefault("volume", [100.0] * len(prices))
    return bars_of(prices, prices, **changed)


def test_the_rest_waits_for_the_next_bars(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made, fills_of: Made
) -> None:
    """5 are ordered, the bars before each open had 100, 100 and 50."""
    bars = one(bars_of, volume=[100.0, 100.0, 50.0, 100.0, 100.0, 100.0])
    orders = orders_of(max_participation=0.02)
    book, trace = trade(bars, [0.01, *[NAN] * 5], rules_of(), orders)
    assert fills_of(trace, bars) == [
        (1, 2.0, 100.0, "signal"), (2, 2.0, 100.0, "signal"), (3, 1.0, 100.0, "signal")
    ]  # fmt: skip
    assert trace.refusal[:, 0].tolist() == [
        0,
        Refusal.PARTICIPATION,
        Refusal.PARTICIPATION,
        0,
        0,
        0,
    ]
    assert book.quantity[0] == 5.0
    assert book.pending[0] == 0.0


def test_the_rest_is_dropped(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made, fills_of: Made
) -> None:
    bars = one(bars_of)
    orders = orders_of(max_participation=0.02, excess=int(Excess.DROP))
    book, trace = trade(bars, [0.01, *[NAN] * 5], rules_of(), orders)
    assert fills_of(trace, bars) == [(1, 2.0, 100.0, "signal")]
    assert book.pending[0] == 0.0
    assert trace.refusal[1, 0] == Refusal.PARTICIPATION


def test_an_order_is_spread_evenly(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made, fills_of: Made
) -> None:
    """5 over three bars in steps of 0.1: 1.7, 1.7 and the 1.6 that are left."""
    orders = orders_of(excess=int(Excess.SPLIT), split_bars=3)
    bars = one(bars_of)
    _, trace = trade(bars, [0.01, *[NAN] * 5], rules_of(quantity_step=0.1), orders)
    quantities = [f[1] for f in fills_of(trace, bars)]
    assert quantities == pytest.approx([1.7, 1.7, 1.6])
    assert not trace.refusal.any()


def test_an_order_too_small_to_be_spread_is_not(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made
) -> None:
    orders = orders_of(excess=int(Excess.SPLIT), split_bars=3)
    _, trace = trade(one(bars_of), [0.01, *[NAN] * 5], rules_of(min_quantity=2.0), orders)
    assert trace.fills["quantity"].tolist() == [5.0]


def test_the_exchange_takes_no_larger_order(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made
) -> None:
    _, trace = trade(one(bars_of), [0.01, *[NAN] * 5], rules_of(), orders_of(max_market=3.0))
    assert trace.fills["quantity"].tolist() == [3.0, 2.0]
    assert trace.refusal[1, 0] == Refusal.MAX_ORDER


def test_no_more_than_the_quote_has(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made
) -> None:
    """A purchase meets the ask, whose size is known in the second bar only."""
    sizes = [NAN, 0.5, NAN, NAN, NAN, NAN]
    bars = one(bars_of, ask_size=sizes, bid_size=[0.1] * 6)
    _, trace = trade(bars, [0.01, *[NAN] * 5], rules_of(), orders_of(max_participation=0.02))
    assert trace.fills["quantity"].tolist() == [0.5, 2.0, 2.0, 0.5]


def test_a_close_is_filled_by_its_own_volume(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made
) -> None:
    bars = one(bars_of, volume=[1e9, 100.0, 1e9, 1e9, 1e9, 1e9])
    rules = rules_of(fill_at=int(FillAt.NEXT_CLOSE))
    _, trace = trade(bars, [0.01, *[NAN] * 5], rules, orders_of(max_participation=0.02))
    assert trace.fills["quantity"].tolist() == [2.0, 3.0]


def test_nothing_is_filled_below_the_minima(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made
) -> None:
    """Two in a hundred of 100 are less than the least order of 3; of 200 they are 4, and the rest of 1 is none."""
    bars = one(bars_of, volume=[100.0, 200.0, 200.0, 200.0, 200.0, 200.0])
    orders = orders_of(max_participation=0.02)
    book, trace = trade(bars, [0.01, *[NAN] * 5], rules_of(min_quantity=3.0), orders)
    assert trace.fills["quantity"].tolist() == [4.0]
    assert book.pending[0] == 0.0


@pytest.mark.parametrize("excess", list(Excess))
@pytest.mark.parametrize("late", list(LatePolicy))
def test_a_halt_closes_until_nothing_is_held(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made, fills_of: Made,
    excess: Excess, late: LatePolicy,
) -> None:  # fmt: skip
    """Bought at once, then 2 a bar are closed, also past a bar that cannot be filled."""
    prices = [100.0, 100.0, 50.0, 50.0, 50.0, 50.0, 50.0]
    bars = bars_of(
        prices, prices, volume=[1e9, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0],
        fillable=[True, True, True, True, False, True, True],
    )  # fmt: skip
    rules = rules_of(max_drawdown=0.1, late_policy=int(late))
    orders = orders_of(max_participation=0.02, excess=int(excess), split_bars=2)
    book, trace = trade(bars, [0.01, *[0.01] * 6], rules, orders)
    held = 4.5 if excess is Excess.SPLIT else 5.0
    closed = [
        (bar, -quantity) for bar, quantity, _, reason in fills_of(trace, bars) if reason == "halt"
    ]
    assert closed == [(3, 2.0), (5, 2.0), (6, held - 4.0)]
    assert book.quantity[0] == 0.0


def test_no_trade_no_fill(bars_of: Made) -> None:
    """A bar of files in which nothing was traded cannot be filled."""
    bars = type(bars_of(P, P)).of_candles(
        np.arange(2) * 3_600_000, *[np.full((2, 1), 100.0)] * 4, volume=np.array([[0.0], [1.0]])
    )
    assert bars.fillable[:, 0].tolist() == [False, True]


def test_impact_is_the_square_root_of_the_share(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made
) -> None:
    """Returns of 1 % and 2 %, volumes of 50 and 80, then 5 are bought; by plain arithmetic."""
    bars = bars_of([100.0] * 3, [101.0, 102.0, 100.0], volume=[50.0, 80.0, 7.0])
    rules = rules_of(half_spread=0.001, slippage=0.002, taker_fee=0.01)
    _, trace = trade(bars, [NAN, 0.01, NAN], rules, orders_of(impact=1.5))
    (fill,) = trace.fills
    quantity = 500.0 / 102.0
    sigma = math.sqrt(DECAY * 0.01**2 + (1.0 - DECAY) * 0.02**2)
    met = 100.0 * 1.001
    price = met * 1.002 * (1.0 + 1.5 * sigma * math.sqrt(quantity / 80.0))
    assert fill["quantity"] == pytest.approx(quantity)
    assert fill["price"] == pytest.approx(price, rel=1e-14)
    assert fill["slippage"] == pytest.approx((price - met) * quantity, rel=1e-12)
    assert fill["fee"] == pytest.approx(0.01 * price * quantity, rel=1e-12)


def test_a_sale_of_anything_has_a_price(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made
) -> None:
    """However large the order, and whatever the volume, what is sold brings more than nothing."""
    bars = bars_of([100.0] * 3, [150.0, 50.0, 50.0], volume=[1e-9, 1e-9, 0.0])
    _, trace = trade(bars, [NAN, -0.01, NAN], rules_of(), orders_of(impact=10.0))
    assert 0.0 < trace.fills["price"][0] < 50.0


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_prices_lie_on_the_tick_against_us(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made, side: float
) -> None:
    bars = bars_of([100.02, 100.02], [100.02, 100.02])
    rules = rules_of(half_spread=0.0001)
    _, trace = trade(bars, [side, NAN], rules, orders_of(tick=0.05))
    (fill,) = trace.fills
    assert fill["price"] == (100.05 if side > 0 else 100.0)
    paid = (fill["price"] - 100.02) * fill["quantity"]
    assert fill["spread"] + fill["slippage"] == pytest.approx(paid, abs=1e-9)


def test_what_is_sold_short_and_turned_is_not_traded_twice_over(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made
) -> None:
    """A new decision replaces the rest of an order; no bar ever has more than its share."""
    bars = one(bars_of)
    signals = [0.01, NAN, -0.01, NAN, NAN, NAN]
    book, trace = trade(bars, signals, rules_of(), orders_of(max_participation=0.02))
    assert trace.fills["quantity"].tolist() == [2.0, 2.0, -2.0, -2.0, -2.0]
    assert book.quantity[0] == -2.0
    assert book.pending[0] == pytest.approx(-3.0)


def test_what_turns_a_position_is_one_order(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made, fills_of: Made
) -> None:
    """Its rest opens a position, and still waits for the next bar."""
    bars = one(bars_of)
    _, trace = trade(bars, [0.01, -0.01, *[NAN] * 4], rules_of(), orders_of(max_market=7.0))
    assert [f[:2] for f in fills_of(trace, bars)] == [(1, 5.0), (2, -7.0), (3, -3.0)]


@pytest.mark.parametrize(("price", "quantity"), [(100.0, 10.0), (1e-4, 10.0), (100.0, 1.0)])
@pytest.mark.parametrize(("share", "bought"), [(2e-9, True), (5e-10, False)])
def test_what_rounding_left_of_the_cash_buys_nothing(
    bars_of: Made, rules_of: Made, orders_of: Made, full_of: Made, price: float, quantity: float,
    share: float, bought: bool,
) -> None:  # fmt: skip
    """A billionth of what the order costs is dust, whatever that is; with more of it, as much is bought."""
    before = new_book(1, share * price * quantity)
    before.pending[:], before.mark[:] = quantity, price
    rules = rules_of()._replace(full=full_of(orders_of(), contract=np.zeros(1, dtype=np.bool_)))
    nothing = np.full((1, 1), NAN)
    after, trace = run_bars(before, rules, bars_of([price], [price]), nothing, nothing, Phase.BOTH)
    assert after.quantity[0] == pytest.approx(share * quantity if bought else 0.0, rel=1e-9)
    assert len(trace.fills) == bought
    assert trace.refusal[0, 0] == Refusal.NO_CASH
