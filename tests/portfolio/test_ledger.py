"""The ledger's hash against its definition, and the check of the books against tampering."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bot.blocks import FILL, SCHEMA_VERSION, BarBlock
from bot.errors import InvariantError
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.ledger import LedgerHash, check_books
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace

SYMBOLS = ["BTCUSDT", "us:ÄPFEL"]
N = 40


@pytest.fixture(scope="module")
def ran(
    bars_of: Callable[..., BarBlock],
    rules_of: Callable[..., Rules],
    run_all: Callable[..., tuple[Book, Trace]],
) -> tuple[BarBlock, Trace]:
    rng = np.random.default_rng(5)
    prices = 100.0 * np.exp(np.cumsum(0.02 * rng.standard_normal((N, 2)), axis=0))
    valid = rng.random((N, 2)) < 0.9
    rate = np.where(rng.random((N, 2)) < 0.2, 0.001, 0.0)
    bars = bars_of(prices, prices * 1.001, valid=valid, fillable=valid, funding_rate=rate)
    signal = rng.choice([-0.01, 0.0, 0.01], (N, 2))
    _, trace = run_all(rules_of(2, taker_fee=0.001, half_spread=0.001), bars, signal)
    assert len(trace.fills) > 20
    assert trace.funding.any()
    return bars, trace


def by_definition(symbols: list[str], bars: BarBlock, trace: Trace) -> str:
    data = struct.pack("<q", SCHEMA_VERSION)
    data += b"".join(symbol.encode() + b"\0" for symbol in symbols)
    for i, time in enumerate(bars.open_time.tolist()):
        row = [trace.cash[i], trace.equity[i], trace.fees[i], trace.funding[i], *trace.quantity[i]]
        data += struct.pack("<q", time) + struct.pack(f"<{len(row)}d", *row)
        for fill in trace.fills[trace.fills["open_time"] == time].tolist():
            data += struct.pack("<qqdddddq", *fill)
    return hashlib.sha256(data).hexdigest()


def hash_of(bars: BarBlock, trace: Trace) -> str:
    ledger = LedgerHash(SYMBOLS)
    ledger.update(bars.open_time, trace)
    return ledger.hexdigest()


def test_the_hash_is_that_of_its_definition(ran: tuple[BarBlock, Trace]) -> None:
    bars, trace = ran
    assert hash_of(bars, trace) == by_definition(SYMBOLS, bars, trace)
    none = trace._replace(fills=trace.fills[:0])
    assert hash_of(bars, none) == by_definition(SYMBOLS, bars, none)


def test_a_run_of_no_bars_has_a_hash_of_its_symbols() -> None:
    assert LedgerHash(["A", "B"]).hexdigest() != LedgerHash(["AB"]).hexdigest()


@pytest.mark.parametrize("name", ["cash", "equity", "fees", "funding", "quantity"])
def test_the_last_bit_of_a_row_counts(ran: tuple[BarBlock, Trace], name: str) -> None:
    bars, trace = ran
    column = getattr(trace, name).copy()
    column[-1] = np.nextafter(column[-1], np.inf)
    changed: dict[str, Any] = {name: column}
    assert hash_of(bars, trace._replace(**changed)) != hash_of(bars, trace)


@pytest.mark.parametrize(
    "name", ["symbol", "quantity", "price", "fee", "spread", "slippage", "reason"]
)
def test_the_last_bit_of_a_fill_counts(ran: tuple[BarBlock, Trace], name: str) -> None:
    bars, trace = ran
    fills = trace.fills.copy()
    raw = fills[name].view("<i8")
    raw[-1] ^= 1
    assert hash_of(bars, trace._replace(fills=fills)) != hash_of(bars, trace)


def test_the_hash_takes_whole_bars_and_their_own_fills(ran: tuple[BarBlock, Trace]) -> None:
    bars, trace = ran
    with pytest.raises(InvariantError, match="whole bars"):
        hash_of(bars, trace._replace(phase=int(Phase.CLOSE)))
    fills = trace.fills.copy()
    fills["open_time"][-1] += 1
    with pytest.raises(InvariantError, match="not of the bars"):
        hash_of(bars, trace._replace(fills=fills))


def test_true_books_balance(ran: tuple[BarBlock, Trace]) -> None:
    bars, trace = ran
    check_books(new_book(2, 1000.0), bars, trace)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cash", "change of cash"),
        ("fees", "change of cash"),
        ("funding", "change of cash"),
        ("equity", "equity"),
        ("quantity", "books do not balance"),
    ],
)
@pytest.mark.parametrize("bar", [0, 17, N - 1])
def test_false_books_do_not(ran: tuple[BarBlock, Trace], name: str, told: str, bar: int) -> None:
    bars, trace = ran
    column = getattr(trace, name).copy()
    column[bar] += 1e-3
    changed: dict[str, Any] = {name: column}
    with pytest.raises(InvariantError, match=told):
        check_books(new_book(2, 1000.0), bars, trace._replace(**changed))


def test_books_that_are_not_numbers_do_not_balance(ran: tuple[BarBlock, Trace]) -> None:
    bars, trace = ran
    equity = trace.equity.copy()
    equity[3] = np.nan
    with pytest.raises(InvariantError, match=f"bar {bars.open_time[3]}: equity is"):
        check_books(new_book(2, 1000.0), bars, trace._replace(equity=equity))


def test_huge_positions_beside_little_cash_are_held_to_what_they_are_worth(
    bars_of: Callable[..., BarBlock],
) -> None:
    """Long and short of 1e15 each: what rounding leaves is a tenth, and a share of it a fault."""
    prices = np.array([[1e6, 1e6 / 3.0], [1e6 * 1.1, 1e6 / 3.0]])
    bars = bars_of(prices, prices)
    held = np.tile([1e9, -3e9], (2, 1))
    before = new_book(2, 1.0)
    before.quantity[:] = held[0]
    zero = np.zeros(2)
    worth = (held * prices).sum(axis=1)
    rounding = 1e-13 * np.abs(held * prices).sum(axis=1)
    trace = Trace(
        int(Phase.BOTH), np.ones(2), 1.0 + worth + rounding, zero, zero, zero, zero,
        np.zeros(2, np.int64), held, np.full((2, 2), np.nan), np.zeros((2, 2)),
        np.zeros((2, 2), np.int8), np.empty(0, FILL),
    )  # fmt: skip
    check_books(before, bars, trace)
    with pytest.raises(InvariantError, match="equity is"):
        check_books(before, bars, trace._replace(equity=1.0 + worth + 1e6 * rounding))
    with pytest.raises(InvariantError, match="change of cash is"):
        check_books(before, bars, trace._replace(cash=np.array([1.0, 1e8])))


def test_a_fill_left_out_is_found(ran: tuple[BarBlock, Trace]) -> None:
    bars, trace = ran
    with pytest.raises(InvariantError, match="do not balance"):
        check_books(new_book(2, 1000.0), bars, trace._replace(fills=trace.fills[:-1]))


def test_marks_come_over_from_the_block_before(
    bars_of: Callable[..., BarBlock], rules_of: Callable[..., Rules]
) -> None:
    bars = bars_of([100.0, 100.0, 100.0], [100.0, 110.0, 110.0], valid=[True, True, False])
    signal = np.full((3, 1), 0.01)
    rules = rules_of()
    book = new_book(1, 1000.0)
    for i in range(3):
        after, trace = run_bars(
            book, rules, bars.rows(i, i + 1), signal[i : i + 1], signal[i : i + 1], Phase.BOTH
        )
        check_books(book, bars.rows(i, i + 1), trace)
        book = after
    assert book.account["equity"].tolist() == [1050.0]
