"""The ledger's hash, which names a whole history, and the check that the books balance.

The hash is SHA-256 over, little-endian: the schema version as int64; each symbol in UTF-8 followed
by a zero byte; then bar by bar its row (open_time int64, then cash, equity, fees, funding and
quantity[S] as float64) followed by its fills in order, as they lie in the dtype FILL.
Rules: how the history was cut into blocks cannot matter. Must not repair anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from bot.blocks import F64, FILL, I64, SCHEMA_VERSION, BarBlock, Bool
from bot.compiled import njit
from bot.errors import InvariantError
from bot.portfolio.book import Book
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.reasons import FillReason
from bot.portfolio.trace import Phase, Trace

OPEN = int(Phase.OPEN)
LIQUIDATION = int(FillReason.LIQUIDATION)
FILL_WORDS = FILL.itemsize // 8
TOLERANCE = 1e-9
"""Largest fault of the books, as a share of the money that moved or stands in the bar."""


class LedgerHash:
    """The ledger's SHA-256, fed bar by bar or block by block."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._sha = hashlib.sha256(SCHEMA_VERSION.to_bytes(8, "little"))
        self._n_symbols = len(symbols)
        for symbol in symbols:
            self._sha.update(symbol.encode() + b"\0")

    def update(self, open_time: I64, trace: Trace) -> None:
        """Add bars that are closed; a bar done in two calls is first `joined`.

        Args:
            open_time: int64[n] of the trace's bars.
            trace: what happened in them.

        Raises:
            InvariantError: the trace is of half a bar, or has a fill of another bar.
        """
        if trace.phase != Phase.BOTH:
            raise InvariantError("the ledger takes whole bars; join the open's and close's traces")
        columns = (open_time, trace.cash, trace.equity, trace.fees, trace.funding)
        # of symbols that have not joined yet nothing is held
        rows = np.zeros((len(open_time), len(columns) + self._n_symbols), dtype="<i8")
        for k, column in enumerate(columns):
            rows[:, k] = column.view("<i8")
        rows[:, len(columns) : len(columns) + trace.quantity.shape[1]] = trace.quantity.view("<i8")
        if len(trace.fills):
            fills = trace.fills.view("<i8").reshape(-1, FILL_WORDS)
            words = np.empty(rows.size + fills.size, dtype="<i8")
            if _interleave(rows, fills, words) != len(words):
                raise InvariantError("a fill is not of the bars it came with")
            self._sha.update(words.data)
        else:
            self._sha.update(rows.data)

    def hexdigest(self) -> str:
        """Return the hash of all bars so far, in hexadecimal."""
        return self._sha.hexdigest()


@njit(cache=True)
def _interleave(rows: I64, fills: I64, words: I64) -> int:
    """Write each row and then its fills, and return the number of words written.

    The first word of a row and of a fill is the open time of the bar.
    """
    at = 0
    f = 0
    for i in range(len(rows)):
        for word in rows[i]:
            words[at] = word
            at += 1
        while f < len(fills) and fills[f, 0] == rows[i, 0]:
            for word in fills[f]:
                words[at] = word
                at += 1
            f += 1
    return at


def check_books(before: Book, bars: BarBlock, trace: Trace, inverse: Bool | None = None) -> None:
    """Check that every change of cash, coins and quantity is booked, and equity is what is held.

    Coins are not checked in bars in which funding or a liquidation took of them, nor where none are left of a
    debt without a position, or of an account that is worth nothing.

    Args:
        before: the book that the call of `run_bars` was given.
        bars: the bars it was given.
        trace: what it returned.
        inverse: bool[S], which symbols are held in contracts and coin; by default none.

    Raises:
        InvariantError: naming the first bar at fault, what was expected and what was found.
    """
    account = before.account[0]
    paid_before = 0.0
    if account["opened"]:
        paid_before = account["bar_fees"] + account["bar_funding"] - account["bar_in_coin"]
    if inverse is None:
        inverse = np.zeros(before.n_symbols, dtype=np.bool_)
    fault, i, s, expected, found = _first_fault(
        float(account["cash"]),
        float(paid_before),
        before.quantity.copy(),
        before.mark.copy(),
        before.holding["coin"].copy(),
        np.ascontiguousarray(inverse),
        np.empty((3, before.n_symbols)),
        np.require(bars.open_time, requirements=["C", "W"]),
        np.require(bars.close, requirements=["C", "W"]),
        np.require(bars.valid, requirements=["C", "W"]),
        np.require(bars.funding_rate, requirements=["C", "W"]),
        np.require(bars.funding_inside, requirements=["C", "W"]),
        trace,
    )
    if fault != BALANCED:
        raise InvariantError(
            f"bar {bars.open_time[i]}: {_FAULTS[fault].format(s)} is {found}, expected "
            f"{expected}; the books do not balance"
        )


