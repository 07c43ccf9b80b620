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
from numba import njit

from bot.blocks import F64, FILL, I64, SCHEMA_VERSION, BarBlock
from bot.errors import InvariantError
from bot.portfolio.book import Book
from bot.portfolio.trace import Phase, Trace

FILL_WORDS = FILL.itemsize // 8
TOLERANCE = 1e-9
"""Largest fault of the books, as a share of the money that moved or stands in the bar."""


class LedgerHash:
    """The ledger's SHA-256, fed bar by bar or block by block."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._sha = hashlib.sha256(SCHEMA_VERSION.to_bytes(8, "little"))
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
        rows = np.empty((len(open_time), len(columns) + trace.quantity.shape[1]), dtype="<i8")
        for k, column in enumerate(columns):
            rows[:, k] = column.view("<i8")
        rows[:, len(columns) :] = trace.quantity.view("<i8")
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


def check_books(before: Book, bars: BarBlock, trace: Trace) -> None:
    """Check that every change of cash and quantity is booked, and equity is what is held.

    Args:
        before: the book that the call of `run_bars` was given.
        bars: the bars it was given.
        trace: what it returned.

    Raises:
        InvariantError: naming the first bar at fault, what was expected and what was found.
    """
    bar = np.searchsorted(bars.open_time, trace.fills["open_time"])
    mark = before.mark[None] if trace.phase == Phase.OPEN else _marks(before.mark, bars)
    worth = np.where(trace.quantity != 0.0, trace.quantity * mark, 0.0)
    value = trace.fills["quantity"] * trace.fills["price"]
    n = trace.n_bars
    bought = np.bincount(bar, value, n)
    scale = np.abs(trace.cash) + np.abs(worth).sum(axis=1) + np.bincount(bar, np.abs(value), n)

    account = before.account[0]
    paid = trace.fees + trace.funding
    if account["opened"]:
        paid[0] -= account["bar_fees"] + account["bar_funding"]
    change = trace.cash - np.concatenate([[account["cash"]], trace.cash[:-1]])
    _demand("change of cash", -paid - bought, change, scale, bars.open_time)
    _demand("equity", trace.cash + worth.sum(axis=1), trace.equity, scale, bars.open_time)
    _check_quantities(before.quantity, bars.open_time, bar, trace)


def _check_quantities(before: F64, open_time: I64, bar: I64, trace: Trace) -> None:
    """Demand that what is held is what was held and what the fills have added."""
    n, n_symbols = trace.quantity.shape
    cell = bar * n_symbols + trace.fills["symbol"]
    traded = np.bincount(cell, trace.fills["quantity"], n * n_symbols).reshape(n, n_symbols)
    held = np.vstack([before[None], trace.quantity])
    expected = held[:-1] + traded
    right = np.abs(expected - held[1:]) <= TOLERANCE * (np.abs(held[:-1]) + np.abs(traded))
    if not right.all():
        i, s = np.argwhere(~right)[0]
        raise InvariantError(
            f"bar {open_time[i]}: {held[i + 1, s]!r} of symbol {s} is held, but its fills lead to "
            f"{expected[i, s]!r}; the books do not balance"
        )


def _demand(what: str, expected: F64, found: F64, scale: F64, open_time: I64) -> None:
    wrong = ~(np.abs(expected - found) <= TOLERANCE * scale)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise InvariantError(
            f"bar {open_time[i]}: {what} is {found[i]!r}, expected {expected[i]!r}; "
            "the books do not balance"
        )


def _marks(first: F64, bars: BarBlock) -> F64:
    """Return float64[n, S], the last valid close up to each bar."""
    if bars.valid.all():
        return bars.close
    closes = np.vstack([first[None], np.where(bars.valid, bars.close, np.nan)])
    at = np.where(np.vstack([np.ones((1, len(first)), dtype=bool), bars.valid]), 1, 0)
    last = np.maximum.accumulate(at * np.arange(len(closes))[:, None], axis=0)
    return np.take_along_axis(closes, last, axis=0)[1:]
