"""Limit orders worked out by hand: what fills them, at which price and fee, and what becomes of the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bot.portfolio.book import new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.order_rules import Excess
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import LatePolicy, Rules
from bot.portfolio.trace import Phase

NAN = math.nan
Made = Callable[..., Any]
Bar = tuple[float, float, float, float]


@pytest.fixture
def lay(bars_of: Made, rules_of: Made, orders_of: Made, trade: Made, fills_of: Made) -> Made:
    """Decide at the close of 100 of bar 0; then the bars that are given. A maker pays 0.1 %, a taker 1 %."""

    def laid(
        signals: list[float], later: list[Bar], rules: Rules | None = None, bars: Any = None,
        full: Any = None, **orders: Any,
    ) -> Any:  # fmt: skip
        path = [(100.0,) * 4, *later]
        columns = [list(column) for column in zip(*path, strict=True)]
        changed = {"volume": [1e6] * len(path), **(bars or {})}
        made = bars_of(columns[0], columns[3], high=columns[1], low=columns[2], **changed)
        signal = [*signals, *[NAN] * (len(path) - len(signals))]
        laid_out = orders_of(
            **{"is_limit": True, "maker_fee": 0.001, "limit_offset": 0.01, **orders}
        )
        rules = rules_of(taker_fee=0.01) if rules is None else rules
        book, trace = trade(made, signal, rules, laid_out, **(full or {}))
        return fills_of(trace, made), book, trace

    return laid


@pytest.mark.parametrize(
    ("tick", "low", "filled"),
    [(0.0, 98.99, True), (0.0, 99.0, False), (0.5, 98.5, True), (0.5, 98.6, False)],
)
def test_a_bar_fills_what_it_trades_through(
    lay: Made, tick: float, low: float, filled: bool
) -> None:
    """At 99: by a tick, or beyond it where none is known; as a maker, without spread and slippage."""
    fills, book, trace = lay([1.0], [(100.0, 100.0, low, 100.0)], tick=tick)
    if filled:
        assert fills == [(1, 5.0, 99.0, "signal")]
        assert trace.fills["fee"][0] == pytest.approx(5.0 * 99.0 * 0.001)
        assert trace.fills["spread"][0] == trace.fills["slippage"][0] == 0.0
    else:
        assert not fills
        assert book.pending[0] == 0.0
        assert trace.refusal[1, 0] == Refusal.UNFILLED


def test_read_well_a_touch_fills(lay: Made) -> None:
    touched = [(100.0, 100.0, 99.0, 100.0)]
    assert lay([1.0], touched, tick=0.5, full={"optimistic": True})[0] == [(1, 5.0, 99.0, "signal")]
    assert lay([1.0], [(100.0, 100.0, 99.5, 100.0)], tick=0.5, full={"optimistic": True})[0] == []


def test_a_sale_rests_above(lay: Made) -> None:
    assert lay([-1.0], [(100.0, 101.1, 100.0, 100.0)])[0] == [(1, -5.0, 101.0, "signal")]
    assert lay([-1.0], [(100.0, 101.0, 90.0, 100.0)])[0] == []


def test_the_limit_lies_on_the_tick_against_us(lay: Made) -> None:
    """100 less 1.07 % is 98.93: on a tick of 0.25 a purchase is at 99."""
    fills, _, _ = lay([1.0], [(100.0, 100.0, 98.0, 100.0)], limit_offset=0.0107, tick=0.25)
    assert fills == [(1, 5.0, 99.0, "signal")]


def test_an_order_that_meets_the_other_side_is_a_takers(lay: Made, rules_of: Made) -> None:
    """It opens at 98, below the limit of 99: bought there, with spread, slippage and the taker's fee."""
    rules = rules_of(taker_fee=0.01, half_spread=0.001, slippage=0.001)
    fills, _, trace = lay([1.0], [(98.0, 98.0, 97.0, 98.0)], rules)
    price = 98.0 * 1.001 * 1.001
    assert fills == [(1, 5.0, pytest.approx(price), "signal")]
    assert trace.fills["fee"][0] == pytest.approx(5.0 * price * 0.01)


def test_an_order_whose_very_limit_is_asked_at_the_open_is_a_takers(lay: Made) -> None:
    fills, _, trace = lay([1.0], [(99.0, 99.5, 99.0, 99.0)])
    assert fills == [(1, 5.0, 99.0, "signal")]
    assert trace.fills["fee"][0] == pytest.approx(5.0 * 99.0 * 0.01)


