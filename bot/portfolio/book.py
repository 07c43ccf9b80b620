"""The book: everything about the account that is carried from one bar to the next.

Rules: what is not in the book is forgotten at the end of a bar; money is in the quote currency,
quantities are in the base currency. The kernel changes a book in place, `run_bars` a copy of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64
from bot.errors import JournalError

ACCOUNT = np.dtype(
    [
        ("cash", "<f8"),
        ("equity", "<f8"),  # at the last close
        ("peak_equity", "<f8"),  # highest of all closes
        ("day_start_equity", "<f8"),  # at the last close of the day before
        ("day", "<i8"),  # days since 1970 of the last closed bar, -1 before the first
        ("halted", "<i8"),  # a Halt
        ("open_time", "<i8"),  # of the last bar begun, -1 before the first
        ("opened", "<i8"),  # 1 between a bar's open and its close
        # of the bar begun last
        ("bar_fees", "<f8"),
        ("bar_spread", "<f8"),
        ("bar_slippage", "<f8"),
        ("bar_funding", "<f8"),  # positive when paid
        ("bar_in_coin", "<f8"),  # fees and funding not paid in cash, and cash that coins brought
        ("bar_funding_unknown", "<i8"),  # settlements of positions whose rate was not known
        # since the start
        ("fees", "<f8"),
        ("spread", "<f8"),
        ("slippage", "<f8"),
        ("funding", "<f8"),
        ("funding_unknown", "<i8"),
        ("turnover", "<f8"),
        ("fills", "<i8"),
        ("bars", "<i8"),  # closed
        ("paused", "<i8"),  # by hand: NOT_PAUSED, PAUSED or FLATTENED
        ("interest", "<f8"),  # on cash borrowed; part of the fees
        ("liquidations", "<i8"),
        ("commands", "<i8"),  # obeyed
        ("stage", "<i8"),  # a Stage of the drawdown
        ("stage_peak", "<f8"),  # highest equity since trading last began anew, 0 before
        ("cooling", "<i8"),  # closes for which nothing is opened
        ("losses", "<i8"),  # round trips lost in a row
    ]
)
"""The account's record."""

HOLDING = np.dtype(
    [
        ("entry", "<f8"),  # average price of what is held, 0 when flat
        ("best", "<f8"),  # most favourable price since the position was opened, 0 when flat
        ("volume", "<f8"),  # of the last valid bar, base currency
        ("variance", "<f8"),  # of a bar's return, a moving average
        ("stale", "<i8"),  # closes in a row without a valid bar
        ("traded", "<f8"),  # since the last open, of the volume that orders may have
        ("slice", "<f8"),  # most of the pending order that one bar fills; 0: all
        ("limit", "<f8"),  # price of the pending order, 0: at the market
        ("limit_bars", "<i8"),  # bars for which it still stands
        (
            "trip",
            "<f8",
        ),  # cash (or coin) that the position has brought since it was opened, its costs taken off
        (
            "most",
            "<f8",
        ),  # quantity to which a stage has cut it and which it is still above, 0: none
        ("cooling", "<i8"),  # closes for which it is not opened
        ("coin", "<f8"),  # of an inverse symbol: held of its coin, what positions owe not taken off
        ("stopped", "<f8"),  # the side that a stop has closed, until the policy lets go of it
    ]
)
"""What the full account (`full_account.py`) knows of a symbol; all 0 in the plain one."""

NOT_PAUSED, PAUSED, FLATTENED = 0, 1, 2
"""What `paused` of the account says; a flattened account is paused, and holds nothing on purpose."""

Account = npt.NDArray[np.void]
Holdings = npt.NDArray[np.void]

OF_ANY_WIDTH = ("policy_state", "cost_state", "correlation")
"""The arrays whose width depends on the settings, in the order in which `new_book` takes it."""


