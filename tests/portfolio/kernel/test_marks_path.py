"""Margin on the marks' path, where a boundary, a bar that is not there or a second symbol decides; by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.full_account import MarginMode
from bot.portfolio.ledger import check_books
from bot.portfolio.reasons import FILL_REASON, DrawdownStage, FillReason, Halt
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace
from tests.portfolio.conftest import make_bars, make_rules
from tests.portfolio.kernel.conftest import make_full, make_orders

NAN = np.nan
CROSS, ISOLATED = int(MarginMode.CROSS), int(MarginMode.ISOLATED)


def rules_of(n: int = 1, orders: Any = None, **full: Any) -> Rules:
    orders = make_orders(n, **(orders or {}))
    return make_rules(n)._replace(full=make_full(orders, **full))


def holding(cash: float, quantity: Any, price: Any) -> Book:
    """Return an account that has held so much since the price at which it is marked."""
    book = new_book(len(quantity), cash)
    book.quantity[:], book.mark[:] = quantity, price
    book.holding["entry"] = book.holding["best"] = np.where(book.quantity != 0.0, price, 0.0)
    book.account["equity"] = cash + book.quantity @ book.mark
    return book


def run(rules: Rules, bars: BarBlock, before: Book) -> tuple[Book, Trace]:
    nothing = np.full(bars.close.shape, NAN)
    after, trace = run_bars(before, rules, bars, nothing, nothing, Phase.BOTH)
    check_books(before, bars, trace)
    return after, trace


def taken(trace: Trace) -> list[Any]:
    """Return symbol and price of each liquidation; they have no spread and no slippage."""
    assert (trace.fills["reason"] == FillReason.LIQUIDATION).all()
    assert not trace.fills["spread"].any()
    assert not trace.fills["slippage"].any()
    return [(int(f["symbol"]), float(f["price"])) for f in trace.fills]


@pytest.mark.parametrize("quantity", [1.0, 0.01, 3.0])
@pytest.mark.parametrize(("cash", "held"), [(-50.0, False), (-49.9, True)])
def test_a_cross_account_goes_where_nothing_is_left_at_the_very_lowest(
    quantity: float, cash: float, held: bool
) -> None:
    """A unit at 100 less its half as maintenance and 50 of debt: nothing. The mark has come from 120."""
    half = np.full((1, 1), 0.5)
    rules = rules_of(margin_mode=CROSS, tier_rate=half)
    bars = make_bars([120.0], [120.0], low=[100.0])
    book, trace = run(rules, bars, holding(cash * quantity, [quantity], [120.0]))
    if held:
        assert book.quantity[0] == quantity
        assert not len(trace.fills)
    else:
        assert taken(trace) == [(0, pytest.approx(100.0, rel=1e-12))]
        assert int(book.account["halted"][0]) == Halt.BANKRUPT


@pytest.mark.parametrize(("opens", "price"), [(101.0, 100.0), (100.0, 100.0), (99.0, 99.0)])
@pytest.mark.parametrize("quantity", [1.0, 0.001])
def test_it_goes_on_the_way_and_at_the_open_only_where_nothing_is_left_there(
    opens: float, price: float, quantity: float
) -> None:
    """With half of the value as maintenance and a debt of 50 nothing is left at 100."""
    rules = rules_of(margin_mode=CROSS, tier_rate=np.full((1, 1), 0.5))
    bars = make_bars([opens], [opens], low=[60.0])
    _, trace = run(rules, bars, holding(-50.0 * quantity, [quantity], [opens]))
    assert taken(trace) == [(0, pytest.approx(price, rel=1e-9))]


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("mode", [CROSS, ISOLATED])
@pytest.mark.parametrize("optimistic", [False, True])
def test_a_bar_that_was_refused_moves_no_mark(side: float, mode: int, optimistic: bool) -> None:
    """Its low, high and close lie in the block, and are not the market's."""
    rules = rules_of(margin_mode=mode, leverage=np.full(1, 10.0), optimistic=optimistic)
    bars = make_bars([100.0], [100.0 * (1.0 - 0.5 * side)], low=[1.0], high=[900.0], valid=[False])
    book, trace = run(rules, bars, holding(200.0 - side * 100.0, [side], [100.0]))
    assert not len(trace.fills)
    assert book.quantity[0] == side


