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
        np.zeros((2, 2), np.int8), np.empty(0, FILL), np.full((2, 2), np.nan), np.full((2, 2), np.nan), np.full((2, 2), np.nan), zero, np.zeros((0, 0)),
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


@pytest.mark.parametrize("phases", [(Phase.BOTH,), (Phase.OPEN, Phase.CLOSE)])
def test_a_bar_balances_in_one_call_and_in_two(
    bars_of: Callable[..., BarBlock], rules_of: Callable[..., Rules], phases: tuple[Phase, ...]
) -> None:
    """Fees and funding that the open has paid are not paid again at the close."""
    prices = [100.0, 101.0, 103.0, 102.0]
    bars = bars_of(prices, [101.0, 103.0, 102.0, 104.0], funding_rate=[1e-3, 1e-3, -2e-3, 1e-3])
    rules, signal = rules_of(taker_fee=0.001), np.array([[0.01], [-0.01], [0.01], [0.0]])
    book, paid = new_book(1, 1000.0), 0.0
    for i in range(4):
        for phase in phases:
            row = slice(i, i + 1)
            bar = bars.rows(i, i + 1)
            after, trace = run_bars(book, rules, bar, signal[row], signal[row], phase)
            check_books(book, bar, trace)
            for name in ("fees", "funding", "cash", "equity"):
                wrong: dict[str, Any] = {name: getattr(trace, name) + 1e-3}
                with pytest.raises(InvariantError, match="do not balance"):
                    check_books(book, bar, trace._replace(**wrong))
            book = after
            if phase != Phase.OPEN:
                paid += float(trace.fees[0] + trace.funding[0])
    account = book.account[0]
    assert account["fees"] > 0.0
    assert account["funding"] != 0.0
    assert paid == pytest.approx(account["fees"] + account["funding"], rel=1e-12)


def traded_by_hand() -> tuple[Book, BarBlock, Trace]:
    """Long 3 bought at 200, short 2 sold at 100, of 100 in cash; all is exact in binary.

    Cash is 100 - 600 + 200 - 1.5 in fees - 0.25 of funding; at 150 and 50 the longs are worth 450,
    the shorts -100. Money that moved or stands: 301.75 in cash, 550 held, 800 traded.
    """
    close = np.array([[150.0, 50.0]])
    bars = BarBlock.of_candles(np.array([7000]), close, close, close, close, close)
    fills = np.zeros(2, FILL)
    fills["open_time"], fills["symbol"] = 7000, [0, 1]
    fills["quantity"], fills["price"] = [3.0, -2.0], [200.0, 100.0]
    nothing = np.zeros(1)
    trace = Trace(
        int(Phase.BOTH), np.array([-301.75]), np.array([48.25]), np.array([1.5]), nothing, nothing,
        np.array([0.25]), np.zeros(1, np.int64), np.array([[3.0, -2.0]]), np.zeros((1, 2)),
        np.zeros((1, 2)), np.zeros((1, 2), np.int8), fills, np.full((1, 2), np.nan), np.full((1, 2), np.nan), np.full((1, 2), np.nan),
        np.zeros(1), np.zeros((0, 0)),
    )  # fmt: skip
    return new_book(2, 100.0), bars, trace


