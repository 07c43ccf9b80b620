"""A person's hand on the account: what is withdrawn, ordered and lifted, and what closes do then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bot.blocks import F64, BarBlock
from bot.portfolio.book import FLATTENED, NOT_PAUSED, PAUSED, Book, new_book, to_arrays
from bot.portfolio.broker import run_bars
from bot.portfolio.hand import Command, commanded, equity_now
from bot.portfolio.reasons import FillReason, Halt, Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace

BarsOf = Callable[..., BarBlock]
RulesOf = Callable[..., Rules]


def book_of(quantity: list[float], pending: list[float], **account: float) -> Book:
    book = new_book(len(quantity), 1000.0)
    book.quantity[:], book.pending[:] = quantity, pending
    book.mark[:] = 10.0
    book.pending_weight[:] = 0.25
    book.pending_reason[:] = np.where(book.pending != 0.0, FillReason.SIGNAL, 0)
    book.account["open_time"] = 7
    for name, value in account.items():
        book.account[name] = value
    return book


HELD = [0.0, 0.0, 5.0, 5.0, 5.0, -5.0, -5.0, -5.0]
ORDERED = [2.0, -2.0, 1.0, -1.0, -8.0, -1.0, 2.0, 9.0]
LEFT = [0.0, 0.0, 0.0, -1.0, -5.0, 0.0, 2.0, 5.0]
"""Opened, increased and reversed both ways: of a reversal the closing stays."""


def test_a_pause_withdraws_what_would_open_or_increase() -> None:
    before = book_of(HELD, ORDERED)
    after = commanded(before, Command.PAUSE)
    assert after.pending.tolist() == LEFT
    assert after.account["paused"] == PAUSED
    assert (after.pending_reason[[3, 4, 6, 7]] == FillReason.SIGNAL).all()
    assert after.pending_weight[[3, 4, 6, 7]].tolist() == [0.25, 0.0, 0.25, 0.0]
    for s, (held, order) in enumerate(zip(HELD, after.pending, strict=True)):
        assert abs(held + order) <= abs(held), s
        assert (held + order) * held >= 0.0, s


def test_a_flattening_orders_every_position_closed_whatever_was_ordered() -> None:
    after = commanded(book_of(HELD, ORDERED), Command.FLATTEN)
    assert (after.quantity + after.pending).tolist() == [0.0] * len(HELD)
    assert after.account["paused"] == FLATTENED
    held = np.flatnonzero(HELD)
    assert (after.pending_reason[held] == FillReason.COMMAND).all()
    assert (after.pending_weight[held] == 0.0).all()
    assert (after.pending_since[held] == 7).all()


@pytest.mark.parametrize("command", list(Command))
def test_a_command_counts_and_moves_neither_cash_nor_what_is_held(command: Command) -> None:
    before = book_of(HELD, ORDERED, halted=Halt.DAY)
    kept = to_arrays(before)
    after = commanded(before, command)
    for name, array in to_arrays(before).items():
        np.testing.assert_array_equal(array, kept[name])
    assert after.account["commands"] == 1
    assert after.account["cash"] == before.account["cash"]
    assert after.account["halted"] == Halt.DAY
    np.testing.assert_array_equal(after.quantity, before.quantity)
    if command in (Command.SET, Command.RESUME, Command.INSTRUMENTS):
        np.testing.assert_array_equal(after.pending, before.pending)


def test_a_pause_does_not_lift_a_flattening_and_a_resumption_lifts_both() -> None:
    flat = commanded(book_of([1.0], [0.0]), Command.FLATTEN)
    assert commanded(flat, Command.PAUSE).account["paused"] == FLATTENED
    assert commanded(flat, Command.RESUME).account["paused"] == NOT_PAUSED
    assert commanded(flat, Command.RESUME).account["peak_equity"] == 1000.0


def test_a_resumption_lifts_the_drawdown_halt_and_the_peak_begins_anew() -> None:
    book = book_of([2.0, -1.0], [0.0, 0.0], halted=Halt.DRAWDOWN, cash=600.0, peak_equity=1000.0)
    after = commanded(book, Command.RESUME)
    assert after.account["halted"] == Halt.NONE
    assert after.account["peak_equity"] == equity_now(book) == 610.0
    for stays in (Halt.DAY, Halt.BANKRUPT):
        book.account["halted"] = stays
        after = commanded(book, Command.RESUME)
        assert after.account["halted"] == stays
        assert after.account["peak_equity"] == 1000.0


def test_a_resumption_takes_back_what_waits_to_be_closed_for_what_it_lifts() -> None:
    flat = commanded(book_of([2.0, 0.0], [1.0, 3.0]), Command.FLATTEN)
    assert commanded(flat, Command.RESUME).pending.tolist() == [0.0, 0.0]
    for halt, left in ((Halt.DRAWDOWN, 0.0), (Halt.DAY, -2.0)):
        book = book_of([2.0], [-2.0], halted=halt)
        book.pending_reason[:] = FillReason.HALT
        assert commanded(book, Command.RESUME).pending.tolist() == [left]


def test_equity_now_knows_no_mark_of_what_is_not_held() -> None:
    book = book_of([0.0, 3.0], [0.0, 0.0])
    book.mark[0] = np.nan
    assert equity_now(book) == 1030.0


@pytest.fixture
def closes(bars_of: BarsOf, rules_of: RulesOf) -> Callable[..., tuple[Book, Trace]]:
    """Run four bars at a price of 10, with signals as given, from a book at a command."""

    def run(book: Book, signals: list[list[float]], **rules: Any) -> tuple[Book, Trace]:
        n, S = len(signals), book.n_symbols
        prices = [[10.0] * S] * n
        bars = bars_of(prices, prices)
        signal: F64 = np.array(signals)
        book.account["open_time"] = -1
        return run_bars(
            book, rules_of(S, **rules), bars, signal, np.full(signal.shape, 0.01), Phase.BOTH
        )

    return run


def test_a_paused_account_closes_and_reverses_to_nothing_but_opens_nothing(
    closes: Callable[..., tuple[Book, Trace]],
) -> None:
    """Long and kept, long and to be flat, long and to be short, and nothing held."""
    book = commanded(book_of([20.0, 20.0, 20.0, 0.0], [0.0] * 4), Command.PAUSE)
    after, trace = closes(book, [[1.0, 0.0, -1.0, 1.0]] * 3, fraction=0.2)
    assert after.quantity.tolist() == [20.0, 0.0, 0.0, 0.0]
    assert trace.refusal[0].tolist() == [0, 0, Refusal.PAUSED, Refusal.PAUSED]
    assert trace.order[0].tolist() == [0.0, -20.0, -20.0, 0.0]
    assert trace.weight[0, 2] == 0.0
    assert {f["reason"] for f in trace.fills} == {FillReason.SIGNAL}


def test_a_paused_account_reduces_but_does_not_add(
    closes: Callable[..., tuple[Book, Trace]],
) -> None:
    sizes = {"method": 1, "scale": 0.001, "max_weight": 1.0, "band": 0.0}
    held = [10.0, 10.0, -10.0, -10.0]
    book = commanded(book_of(held, [0.0] * 4), Command.PAUSE)
    after, trace = closes(book, [[0.5, 2.0, -0.5, -2.0]] * 2, **sizes)
    assert abs(after.quantity[0]) < 10.0
    assert abs(after.quantity[2]) < 10.0
    assert (after.quantity[1], after.quantity[3]) == (10.0, -10.0)
    assert trace.refusal[0].tolist() == [0, Refusal.PAUSED, 0, Refusal.PAUSED]


def test_a_flattened_account_is_flat_after_the_next_open_and_stays_so(
    closes: Callable[..., tuple[Book, Trace]],
) -> None:
    book = commanded(book_of([20.0, -20.0, 0.0], [5.0, 0.0, 3.0]), Command.FLATTEN)
    after, trace = closes(book, [[1.0, 1.0, 1.0]] * 4)
    assert (trace.quantity == 0.0).all()
    assert [(f["open_time"], f["quantity"], f["reason"]) for f in trace.fills] == [
        (0, -20.0, FillReason.COMMAND), (0, 20.0, FillReason.COMMAND),
    ]  # fmt: skip
    assert (trace.refusal == Refusal.PAUSED).all()
    assert (after.pending == 0.0).all()


def test_what_could_not_be_closed_is_ordered_again_at_each_close(
    bars_of: BarsOf, rules_of: RulesOf
) -> None:
    """The late policy drops the order of a bar that cannot be filled; the account is still flattened."""
    bars = bars_of([10.0] * 4, [10.0] * 4, fillable=[False, False, True, True])
    rules = rules_of(late_policy=1)
    book = commanded(book_of([20.0], [0.0]), Command.FLATTEN)
    book.account["open_time"] = -1
    signal = np.full((4, 1), 1.0)
    after, trace = run_bars(book, rules, bars, signal, np.full((4, 1), 0.01), Phase.BOTH)
    assert trace.quantity[:, 0].tolist() == [20.0, 20.0, 0.0, 0.0]
    assert trace.order[:, 0].tolist() == [-20.0, -20.0, 0.0, 0.0]
    assert [f["reason"] for f in trace.fills] == [FillReason.COMMAND]
    assert after.account["paused"] == FLATTENED


def test_a_late_order_of_a_flattening_keeps_its_reason(bars_of: BarsOf, rules_of: RulesOf) -> None:
    bars = bars_of([10.0] * 2, [10.0] * 2, fillable=[False, True], tradable=[False, True])
    book = commanded(book_of([20.0], [0.0]), Command.FLATTEN)
    book.account["open_time"] = -1
    nothing = np.full((2, 1), np.nan)
    _, trace = run_bars(book, rules_of(late_policy=2), bars, nothing, nothing, Phase.BOTH)
    assert [f["reason"] for f in trace.fills] == [FillReason.COMMAND]


def test_a_halt_comes_before_a_flattening(closes: Callable[..., tuple[Book, Trace]]) -> None:
    book = book_of([20.0], [0.0], halted=Halt.DRAWDOWN, paused=FLATTENED)
    _, trace = closes(book, [[1.0]] * 2)
    assert trace.refusal[0, 0] == Refusal.HALTED_DRAWDOWN
    assert [f["reason"] for f in trace.fills] == [FillReason.HALT]


def test_it_trades_on_after_a_resumption(closes: Callable[..., tuple[Book, Trace]]) -> None:
    book = commanded(commanded(book_of([0.0], [0.0]), Command.FLATTEN), Command.RESUME)
    after, trace = closes(book, [[1.0]] * 3)
    assert after.quantity[0] > 0.0
    assert (trace.refusal == Refusal.NONE).all()