def test_a_taker_pays_no_more_than_its_limit(lay: Made, rules_of: Made) -> None:
    rules = rules_of(taker_fee=0.01, slippage=0.05)
    fills, _, trace = lay([1.0], [(98.0, 98.0, 97.0, 98.0)], rules)
    assert fills == [(1, 5.0, 99.0, "signal")]
    assert trace.fills["fee"][0] == pytest.approx(5.0 * 99.0 * 0.01)
    assert trace.fills["slippage"][0] == pytest.approx(5.0)


def test_a_post_only_order_is_dropped_instead(lay: Made) -> None:
    fills, book, trace = lay([1.0], [(98.0, 98.0, 97.0, 98.0)], post_only=True)
    assert not fills
    assert book.pending[0] == 0.0
    assert trace.refusal[1, 0] == Refusal.POST_ONLY


def test_what_rests_is_filled_at_its_limit_also_where_the_bar_opens_beyond(lay: Made) -> None:
    later = [(100.0,) * 4, (90.0, 91.0, 89.0, 90.0)]
    fills, _, trace = lay([1.0], later, limit_bars=2)
    assert fills == [(2, 5.0, 99.0, "signal")]
    assert trace.fills["fee"][0] == pytest.approx(5.0 * 99.0 * 0.001)


def test_after_its_bars_it_crosses(lay: Made) -> None:
    later = [(100.0,) * 4, (100.0,) * 4, (102.0,) * 4]
    fills, _, trace = lay([1.0], later, limit_bars=2, crosses=True)
    assert fills == [(3, 5.0, 102.0, "signal")]
    assert trace.fills["fee"][0] == pytest.approx(5.0 * 102.0 * 0.01)


def test_after_its_bars_it_is_cancelled(lay: Made) -> None:
    later = [(100.0,) * 4, (100.0,) * 4, (90.0,) * 4]
    fills, _, trace = lay([1.0], later, limit_bars=2)
    assert not fills
    assert trace.refusal[2, 0] == Refusal.UNFILLED


@pytest.mark.parametrize("excess", [Excess.WAIT, Excess.DROP])
def test_no_more_than_a_share_of_the_bars_own_volume(lay: Made, excess: Excess) -> None:
    later = [(100.0, 100.0, 98.0, 100.0)] * 3
    fills, _, _ = lay(
        [1.0], later, limit_bars=3, max_participation=0.02, excess=int(excess),
        bars={"volume": [1.0, 100.0, 0.0, 100.0]},
    )  # fmt: skip
    expected = [(1, 2.0), (3, 2.0)] if excess is Excess.WAIT else [(1, 2.0)]
    assert [f[:2] for f in fills] == expected


def test_the_largest_limit_order(lay: Made) -> None:
    later = [(100.0, 100.0, 98.0, 100.0)] * 2
    fills, _, trace = lay([1.0], later, limit_bars=3, max_limit=3.0, max_market=1.0)
    assert [f[:2] for f in fills] == [(1, 3.0), (2, 2.0)]
    assert trace.refusal[1, 0] == Refusal.MAX_ORDER


def test_bought_and_stopped_in_one_bar(lay: Made) -> None:
    """On its way down to 90 the bar goes through 99, and through 5 % below that."""
    later = [(100.0, 130.0, 90.0, 98.0)]
    fills, _, _ = lay([1.0], later, stop_loss=0.05, take_profit=0.1)
    assert fills == [(1, 5.0, 99.0, "signal"), (1, -5.0, pytest.approx(94.05), "stop_loss")]


def test_no_profit_before_it_was_bought(lay: Made) -> None:
    """Whether 130 came after 98.5 nobody knows."""
    fills, _book, _ = lay([1.0], [(100.0, 130.0, 98.5, 120.0), (120.0,) * 4], take_profit=0.1)
    assert fills[:1] == [(1, 5.0, 99.0, "signal")]
    assert fills[1:] == [(2, -5.0, 120.0, "take_profit")]


@pytest.mark.parametrize(
    ("take_profit", "price", "reason"), [(0.02, 100.98, "take_profit"), (0.05, 102.01, "signal")]
)
def test_a_sale_beyond_the_take_profit_is_not_filled_before_it(
    lay: Made, take_profit: float, price: float, reason: str
) -> None:
    """Bought at 99; to be sold at 102.01, and 2 % of profit are taken at 100.98, which comes first."""
    later = [(100.0, 101.0, 98.0, 101.0), (100.5, 103.0, 100.5, 100.5)]
    fills, _, _ = lay([1.0, 0.0], later, take_profit=take_profit)
    assert fills == [(1, 5.0, 99.0, "signal"), (2, -5.0, pytest.approx(price), reason)]