@pytest.mark.parametrize("mode", [CROSS, ISOLATED])
def test_read_well_too_what_is_gone_before_its_stop_is_not_stopped(mode: int) -> None:
    """From 100 straight to a close of 90. Ten times: 10 less half of one is lost at 90.5; the stop is at 90.2."""
    rules = rules_of(
        orders={"stop_loss": 0.098}, margin_mode=mode, leverage=np.full(1, 10.0), optimistic=True
    )
    bars = make_bars([100.0], [90.0], volume=[1e6])
    cash = -90.0 if mode == CROSS else 0.0
    _, trace = run(rules, bars, holding(cash, [1.0], [100.0]))
    gone = 90.0 / 0.995 if mode == CROSS else 90.5
    assert taken(trace) == [(0, pytest.approx(gone))]


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("mode", [CROSS, ISOLATED])
def test_read_well_a_profit_is_taken_before_the_close_uses_the_margin_up(
    side: float, mode: int
) -> None:
    """To a profit of 10 at 110 (90 of a short), then to a loss of 30 at the close: 10 times, it is gone there.

    Read badly it is gone. Where the open has already used it up it is gone in either reading.
    """
    good, bad = 100.0 + side * 12.0, 100.0 - side * 30.0
    for opened, optimistic, reason, left in (
        (100.0, True, "take_profit", 110.0 if mode == ISOLATED else 20.0),
        (100.0, False, "liquidation", 90.0 if mode == ISOLATED else 0.0),
        (100.0 - side * 10.0, True, "liquidation", 90.0 if mode == ISOLATED else 0.0),
    ):
        rules = rules_of(
            orders={"take_profit": 0.1}, margin_mode=mode, leverage=np.full(1, 10.0),
            optimistic=optimistic,
        )  # fmt: skip
        bars = make_bars([opened], [bad], high=[max(good, bad)], low=[min(good, bad)], volume=[1e6])
        cash = (100.0 if mode == ISOLATED else 10.0) - side * 100.0
        _, trace = run(rules, bars, holding(cash, [side], [100.0]))
        assert [FILL_REASON[int(code)] for code in trace.fills["reason"]] == [reason]
        assert trace.equity[0] == pytest.approx(left)


def test_what_funding_inside_the_bar_uses_up_goes_on_the_way_to_the_close() -> None:
    """Both from 100: one falls to 60 and comes back, the other closes at 50, on a debt of 105.

    At the lowest 60 + 50 less 105 are left. Then 80 of funding are paid: on the way to the close, of the
    first at 100, it is 100 + p less 185, and nothing at 85.
    """
    rules = rules_of(2, margin_mode=CROSS, tier_rate=np.zeros((2, 1)))
    bars = make_bars(
        [[100.0, 100.0]], [[100.0, 50.0]], low=[[60.0, 50.0]], funding_inside=[[80.0, 0.0]]
    )
    _, trace = run(rules, bars, holding(-105.0, [1.0, 1.0], [100.0, 100.0]))
    assert taken(trace) == [(0, 100.0), (1, pytest.approx(85.0))]


@pytest.mark.parametrize("peak", [0.0, 100.0])
def test_an_account_with_nothing_left_has_no_stage(peak: float) -> None:
    """It is bankrupt, which says more; a drawdown from nothing could not be told either."""
    rules = rules_of(margin_mode=CROSS)
    assert rules.full is not None
    risk = rules.full.risk._replace(halve_drawdown=0.1, flatten_drawdown=0.2, cool_down_bars=2)
    rules = rules._replace(full=rules.full._replace(risk=risk))
    before = holding(-50.0, [1.0], [100.0])
    before.account["stage_peak"] = peak
    book, trace = run(rules, make_bars([100.0, 20.0], [20.0, 20.0]), before)
    assert len(taken(trace)) == 1
    assert book.account["equity"][0] == 0.0
    assert int(book.account["halted"][0]) == Halt.BANKRUPT
    assert int(book.account["stage"][0]) == DrawdownStage.NONE
    assert book.account["stage_peak"][0] == peak