BALANCED, CASH, EQUITY, QUANTITY, FOREIGN, COIN = range(6)
_FAULTS = {
    CASH: "change of cash",
    EQUITY: "equity",
    QUANTITY: "the quantity held of symbol {}",
    COIN: "the coins of symbol {}",
    FOREIGN: "the number of fills that are of these bars and symbols, in order,",
}


@hot
def _end_of_bar(f: int, open_time: int, n_symbols: int, trace: Trace) -> int:
    """Return the first fill from f on that is not of a bar; -1 - k where k is of no symbol."""
    while f < len(trace.fills) and trace.fills[f].open_time == open_time:
        if not 0 <= trace.fills[f].symbol < n_symbols:
            return -1 - f
        f += 1
    return f


@hot
def _sum_fills(
    first: int, end: int, inverse: Bool, traded: F64, moved_of: F64, coins: F64, trace: Trace
) -> tuple[float, float, bool]:
    """Add fills up by symbol; return what was paid in cash, what moved, and whether any is a liquidation."""
    bought = moved = 0.0
    taken = False
    for f in range(first, end):
        fill = trace.fills[f]
        s = fill.symbol
        value = fill.quantity
        if inverse[s]:
            coins[s] += (fill.quantity - fill.fee) / fill.price
        else:
            value *= fill.price
            bought += value
        moved += abs(value)
        taken = taken or fill.reason == LIQUIDATION
        traded[s] += fill.quantity
        moved_of[s] += abs(fill.quantity)
    return bought, moved, taken


@cold
def _first_fault(
    cash: float, paid_before: float, held: F64, mark: F64, coin: F64, inverse: Bool, room: F64,
    open_time: I64, close: F64, valid: Bool, funding_rate: F64, funding_inside: F64, trace: Trace,
) -> tuple[int, int, int, float, float]:  # fmt: skip
    """Return what is wrong first, at which bar and symbol, what was expected there and found.

    `held`, `mark` and `coin` are of the bar before and are changed; `room` is for 3 × S.
    """
    f = 0
    traded, moved_of, coins = room
    for i in range(len(open_time)):
        room[:] = 0.0
        worth = gross = 0.0
        first, f = f, _end_of_bar(f, open_time[i], len(held), trace)
        if f < 0:
            return FOREIGN, i, 0, float(len(trace.fills)), float(-f - 1)
        bought, moved, taken = _sum_fills(first, f, inverse, traded, moved_of, coins, trace)
        for s in range(len(held)):
            quantity = trace.quantity[i, s]
            expected = held[s] + traded[s]
            if not abs(expected - quantity) <= TOLERANCE * (abs(held[s]) + moved_of[s]):
                return QUANTITY, i, s, expected, quantity
            if trace.phase != OPEN and valid[i, s]:
                mark[s] = close[i, s]
            if inverse[s]:
                now = trace.coin[i, s]
                expected = coin[s] + coins[s]
                unpaid = funding_rate[i, s] == 0.0 and funding_inside[i, s] == 0.0
                repaid = expected < 0.0 or trace.equity[i] == 0.0
                settled = taken or (now == 0.0 and quantity == 0.0 and repaid)
                scale = abs(coin[s]) + abs(now) + abs(quantity / mark[s])
                if unpaid and not settled and abs(expected - now) > TOLERANCE * scale:
                    return COIN, i, s, expected, now
                coin[s] = now
                if now != 0.0 or quantity != 0.0:
                    worth += now * mark[s] - quantity
                    gross += abs(now * mark[s]) + abs(quantity)
            elif quantity != 0.0:
                worth += quantity * mark[s]
                gross += abs(quantity * mark[s])
            held[s] = quantity
        scale = TOLERANCE * (abs(trace.cash[i]) + gross + moved)
        change = paid_before - trace.fees[i] - trace.funding[i] + trace.in_coin[i] - bought
        if not abs(change - (trace.cash[i] - cash)) <= scale:
            return CASH, i, 0, change, trace.cash[i] - cash
        if not abs(trace.cash[i] + worth - trace.equity[i]) <= scale:
            return EQUITY, i, 0, trace.cash[i] + worth, trace.equity[i]
        cash, paid_before = trace.cash[i], 0.0
    if f < len(trace.fills):
        return FOREIGN, len(open_time) - 1, 0, float(len(trace.fills)), float(f)
    return BALANCED, 0, 0, 0.0, 0.0
