"""What may not be opened: stale symbols, symbols that leave, what the model refuses; and settlements."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import I8, BarBlock
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.full_account import MarginMode
from bot.portfolio.ledger import check_books
from bot.portfolio.reasons import FillReason, Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace
from tests.portfolio.conftest import make_bars, make_rules
from tests.portfolio.kernel.limited import limited

CAPITAL = 1000.0
NOTHING = np.nan


def flat_bars(n: int, **changed: Any) -> BarBlock:
    return make_bars([100.0] * n, [100.0] * n, **changed)


def run(rules: Rules, bars: BarBlock, signal: Any, refused: I8 | None = None) -> tuple[Book, Trace]:
    signal = np.array(signal, dtype=float).reshape(bars.close.shape)
    book = new_book(bars.n_symbols, CAPITAL)
    after, trace = run_bars(
        book, rules, bars, signal, np.full_like(signal, 0.01), Phase.BOTH, refused_by_model=refused
    )
    check_books(book, bars, trace)
    return after, trace


def test_a_symbol_that_lacked_so_many_bars_is_not_opened_at_its_first_close_back() -> None:
    rules = limited(make_rules(), max_stale_bars=2)
    bars = flat_bars(6, valid=[1, 0, 0, 1, 1, 1])
    _, trace = run(rules, bars, [NOTHING, NOTHING, NOTHING, 1.0, 1.0, 1.0])
    assert trace.refusal[:, 0].tolist() == [0, 0, 0, Refusal.STALE, 0, 0]
    assert trace.order[:, 0].tolist() == [0.0, 0.0, 0.0, 0.0, 5.0, 0.0]


def test_of_a_single_bar_one_that_is_missing_is_a_hole() -> None:
    rules = limited(make_rules(), max_stale_bars=1)
    bars = flat_bars(4, valid=[1, 0, 1, 1])
    _, trace = run(rules, bars, [NOTHING, NOTHING, 1.0, 1.0])
    assert trace.refusal[:, 0].tolist() == [0, 0, Refusal.STALE, 0]


def test_a_shorter_hole_is_none() -> None:
    rules = limited(make_rules(), max_stale_bars=3)
    bars = flat_bars(5, valid=[1, 0, 0, 1, 1])
    _, trace = run(rules, bars, [NOTHING, NOTHING, NOTHING, 1.0, NOTHING])
    assert trace.order[3, 0] == 5.0


def test_bars_out_of_session_do_not_make_stale() -> None:
    rules = limited(make_rules(), max_stale_bars=2)
    bars = flat_bars(5, valid=[1, 0, 0, 1, 1], in_session=[1, 0, 0, 1, 1])
    _, trace = run(rules, bars, [NOTHING, NOTHING, NOTHING, 1.0, NOTHING])
    assert trace.order[3, 0] == 5.0


def test_an_order_that_waits_is_withdrawn_when_its_symbol_goes_stale() -> None:
    """The late policy holds it; without the limit it would fill after three missing bars."""
    bars = flat_bars(6, valid=[1, 0, 0, 0, 1, 1])
    bars.fillable[:] = bars.valid
    signal = [1.0, *[NOTHING] * 5]
    _, without = run(limited(make_rules(), max_net=9.0), bars, signal)
    _, trace = run(limited(make_rules(), max_stale_bars=2), bars, signal)
    assert len(without.fills) == 1
    assert len(trace.fills) == 0
    assert trace.refusal[2, 0] == Refusal.STALE
    assert trace.order[:, 0].tolist() == [5.0, 0.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("flattens", [True, False])
def test_a_symbol_that_leaves_is_not_opened_and_by_setting_closed(flattens: bool) -> None:
    rules = limited(make_rules(), flatten_leaving=flattens)
    bars = flat_bars(6, leaving=[0, 0, 0, 1, 1, 1])
    book, trace = run(rules, bars, [1.0, NOTHING, NOTHING, NOTHING, 1.0, -1.0])
    assert book.quantity[0] == 0.0 if flattens else book.quantity[0] == 5.0
    reasons = [FillReason.SIGNAL, FillReason.RISK] if flattens else [FillReason.SIGNAL]
    assert trace.fills["reason"].tolist() == reasons
    assert trace.refusal[5, 0] == Refusal.LEAVING
    assert trace.order[5, 0] == (
        0.0 if flattens else -5.0
    )  # the side that is wanted may not be taken


def test_what_is_held_is_settled_without_slippage_for_the_settlement_fee() -> None:
    """10 % of slippage and fee do not touch it: 5 settle at 80 for 0.05 % of 400."""
    rules = limited(make_rules(taker_fee=0.1, slippage=0.1, fraction=0.5))
    bars = flat_bars(4, valid=[1, 1, 1, 0], settlement_price=[NOTHING, NOTHING, NOTHING, 80.0])
    book, trace = run(rules, bars, [1.0, NOTHING, NOTHING, NOTHING])
    fill = trace.fills[-1]
    assert (fill["quantity"], fill["price"]) == (-5.0, 80.0)
    assert (fill["fee"], fill["spread"], fill["slippage"]) == (pytest.approx(0.2), 0.0, 0.0)
    assert int(fill["reason"]) == FillReason.SETTLEMENT
    bought = 5.0 * 110.0 + 5.0 * 110.0 * 0.1
    assert book.account["equity"][0] == pytest.approx(CAPITAL - bought + 5.0 * 80.0 - 0.2)


def test_what_waits_is_dropped_by_a_settlement() -> None:
    rules = limited(make_rules())
    bars = flat_bars(4, settlement_price=[NOTHING, 100.0, NOTHING, NOTHING])
    bars.fillable[1] = False
    book, trace = run(rules, bars, [1.0, NOTHING, NOTHING, NOTHING])
    assert len(trace.fills) == 0
    assert book.pending[0] == 0.0


def test_what_the_model_refuses_is_not_opened_nor_increased_and_may_be_closed() -> None:
    rules = limited(make_rules())
    refused = np.array([[0], [0], [Refusal.DIVIDED], [Refusal.OUT_OF_RANGE], [0]], dtype=np.int8)
    _, trace = run(rules, flat_bars(5), [1.0, 1.0, -1.0, 1.0, 1.0], refused)
    assert trace.refusal[:, 0].tolist() == [0, 0, Refusal.DIVIDED, Refusal.OUT_OF_RANGE, 0]
    assert trace.order[:, 0].tolist() == [5.0, 0.0, -5.0, 0.0, 5.0]


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_any_partition_gives_the_same_bits_with_everything_on(seed: int) -> None:
    """Holes, settlements, symbols that leave, stages, cool-downs, caps, refusals of the model."""
    rng = np.random.default_rng(seed)
    n, width = 80, 3
    path = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.03, (n + 1, width)), axis=0))
    bars = make_bars(path[:-1].tolist(), path[1:].tolist())
    bars.low[:] *= 0.98
    bars.high[:] *= 1.02
    bars.valid[:] = rng.random((n, width)) < 0.9
    bars.fillable[:] = bars.valid & (rng.random((n, width)) < 0.9)
    bars.tradable[:] = rng.random(n) < 0.9
    leaving = rng.random((n, width)) < 0.05
    settles = np.where(rng.random((n, width)) < 0.03, path[:-1], np.nan)
    bars = replace(bars, leaving=leaving, settlement_price=settles)
    signal = rng.normal(0.0, 1.0, (n, width))
    volatility = np.full((n, width), 0.01)
    refused = np.where(rng.random((n, width)) < 0.1, Refusal.DIVIDED, 0).astype(np.int8)
    rules = limited(
        make_rules(width, fraction=0.7, taker_fee=0.001, max_symbol_weight=0.8, max_gross=1.5),
        mode=MarginMode.ISOLATED, contract=[True, True, False], cap_tolerance=0.05, max_net=1.2,
        max_leverage=1.3, halve_drawdown=0.05, flatten_drawdown=0.1, cool_down_bars=4, max_losses=3,
        max_stale_bars=2, flatten_leaving=True,
    )  # fmt: skip
    first = new_book(width, CAPITAL)
    whole, trace = run_bars(
        first, rules, bars, signal, volatility, Phase.BOTH, refused_by_model=refused
    )
    check_books(first, bars, trace)
    book = first
    for i in range(n):
        at, bar = slice(i, i + 1), bars.rows(i, i + 1)
        for phase in (Phase.OPEN, Phase.CLOSE):
            after, part = run_bars(
                book, rules, bar, signal[at], volatility[at], phase, refused_by_model=refused[at]
            )
            check_books(book, bar, part)
            book = after
    for name in Book._fields:
        assert getattr(book, name).tobytes() == getattr(whole, name).tobytes(), name
