"""A person's hand on the account: what a command does to the book, between two bars or inside one.

Rules: pure; a command changes what may be traded and what is pending, never cash or what is held.
What a paused account then does at its closes is the kernel's (`kernel/decide.py`, `kernel/halts.py`).
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from bot.blocks import Bool
from bot.portfolio.book import FLATTENED, NOT_PAUSED, PAUSED, Book, copy_book
from bot.portfolio.reasons import DrawdownStage, FillReason, Halt

OF_AN_ORDER = ("slice", "limit", "limit_bars")
"""What a holding says of the order that waits; all 0 of one at the market."""


class Command(StrEnum):
    """What a person may ask of a run."""

    PAUSE = "pause"
    """Open and increase nothing; what is held is closed as the policy says."""
    FLATTEN = "flatten"
    """Order every position closed, and stay paused."""
    RESUME = "resume"
    """Lift both, and the drawdown halt: the peak begins anew at the equity of this moment. What was to
    be closed for them and is not yet stays."""
    SET = "set"
    """Change settings; the book stays as it is, but that it counts the command."""
    INSTRUMENTS = "instruments"
    """Take what the exchange says of its symbols now; the daemon's own, which nobody may ask."""


ASKED = tuple(kind for kind in Command if kind is not Command.INSTRUMENTS)
"""The kinds that a person may ask."""


def commanded(book: Book, command: Command, inverse: Bool | None = None) -> Book:
    """Return the book that obeys a command from here on; the given one is not changed.

    Args:
        inverse: bool[S], which symbols are held in contracts and coin; by default none.
    """
    after = copy_book(book)
    account = after.account
    account["commands"] += 1
    if command is Command.PAUSE:
        account["paused"] = np.maximum(account["paused"], PAUSED)
        _withdraw_increases(after)
    elif command is Command.FLATTEN:
        account["paused"] = FLATTENED
        _order_all_closed(after)
    elif command is Command.RESUME:
        account["paused"] = NOT_PAUSED
        _withdraw(after, FillReason.COMMAND)
        if account["halted"][0] == Halt.DRAWDOWN:
            account["halted"] = Halt.NONE
            _withdraw(after, FillReason.HALT)
            account["peak_equity"] = account["stage_peak"] = equity_now(after, inverse)
            account["stage"], account["cooling"] = DrawdownStage.NONE, 0
            after.holding["most"] = 0.0
    return after


def equity_now(book: Book, inverse: Bool | None = None) -> float:
    """Return cash and what is held, at the last marks."""
    coin = book.holding["coin"]
    held = np.flatnonzero((book.quantity != 0.0) | (coin != 0.0))
    worth = book.quantity * book.mark
    if inverse is not None:
        worth = np.where(inverse, coin * book.mark - book.quantity, worth)
    return math.fsum([float(book.account["cash"][0]), *worth[held].tolist()])


def _withdraw_increases(book: Book) -> None:
    """Take back what would open or increase a position; of a reversal the closing is left."""
    for s in np.flatnonzero(book.pending).tolist():
        held = float(book.quantity[s])
        target = held + float(book.pending[s])
        if target * held <= 0.0:
            _replace(book, s, -held, book.pending_reason[s], book.pending_since[s])
        elif abs(target) > abs(held):
            _replace(book, s, 0.0, 0, 0)


def _withdraw(book: Book, reason: FillReason) -> None:
    """Take back the orders of a reason that is no more."""
    for s in np.flatnonzero((book.pending != 0.0) & (book.pending_reason == reason)).tolist():
        _replace(book, s, 0.0, 0, 0)


def _order_all_closed(book: Book) -> None:
    since = int(book.account["open_time"][0])
    for s, held in enumerate(book.quantity.tolist()):
        _replace(book, s, -held, FillReason.COMMAND, since)


def _replace(book: Book, s: int, quantity: float, reason: int, since: int) -> None:
    """Let this order wait in place of the symbol's; none where it is of nothing."""
    book.pending[s] = quantity if quantity != 0.0 else 0.0
    for name in OF_AN_ORDER:
        book.holding[name][s] = 0
    if quantity != 0.0:
        book.pending_weight[s] = 0.0
        book.pending_reason[s], book.pending_since[s] = reason, since