MONEY = 301.75 + 550.0 + 800.0


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize(
    ("name", "symbol", "scale"),
    [("fees", 0, MONEY), ("equity", 0, MONEY), ("quantity", 0, 3.0), ("quantity", 1, 2.0)],
)
def test_a_billionth_of_the_money_is_the_limit(
    name: str, symbol: int, scale: float, sign: float
) -> None:
    before, bars, trace = traded_by_hand()
    check_books(before, bars, trace)
    for share, fine in ((0.9e-9, True), (1.1e-9, False)):
        column = getattr(trace, name).copy()
        column.reshape(-1)[symbol] += sign * share * scale
        changed: dict[str, Any] = {name: column}
        if name == "quantity":
            # its worth goes with it
            worth = sign * share * scale * bars.close[0, symbol]
            changed["equity"] = trace.equity + worth
        if fine:
            check_books(before, bars, trace._replace(**changed))
        else:
            with pytest.raises(InvariantError, match="do not balance"):
                check_books(before, bars, trace._replace(**changed))


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_what_was_held_and_what_was_traded_both_count(sign: float) -> None:
    """5 short of which 3 are bought back: the limit is a billionth of 8."""
    before, bars, trace = traded_by_hand()
    before.quantity[:] = [-5.0, 0.0]
    held = np.array([[-2.0, -2.0]])
    true = trace._replace(quantity=held, equity=np.array([-301.75 - 2 * 150.0 - 2 * 50.0]))
    check_books(before, bars, true)
    for share, fine in ((0.9e-9, True), (1.1e-9, False)):
        wrong = true._replace(quantity=held + sign * share * np.array([[8.0, 0.0]]))
        if fine:
            check_books(before, bars, wrong)
        else:
            with pytest.raises(InvariantError, match="quantity held of symbol 0 is"):
                check_books(before, bars, wrong)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("cash", -300.75, "change of cash is -400.75, expected -401.75"),
        ("fees", 2.5, "change of cash is -401.75, expected -402.75"),
        ("funding", -0.75, "change of cash is -401.75, expected -400.75"),
        ("equity", 49.25, "equity is 49.25, expected 48.25"),
        ("quantity", [[3.5, -2.0]], "the quantity held of symbol 0 is 3.5, expected 3.0"),
        ("quantity", [[3.0, 2.0]], "the quantity held of symbol 1 is 2.0, expected -2.0"),
    ],
)
def test_a_fault_is_told_with_what_was_expected(name: str, value: Any, told: str) -> None:
    before, bars, trace = traded_by_hand()
    wrong: dict[str, Any] = {name: np.array(value, dtype=float).reshape(getattr(trace, name).shape)}
    with pytest.raises(InvariantError) as caught:
        check_books(before, bars, trace._replace(**wrong))
    assert str(caught.value) == f"bar 7000: {told}; the books do not balance"


@pytest.mark.parametrize(
    ("place", "name", "value", "found"),
    [(1, "symbol", 2, 1), (0, "symbol", -1, 0), (1, "open_time", 8000, 1)],
)
def test_a_fill_that_is_not_of_these_bars_and_symbols(
    place: int, name: str, value: int, found: int
) -> None:
    before, bars, trace = traded_by_hand()
    fills = trace.fills.copy()
    fills[name][place] = value
    true = trace._replace(fills=fills)
    if name == "open_time":  # without it the books balance: it bought nothing
        fills["quantity"][place] = 0.0
        true = true._replace(
            quantity=np.array([[3.0, 0.0]]), cash=np.array([-501.75]), equity=np.array([-51.75])
        )
    told = f"bar 7000: the number of fills that are .* is {found}.0, expected 2.0;"
    with pytest.raises(InvariantError, match=told):
        check_books(before, bars, true)


def test_a_fill_of_no_bar_is_told_of_the_last(ran: tuple[BarBlock, Trace]) -> None:
    bars, trace = ran
    late = np.concatenate([trace.fills, trace.fills[-1:]])
    late["open_time"][-1] = bars.open_time[-1] + 1
    with pytest.raises(InvariantError, match=f"bar {bars.open_time[-1]}: the number of fills"):
        check_books(new_book(2, 1000.0), bars, trace._replace(fills=late))


def test_an_account_with_nothing_balances_exactly() -> None:
    price = np.full((2, 1), 10.0)
    bars = BarBlock.of_candles(np.array([0, 1]), price, price, price, price, price)
    zero, row = np.zeros(2), np.zeros((2, 1))
    trace = Trace(
        int(Phase.BOTH), zero, zero, zero, zero, zero, zero, np.zeros(2, np.int64), row, row, row,
        np.zeros((2, 1), np.int8), np.empty(0, FILL), np.full((2, 1), np.nan), np.full((2, 1), np.nan), np.full((2, 1), np.nan),
        zero, np.zeros((0, 0)),
    )  # fmt: skip
    check_books(new_book(1, 0.0), bars, trace)
    with pytest.raises(InvariantError, match="bar 1: change of cash is 1e-12"):
        check_books(new_book(1, 0.0), bars, trace._replace(cash=np.array([0.0, 1e-12])))