def test_a_stop_withdraws_the_order_that_would_close_at_a_profit(lay: Made) -> None:
    """Bought at 99; to be sold at 101 when the next bar falls to 90 and then rises to 110: sold once."""
    later = [(100.0, 100.0, 98.0, 100.0), (100.0, 110.0, 90.0, 105.0)]
    fills, book, _ = lay([1.0, 0.0], later, stop_loss=0.05)
    assert [f[3] for f in fills] == ["signal", "stop_loss"]
    assert book.quantity[0] == 0.0
    assert book.pending[0] == 0.0


def test_turned_and_stopped_on_the_other_side(lay: Made) -> None:
    """Long from 99, turned at 101, and the same rise stops the short at 5 % above."""
    later = [(100.0, 100.0, 98.0, 100.0), (100.0, 110.0, 99.5, 105.0)]
    fills, book, _ = lay([1.0, -1.0], later, stop_loss=0.05)
    assert [f[3] for f in fills] == ["signal", "signal", "stop_loss"]
    assert fills[2][2] == pytest.approx(101.0 * 1.05)
    assert book.quantity[0] == 0.0


@pytest.mark.parametrize("late", list(LatePolicy))
def test_an_order_that_could_not_be_placed_fills_nothing(
    lay: Made, rules_of: Made, late: LatePolicy
) -> None:
    """Under 'hold' it is laid at the next open, and has its one bar there."""
    later = [(100.0, 100.0, 98.0, 100.0), (100.0, 100.0, 98.5, 100.0)]
    fills, _, _ = lay(
        [1.0], later, rules_of(late_policy=int(late)), bars={"fillable": [True, False, True]}
    )
    assert [f[0] for f in fills] == ([2] if late is LatePolicy.HOLD else [])


@pytest.mark.parametrize(("limit", "fills"), [(95.0, [-5.0]), (95.5, [1.0, -6.0])])
def test_an_increase_at_the_very_stop_is_not_filled_before_it(
    bars_of: Made, rules_of: Made, orders_of: Made, full_of: Made, limit: float, fills: list[float]
) -> None:
    """5 held from 100 are stopped at 95 on a tick of a half, and one more rests at 95, or a tick above."""
    orders = orders_of(is_limit=True, limit_bars=3, tick=0.5, stop_loss=0.05)
    before = new_book(1, 500.0)
    before.quantity[:], before.mark[:], before.pending[:] = 5.0, 100.0, 1.0
    holding = before.holding[0]
    holding["entry"] = holding["best"] = 100.0
    holding["limit"], holding["limit_bars"] = limit, 2
    bars = bars_of([100.0], [96.0], low=[90.0], volume=[1e6])
    rules = rules_of()._replace(full=full_of(orders))
    nothing = np.full((1, 1), NAN)
    after, trace = run_bars(before, rules, bars, nothing, nothing, Phase.BOTH)
    assert trace.fills["quantity"].tolist() == fills
    assert after.quantity[0] == 0.0


def test_an_order_that_waits_for_a_stop_holds_up_no_other_symbols(
    bars_of: Made, rules_of: Made, orders_of: Made, full_of: Made
) -> None:
    """The first's increase lies at its stop; the second opens at the same 95, on the way to 94.75."""
    orders = orders_of(2, is_limit=True, limit_bars=3, tick=0.125, stop_loss=0.05)
    before = new_book(2, 500.0)
    before.quantity[0], before.mark[:], before.pending[:] = 5.0, 100.0, 1.0
    holding = before.holding
    holding["entry"][0] = holding["best"][0] = 100.0
    holding["limit"], holding["limit_bars"] = 95.0, 2
    bars = bars_of([[100.0] * 2], [[96.0] * 2], low=[[94.75] * 2], volume=[[1e6] * 2])
    rules = rules_of(2)._replace(full=full_of(orders))
    nothing = np.full((1, 2), NAN)
    after, trace = run_bars(before, rules, bars, nothing, nothing, Phase.BOTH)
    assert trace.fills["symbol"].tolist() == [1, 0]
    assert trace.fills["quantity"].tolist() == [1.0, -5.0]
    assert after.quantity.tolist() == [0.0, 1.0]
