"""Caps that hold: what drift carries beyond a cap is reduced to it, whatever the policy keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import BarBlock
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.ledger import check_books
from bot.portfolio.reasons import FillReason, Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace
from tests.portfolio.conftest import make_bars, make_rules
from tests.portfolio.kernel.limited import limited

CAPITAL = 1000.0
NOTHING = np.nan


def run(rules: Rules, bars: BarBlock, signal: Any) -> tuple[Book, Trace]:
    signal = np.array(signal, dtype=float).reshape(bars.close.shape)
    book = new_book(bars.n_symbols, CAPITAL)
    after, trace = run_bars(book, rules, bars, signal, np.full_like(signal, 0.01), Phase.BOTH)
    check_books(book, bars, trace)
    return after, trace


def closes(*rows: Any) -> BarBlock:
    """Return bars that open where the one before closed."""
    table = [list(np.atleast_1d(row)) for row in rows]
    return make_bars([table[0], *table[:-1]], table)


def reasons(trace: Trace) -> list[int]:
    return [int(reason) for reason in trace.fills["reason"]]


def test_a_short_that_rises_beyond_its_cap_is_reduced_to_it() -> None:
    """10 sold at 100 of 1,000; at 104 the weight is 1040/960 = 1.083, and 960/104 = 9.23 may stay."""
    rules = limited(make_rules(fraction=1.0, max_symbol_weight=1.0), cap_tolerance=0.05)
    bars = closes(100.0, 100.0, 104.0, 104.0)
    book, trace = run(rules, bars, [-1.0, NOTHING, NOTHING, NOTHING])
    assert reasons(trace) == [FillReason.SIGNAL, FillReason.RISK]
    assert trace.order[2, 0] == pytest.approx(10.0 - 960.0 / 104.0)
    assert trace.refusal[2, 0] == Refusal.CAP_SYMBOL
    assert abs(book.quantity[0]) * 104.0 / book.account["equity"][0] == pytest.approx(1.0)


@pytest.mark.parametrize("close", [101.9, 102.4])
def test_within_the_tolerance_nothing_is_traded(close: float) -> None:
    """At 102.4 the weight is 1024/976 = 1.0492."""
    rules = limited(make_rules(fraction=1.0, max_symbol_weight=1.0), cap_tolerance=0.05)
    _, trace = run(rules, closes(100.0, 100.0, close, close), [-1.0, *[NOTHING] * 3])
    assert reasons(trace) == [FillReason.SIGNAL]


def test_without_a_tolerance_a_cap_limits_increases_only() -> None:
    rules = limited(make_rules(fraction=1.0, max_symbol_weight=1.0), max_net=50.0)
    _, trace = run(rules, closes(100.0, 100.0, 150.0, 150.0), [-1.0, *[NOTHING] * 3])
    assert reasons(trace) == [FillReason.SIGNAL]


def test_the_gross_is_reduced_in_proportion() -> None:
    """Two shorts of 500; both rise by a fifth: 1,200 over 800 is 1.5, and 2/3 of each stays at 1.0."""
    rules = limited(make_rules(2, fraction=0.5, max_gross=1.0), cap_tolerance=0.05)
    bars = closes([100.0, 10.0], [100.0, 10.0], [120.0, 12.0], [120.0, 12.0])
    book, trace = run(rules, bars, [[-1.0, -1.0], *[[NOTHING] * 2] * 3])
    assert book.quantity.tolist() == pytest.approx([-5.0 * 2 / 3, -50.0 * 2 / 3])
    assert trace.refusal[2].tolist() == [Refusal.CAP_GROSS] * 2
    assert reasons(trace)[2:] == [FillReason.RISK] * 2


def test_only_contracts_count_as_leverage() -> None:
    """The first is paid in full; the second, a short of 500, is worth 600 of 900: more than 0.5."""
    rules = limited(
        make_rules(2, fraction=0.5), contract=[False, True], cap_tolerance=0.05, max_leverage=0.5
    )
    bars = closes([100.0, 10.0], [100.0, 10.0], [100.0, 12.0], [100.0, 12.0])
    book, trace = run(rules, bars, [[1.0, -1.0], *[[NOTHING] * 2] * 3])
    assert book.quantity.tolist() == pytest.approx([5.0, -50.0 * 0.5 * 900.0 / 600.0])
    assert trace.refusal[2].tolist() == [Refusal.NONE, Refusal.LEVERAGE]


def test_the_net_is_reduced_on_the_side_that_is_too_large() -> None:
    """Long 500 and short 250; the long rises to 750 of 1,250: net 0.4. At 0.3: 250 + 375 may be long."""
    rules = limited(make_rules(2), cap_tolerance=0.05, max_net=0.3)
    bars = closes([100.0, 10.0], [100.0, 10.0], [150.0, 10.0], [150.0, 10.0])
    book = new_book(2, CAPITAL)
    book.account["cash"] = CAPITAL - 500.0 + 250.0
    book.quantity[:] = [5.0, -25.0]
    book.mark[:] = [100.0, 10.0]
    nothing = np.full(bars.close.shape, NOTHING)
    after, trace = run_bars(book, rules, bars, nothing, nothing, Phase.BOTH)
    check_books(book, bars, trace)
    assert after.quantity.tolist() == pytest.approx([(250.0 + 0.3 * 1250.0) / 150.0, -25.0])
    assert trace.refusal[2].tolist() == [Refusal.CAP_NET, Refusal.NONE]


def test_increases_brake_at_the_net() -> None:
    """Two longs of 0.5 are wanted and the net is capped at 0.6: each gets 0.3."""
    rules = limited(make_rules(2, fraction=0.5), max_net=0.6)
    bars = closes([100.0, 10.0], [100.0, 10.0])
    book, trace = run(rules, bars, [[1.0, 1.0], [NOTHING] * 2])
    assert (book.quantity * [100.0, 10.0]).tolist() == pytest.approx([300.0, 300.0])
    assert trace.refusal[0].tolist() == [Refusal.CAP_NET] * 2


def test_a_short_makes_room_for_longs_under_the_net() -> None:
    """Two longs and a short of 0.5 under a net of 0.3: the longs together may be 0.8."""
    rules = limited(make_rules(3, fraction=0.5), max_net=0.3)
    bars = closes([100.0, 10.0, 1.0], [100.0, 10.0, 1.0])
    book, trace = run(rules, bars, [[1.0, 1.0, -1.0], [NOTHING] * 3])
    assert (book.quantity * [100.0, 10.0, 1.0]).tolist() == pytest.approx([400.0, 400.0, -500.0])
    assert trace.refusal[0].tolist() == [Refusal.CAP_NET] * 2 + [Refusal.NONE]


def test_increases_brake_at_the_leverage() -> None:
    rules = limited(make_rules(2, fraction=2.0), max_leverage=1.0)
    bars = closes([100.0, 10.0], [100.0, 10.0])
    book, trace = run(rules, bars, [[1.0, -1.0], [NOTHING] * 2])
    assert (book.quantity * [100.0, 10.0]).tolist() == pytest.approx([500.0, -500.0])
    assert trace.refusal[0].tolist() == [Refusal.LEVERAGE] * 2


@pytest.mark.parametrize("limit", ["max_net", "max_leverage", "max_gross"])
def test_what_fills_a_cap_exactly_is_not_cut(limit: str) -> None:
    """500 each of two, of 1,000."""
    asked: dict[str, Any] = {limit: 1.0}
    if limit == "max_gross":
        rules = limited(make_rules(2, fraction=0.5, **asked))
    else:
        rules = limited(make_rules(2, fraction=0.5), **asked)
    bars = closes([100.0, 10.0], [100.0, 10.0])
    book, trace = run(rules, bars, [[1.0, 1.0], [NOTHING] * 2])
    assert book.quantity.tolist() == [5.0, 50.0]
    assert not trace.refusal.any()


def test_what_is_less_than_the_least_order_stays() -> None:
    rules = limited(
        make_rules(fraction=1.0, max_symbol_weight=1.0, min_notional=500.0), cap_tolerance=0.01
    )
    _, trace = run(rules, closes(100.0, 100.0, 104.0, 104.0), [-1.0, *[NOTHING] * 3])
    assert reasons(trace) == [FillReason.SIGNAL]


def test_a_reduction_is_rounded_so_that_the_cap_holds() -> None:
    rules = limited(
        make_rules(fraction=1.0, max_symbol_weight=1.0, quantity_step=0.5), cap_tolerance=0.05
    )
    book, _ = run(rules, closes(100.0, 100.0, 104.0, 104.0), [-1.0, *[NOTHING] * 3])
    assert book.quantity[0] == -9.0


def test_an_order_that_a_step_leaves_as_it_is_keeps_its_reason() -> None:
    """0.2 held and 1 on order; of 1,000 at 1,000 a weight of 1.1 allows 1.1, which is the step of 1.0 too."""
    rules = limited(
        make_rules(max_symbol_weight=1.1, quantity_step=0.5, fraction=1.0), cap_tolerance=0.05
    )
    before = new_book(1, CAPITAL)
    before.account["cash"] = 800.0
    before.quantity[:], before.mark[:], before.pending[:] = 0.2, 1000.0, 1.0
    bars = make_bars([1000.0], [1000.0], fillable=[False])
    for reason in (FillReason.SIGNAL, FillReason.HALT):
        before.pending_reason[:] = reason
        nothing = np.full((1, 1), NOTHING)
        after, trace = run_bars(before, rules, bars, nothing, nothing, Phase.BOTH)
        assert trace.refusal[0, 0] == Refusal.CAP_SYMBOL
        assert after.pending[0] == 1.0
        assert after.pending_reason[0] == reason


def test_where_a_stage_allows_as_much_as_the_cap_it_is_the_stage_that_is_told() -> None:
    """10 held at 100 of 1,000: a stage has left 5 of them, and so does half of the equity."""
    rules = limited(make_rules(max_symbol_weight=0.5), cap_tolerance=0.05)
    before = new_book(1, 0.0)
    before.quantity[:], before.mark[:] = 10.0, 100.0
    before.holding["most"] = 5.0
    nothing = np.full((1, 1), NOTHING)
    _, trace = run_bars(before, rules, make_bars([100.0], [100.0]), nothing, nothing, Phase.BOTH)
    assert trace.order[0, 0] == -5.0
    assert trace.refusal[0, 0] == Refusal.DRAWDOWN_STAGE


@pytest.mark.parametrize("held", [1.0, -1.0, 0.25])
def test_a_limit_that_holds_counts_a_single_unit(held: float) -> None:
    """Worth 500 of 1,000 and a tenth may be: a fifth of it stays."""
    price = 500.0 / abs(held)
    rules = limited(make_rules(max_gross=0.1), cap_tolerance=0.05)
    before = new_book(1, CAPITAL)
    before.account["cash"] = CAPITAL - held * price
    before.quantity[:], before.mark[:] = held, price
    nothing = np.full((1, 1), NOTHING)
    _, trace = run_bars(before, rules, make_bars([price], [price]), nothing, nothing, Phase.BOTH)
    assert trace.order[0, 0] == pytest.approx(-0.8 * held)
    assert trace.refusal[0, 0] == Refusal.CAP_GROSS


def test_nothing_is_reduced_on_a_bar_that_came_too_late() -> None:
    rules = limited(make_rules(fraction=1.0, max_symbol_weight=1.0), cap_tolerance=0.05)
    bars = closes(100.0, 100.0, 104.0, 104.0, 104.0)
    bars.tradable[2] = False
    _, trace = run(rules, bars, [-1.0, *[NOTHING] * 4])
    assert trace.order[2, 0] == 0.0
    assert trace.order[3, 0] > 0.0


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), step=st.sampled_from([0.0, 0.01]))
def test_after_every_close_what_is_held_and_on_order_is_within_every_cap(
    seed: int, step: float
) -> None:
    """By a plain sum over symbols, on random markets and signals."""
    rng = np.random.default_rng(seed)
    path = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.05, (60, 3)), axis=0))
    bars = closes(*path)
    signal = np.where(rng.random((60, 3)) < 0.2, rng.choice([-1.0, 0.0, 1.0], (60, 3)), NOTHING)
    rules = limited(
        make_rules(3, fraction=0.8, max_symbol_weight=0.7, max_gross=1.5, quantity_step=step),
        contract=[True, True, False], cap_tolerance=0.1, max_net=0.9, max_leverage=1.1,
    )  # fmt: skip
    book = new_book(3, CAPITAL)
    for i in range(len(bars)):
        after, trace = run_bars(
            book, rules, bars.rows(i, i + 1), signal[i : i + 1], signal[i : i + 1], Phase.BOTH
        )
        check_books(book, bars.rows(i, i + 1), trace)
        book = after
        equity = book.account["equity"][0]
        if equity <= 0.0:
            return
        value = [float((book.quantity[s] + book.pending[s]) * path[i, s]) for s in range(3)]
        over = equity * 1.1 * (1.0 + 1e-9)
        assert max(abs(v) for v in value) <= 0.7 * over
        assert sum(abs(v) for v in value) <= 1.5 * over
        assert abs(sum(value)) <= 0.9 * over
        assert abs(value[0]) + abs(value[1]) <= 1.1 * over