class Book(NamedTuple):
    """The state of the broker.

    Attributes:
        account: one row of dtype ACCOUNT.
        quantity: float64[S], held.
        mark: float64[S], the last valid close, NaN before the first.
        weight: float64[S], what the last filled order aimed at.
        pending: float64[S], signed quantity ordered and not yet filled, 0 for none.
        pending_weight: float64[S], the weight that the pending order aims at.
        pending_reason: int64[S], its FillReason.
        pending_since: int64[S], open time of the bar at whose close it was decided.
        bars_held: int64[S], closes since the position was filled, negative when short; counted
            under a user's policy only.
        policy_state: float64[S, k], what a user's policy carries.
        cost_state: float64[S, k], what a user's cost scheme carries.
        correlation: float64[S, k], the measured correlation (`correlation.py`); k is 0 where no
            sizing asks for it.
        holding: S rows of dtype HOLDING.
    """

    account: Account
    quantity: F64
    mark: F64
    weight: F64
    pending: F64
    pending_weight: F64
    pending_reason: I64
    pending_since: I64
    bars_held: I64
    policy_state: F64
    cost_state: F64
    correlation: F64
    holding: Holdings

    @property
    def n_symbols(self) -> int:
        """Return S."""
        return len(self.quantity)


def new_book(
    n_symbols: int, capital: float, policy_state: int = 0, cost_state: int = 0, correlation: int = 0
) -> Book:
    """Return the book of an account that holds nothing but `capital` in cash.

    Args:
        policy_state: numbers that a user's policy carries for each symbol; they begin as 0.
        cost_state: numbers that a user's cost scheme carries for each symbol.
        correlation: numbers that the measured correlation carries for each symbol.

    >>> float(new_book(2, 1000.0).account["equity"][0])
    1000.0
    """
    account = np.zeros(1, dtype=ACCOUNT)
    for name in ("cash", "equity", "peak_equity", "day_start_equity"):
        account[name] = capital
    account["day"] = account["open_time"] = -1
    return Book(
        account=account,
        quantity=np.zeros(n_symbols),
        mark=np.full(n_symbols, np.nan),
        weight=np.zeros(n_symbols),
        pending=np.zeros(n_symbols),
        pending_weight=np.zeros(n_symbols),
        pending_reason=np.zeros(n_symbols, dtype=np.int64),
        pending_since=np.zeros(n_symbols, dtype=np.int64),
        bars_held=np.zeros(n_symbols, dtype=np.int64),
        policy_state=np.zeros((n_symbols, policy_state)),
        cost_state=np.zeros((n_symbols, cost_state)),
        correlation=np.eye(n_symbols, correlation),
        holding=np.zeros(n_symbols, dtype=HOLDING),
    )


def copy_book(book: Book) -> Book:
    """Return a book that shares no memory with the given one."""
    plain = (array.copy() for array in book[1:-1])
    return Book._make([copy_records(book.account), *plain, copy_records(book.holding)])


def copy_records(records: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Return a copy of records; numpy's own copies them field by field, many times slower."""
    return np.ndarray(records.shape, records.dtype, bytearray(records.tobytes()))


def to_arrays(book: Book) -> dict[str, npt.NDArray[Any]]:
    """Return copies of the book's arrays by name, for the journal."""
    return copy_book(book)._asdict()


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Book:
    """Return the book that `to_arrays` took apart.

    Raises:
        JournalError: an array is missing, foreign, or of another type or length.
    """
    if set(arrays) != set(Book._fields):
        raise JournalError(
            f"the book has the arrays {sorted(arrays)}, expected {sorted(Book._fields)}; the "
            "journal was written by another version of the bot: start a new run"
        )
    widths = (np.shape(arrays[name])[-1] for name in OF_ANY_WIDTH)
    like = new_book(len(arrays["quantity"]), 0.0, *widths)
    for name, expected in like._asdict().items():
        given = arrays[name]
        if given.dtype != expected.dtype or given.shape != expected.shape:
            raise JournalError(
                f"the book's {name} is {given.dtype}{list(given.shape)}, expected "
                f"{expected.dtype}{list(expected.shape)}; the journal is damaged or of another "
                "version of the bot: start a new run"
            )
    return Book(**{name: np.array(arrays[name]) for name in Book._fields})
