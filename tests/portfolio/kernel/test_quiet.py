"""Bars that are passed quietly: those of which it is sure, and none besides."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.one_for_all import one_for_all
from bot.portfolio.book import new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.full_account import MarginMode
from bot.portfolio.kernel.first_tiers import note_first_tiers, surely_has_margin
from bot.portfolio.kernel.quiet import is_quiet
from bot.portfolio.kernel.reducing import is_within_limits
from bot.portfolio.kernel.room import new_room
from bot.portfolio.limits import RiskLimits
from bot.portfolio.market import market_of
from bot.portfolio.reasons import DrawdownStage
from bot.portfolio.rules import Rules, SizingMethod
from bot.portfolio.trace import Phase
from tests.portfolio.conftest import make_bars, make_rules
from tests.portfolio.kernel.limited import limited

Made = Callable[..., Any]
CALM = (100.0, 100.5, 99.5, 100.0)
"""Open, high, low, close."""

STOPS = {"stop_loss": 0.05, "take_profit": 0.1, "trailing_stop": 0.07, "tick": 0.1}


@pytest.fixture
def quiet(bars_of: Made, rules_of: Made, orders_of: Made, full_of: Made) -> Made:
    """Tell whether a bar is quiet for ten held since 100."""

    def told(
        candle: tuple[float, float, float, float] = CALM, *, quantity: float = 10.0, cash: float = 0.0,
        entry: float = 100.0, best: float = 100.0, pending: float = 0.0, most: float = 0.0, orders: dict[str, Any] | None = None,
        columns: dict[str, Any] | None = None, **full: Any,
    ) -> bool:  # fmt: skip
        begin, high, low, close = candle
        bars = bars_of([begin], [close], high=[high], low=[low], volume=[1e6])
        bars = replace(bars, **{k: np.array([[v]]) for k, v in (columns or {}).items()})
        book = new_book(1, cash)
        book.quantity[0], book.pending[0], book.mark[0] = quantity, pending, 100.0
        if quantity != 0.0:
            book.holding["entry"], book.holding["best"], book.holding["most"] = entry, best, most
        account = full_of(orders_of(**(STOPS if orders is None else orders)), **full)
        return told_by_kernel(book, rules_of(), bars, account)

    return told


def told_by_kernel(book: Any, rules: Any, bars: Any, account: Any) -> bool:
    nothing = np.full(bars.close.shape, math.nan)
    market = market_of(bars, signal=nothing, volatility=nothing)
    room = new_room(bars.n_symbols)
    note_first_tiers(rules, room, account)
    return bool(is_quiet(cast(int, np.uint64(0)), book, market, room, account))


@pytest.mark.parametrize(
    ("candle", "quantity", "best", "expected"),
    [
        (CALM, 10.0, 100.0, True),
        (CALM, -10.0, 100.0, True),
        (CALM, 0.0, 0.0, True),
        ((100.0, 100.5, 95.1, 100.0), 10.0, 100.0, False),  # a tick above the stop
        ((100.0, 100.5, 95.2, 100.0), 10.0, 100.0, True),
        ((100.0, 109.9, 103.0, 105.0), 10.0, 105.0, False),  # a tick below the profit
        ((100.0, 104.9, 99.5, 100.0), -10.0, 100.0, False),  # a tick below the stop
        ((100.0, 104.8, 99.5, 100.0), -10.0, 100.0, True),
        ((100.0, 100.5, 97.6, 100.0), 10.0, 105.0, False),  # the trail of the earlier bars, 97.65
        ((104.0, 107.0, 99.0, 104.0), 10.0, 104.0, False),  # the trail of its own high, 99.51
        ((96.0, 96.5, 90.1, 96.0), -10.0, 96.0, False),  # a tick above the profit
        ((100.0, 101.0, 100.0, 100.0), 0.0, 0.0, True),
    ],
)  # fmt: skip
def test_stops_within_a_tick_are_walked(
    quiet: Made, candle: tuple[float, ...], quantity: float, best: float, expected: bool
) -> None:
    assert quiet(candle, quantity=quantity, best=best) is expected


@pytest.mark.parametrize(
    "columns",
    [
        {"valid": False}, {"settlement_price": 100.0}, {"funding_inside": 1e-4},
        {"funding_inside_unknown": 1.0}, {"mark": 94.0}, {"mark_low": 94.0}, {"mark_high": 111.0}, {"open": 94.0}, {"close": 94.0},
    ],
)  # fmt: skip
def test_what_happens_inside_is_walked(quiet: Made, columns: dict[str, Any]) -> None:
    assert quiet()
    assert not quiet(columns=columns)


@pytest.mark.parametrize("stop", ["stop_loss", "take_profit", "trailing_stop"])
@pytest.mark.parametrize("quantity", [10.0, -10.0])
def test_an_entry_that_is_not_known_is_walked(quiet: Made, quantity: float, stop: str) -> None:
    """It becomes the last mark there."""
    for orders in (STOPS, {stop: 0.05}):
        assert quiet(quantity=quantity, orders=orders)
        assert not quiet(quantity=quantity, orders=orders, entry=0.0, best=0.0)


def test_a_pending_order_is_walked(quiet: Made) -> None:
    assert not quiet(pending=-10.0)


def test_what_a_stage_has_yet_to_cut_is_walked(quiet: Made) -> None:
    assert not quiet(most=5.0)


def test_columns_that_say_nothing_are_told_apart(bars_of: Made) -> None:
    bars = bars_of([100.0] * 3, [100.0] * 3)
    nothing = np.full(bars.close.shape, math.nan)

    def told(**columns: Any) -> tuple[bool, bool]:
        market = market_of(replace(bars, **columns), nothing, nothing)
        return market.has_extremes, market.has_events

    assert told() == (False, False)
    for name in ("settlement_price", "funding_inside", "funding_inside_unknown"):
        assert told(**{name: one_for_all(np.float64(1.0), nothing.shape)}) == (False, True)
        assert told(**{name: nothing}) == (False, True)  # each number would have to be looked at
    assert told(leaving=one_for_all(np.True_, nothing.shape)) == (False, True)
    for name in ("mark_low", "mark_high"):
        assert told(**{name: one_for_all(np.float64(99.0), nothing.shape)}) == (True, False)
        assert told(**{name: nothing}) == (True, False)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"value": 1001.1}, False),  # the margin of it is more than there is
        ({"value": 2000.1, "leverage": 30.0}, False),  # above the second symbol's first tier
        ({"leverage": 30.0, "value": 2000.0}, True),
        ({"leverage": 50.0, "value": 2000.0, "first": 10.0}, False),  # the tier allows ten
        ({"contract": False}, False),  # paid in full
        ({"contract": False, "limit": 1000.0}, True),
        ({"contract": False, "borrow": True}, True),
        ({"value": 1000.0, "limit": 50.0}, False),  # sums may miss one another by the last bits
        ({"has_inverse": True}, False),
    ],
)
def test_margin_of_first_tiers(
    rules_of: Made, orders_of: Made, full_of: Made, changed: dict[str, Any], expected: bool
) -> None:
    """1,000 held at leverage 20 need 50."""
    account = full_of(
        orders_of(2),
        contract=np.array([True, changed.get("contract", True)]),
        leverage=np.array([200.0, changed.get("leverage", 20.0)]),
        tier_limit=np.array([[1e6, np.inf], [2000.0, np.inf]]),
        tier_rate=np.full((2, 2), 0.005),
        tier_leverage=np.full((2, 2), changed.get("first", 200.0)),
        borrow=changed.get("borrow", False),
        has_inverse=changed.get("has_inverse", False),
    )
    room = new_room(2)
    note_first_tiers(rules_of(2), room, account)
    limit = changed.get("limit", 1.001 * (2000.0 / 30.0 if "leverage" in changed else 50.0))
    assert surely_has_margin(changed.get("value", 999.9), limit, room) is expected


@pytest.fixture
def within(bars_of: Made, rules_of: Made, orders_of: Made, full_of: Made) -> Made:
    """Tell whether an account of 1,000 is surely within its limits, at most 900 held, 500 of one symbol."""

    def told(stage: int = 0, leaves: bool = False, held: float = 900.0, **limits: Any) -> bool:
        bars = bars_of([100.0], [100.0])
        bars = replace(bars, leaving=np.array([[leaves]]) if leaves else bars.leaving)
        nothing = np.full(bars.close.shape, math.nan)
        risk = {name: limits.pop(name) for name in ("max_leverage", "max_net") if name in limits}
        account = full_of(orders_of(), risk=RiskLimits(cap_tolerance=0.1, **risk))
        book, room = new_book(1, 1000.0), new_room(1)
        book.account["equity"], book.account["stage"] = 1000.0, stage
        room.at_most[:] = held, 500.0
        market = market_of(bars, nothing, nothing)
        rules = rules_of(**{"max_gross": 0.0, "max_symbol_weight": 0.0, **limits})
        return bool(is_within_limits(book, rules, market, room, account))

    return told


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, True),
        ({"held": math.inf}, False),  # a bar that was walked
        ({"max_gross": 0.82}, True), ({"max_gross": 0.81}, False),
        ({"max_net": 0.82}, True), ({"max_net": 0.81}, False),
        ({"max_leverage": 0.82}, True), ({"max_leverage": 0.81}, False),
        ({"max_symbol_weight": 0.46}, True), ({"max_symbol_weight": 0.45}, False),
        ({"stage": int(DrawdownStage.HALVED)}, False), ({"stage": int(DrawdownStage.FLATTENED)}, False),
        ({"leaves": True}, False),
    ],
)  # fmt: skip
def test_limits_that_are_surely_kept(within: Made, limits: dict[str, Any], expected: bool) -> None:
    assert within(**limits) is expected


@pytest.mark.parametrize("mode", [MarginMode.CROSS, MarginMode.ISOLATED])
@pytest.mark.parametrize(
    ("quantity", "low", "high", "expected"),
    [
        (10.0, 95.7, 100.5, True),  # the margin of 20 is gone at 95 and what is maintained
        (10.0, 95.0, 100.5, False),
        (-10.0, 99.5, 104.2, True),
        (-10.0, 99.5, 105.0, False),
    ],
)
def test_lost_margin_is_walked(
    quiet: Made, mode: MarginMode, quantity: float, low: float, high: float, expected: bool
) -> None:
    cash = 50.0 - quantity * 100.0  # of a value of 1,000
    found = quiet(
        (100.0, high, low, 100.0), quantity=quantity, cash=cash, orders={},
        margin_mode=int(mode), leverage=np.array([20.0]),
    )  # fmt: skip
    assert found is expected


@pytest.mark.parametrize("mode", [MarginMode.CROSS, MarginMode.ISOLATED])
def test_a_value_above_the_first_tier_is_walked(quiet: Made, mode: MarginMode) -> None:
    """Its margin is worked out there; here only that of the first tier is."""
    for limit in (2000.0, 900.0):
        found = quiet(
            orders={},
            margin_mode=int(mode),
            tier_limit=np.array([[limit]]),
            leverage=np.array([20.0]),
        )
        assert found is (limit > 1000.0)


def test_inverse_contracts_are_walked(quiet: Made) -> None:
    assert not quiet(has_inverse=True, inverse=np.array([True]))


def test_what_is_paid_in_full_has_no_margin_to_lose(quiet: Made) -> None:
    isolated = {"orders": {}, "margin_mode": int(MarginMode.ISOLATED)}
    assert quiet(**isolated, contract=np.array([False]))
    assert not quiet(**isolated)  # at 100 × half a per cent is all of it


@pytest.mark.parametrize(("stops", "best"), [({}, 100.0), ({"trailing_stop": 0.5}, 120.0)])
def test_the_best_price_is_that_since_the_position_was_opened(
    bars_of: Made,
    rules_of: Made,
    orders_of: Made,
    trade: Made,
    stops: dict[str, float],
    best: float,
) -> None:
    """Without a stop nobody asks for it; a symbol that holds nothing has none."""
    prices = [100.0, 100.0, 110.0, 120.0, 115.0]
    two = [[price, price] for price in prices]
    bars = bars_of(two, two, volume=[[1e6, 1e6]] * 5)
    signal = [[1.0, math.nan], *[[math.nan, math.nan]] * 4]
    book, _ = trade(bars, signal, rules_of(2), orders_of(2, **stops))
    assert book.holding["best"].tolist() == [best, 0.0]
    assert book.mark.tolist() == [115.0, 115.0]


def a_history(seed: int) -> tuple[Rules, BarBlock, Any]:
    """Draw rules with caps that bind and orders that the exchange refuses, and bars to trade by them."""
    rng = np.random.default_rng(seed)

    def one_of(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    rules = make_rules(
        3, method=int(SizingMethod.PROPORTIONAL), scale=0.4, band=one_of(0.0, 0.05), min_notional=one_of(0.0, 60.0, 200.0),
        max_gross=one_of(0.0, 0.5, 0.9), max_symbol_weight=one_of(0.0, 0.4),
    )  # fmt: skip
    rules = limited(
        rules, mode=one_of(*MarginMode), cap_tolerance=one_of(0.01, 0.05),
        max_net=one_of(0.0, 0.4), max_leverage=one_of(0.0, 0.6), halve_drawdown=one_of(0.0, 0.03),
    )  # fmt: skip
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.03, (12, 3)), axis=0))
    bars = make_bars([close[0], *close[:-1]], list(close))
    return rules, bars, rng.normal(0.0, 0.01, close.shape)


@pytest.mark.parametrize("seed", range(300))
def test_what_is_surely_kept_need_not_be_held(seed: int) -> None:
    """Where a column of leavings has a number for each bar, limits are held against each symbol at each close."""
    rules, bars, signal = a_history(seed)
    told = []
    for each in (bars, replace(bars, leaving=np.zeros(bars.close.shape, dtype=np.bool_))):
        book, trace = run_bars(
            new_book(3, 1000.0), rules, each, signal, np.full_like(signal, 0.01), Phase.BOTH
        )
        told.append([np.asarray(part).tobytes() for part in (*book, *trace)])
    assert told[0] == told[1]
