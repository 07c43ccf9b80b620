"""Stages of the drawdown, and the cool-downs after a stop and after losses in a row.

Rules: the drawdown of the stages is from the highest close since trading last began anew. Halved: what is
held is cut to half, and sizes are half, until equity is at that peak again. Flattened: all is closed, and
nothing is opened for `cool_down_bars` closes; then trading begins anew, at full size, and the peak is the
equity of that moment. The halts (`halts.py`) know nothing of it, and keep their own peak.
"""

from __future__ import annotations

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.reasons import DrawdownStage, FillReason
from bot.portfolio.trace import Trace

NO_STAGE, HALVED = int(DrawdownStage.NONE), int(DrawdownStage.HALVED)
FLATTENED = int(DrawdownStage.FLATTENED)
STOP_LOSS, TRAILING_STOP = int(FillReason.STOP_LOSS), int(FillReason.TRAILING_STOP)


@hot
def update_stage(first: int, count: int, book: Book, trace: Trace, full: FullAccount) -> None:
    """Raise and lift stages and cool-downs by the equity of this close, and by its fills.

    That of a liquidation, which may come at the open, begins there (`margin.py`).

    Args:
        first, count: the fills of this close are those from `first` on, below `count`.
    """
    risk = full.risk
    if risk.cool_down_bars > 0:
        if count > first:
            _cool_down_symbols(first, count, book, trace, full)
        _cool_down_after_losses(book, full)
    if risk.halve_drawdown > 0.0 or risk.flatten_drawdown > 0.0:
        _update_drawdown(book, full)


@cold
def _cool_down_symbols(first: int, count: int, book: Book, trace: Trace, full: FullAccount) -> None:
    for k in range(first, count):
        fill = trace.fills[k]
        if fill.reason in (STOP_LOSS, TRAILING_STOP):
            book.holding[fill.symbol].cooling = full.risk.cool_down_bars


@hot
def _cool_down_after_losses(book: Book, full: FullAccount) -> None:
    account = book.account[0]
    if 0 < full.risk.max_losses <= account.losses:
        account.cooling = full.risk.cool_down_bars
        account.losses = 0


@cold
def _update_drawdown(book: Book, full: FullAccount) -> None:
    account, risk = book.account[0], full.risk
    if account.equity <= 0.0:
        return
    if account.stage == FLATTENED:
        if account.cooling > 0:
            return
        account.stage = NO_STAGE
        account.stage_peak = account.equity
    if account.equity >= account.stage_peak:
        account.stage_peak = account.equity
        if account.stage == HALVED:
            account.stage = NO_STAGE
            for s in range(len(book.quantity)):
                book.holding[s].most = 0.0
    left = account.equity / account.stage_peak
    if risk.flatten_drawdown > 0.0 and left <= 1.0 - risk.flatten_drawdown:
        account.stage = FLATTENED
        account.cooling = risk.cool_down_bars
    elif (
        account.stage == NO_STAGE
        and risk.halve_drawdown > 0.0
        and left <= 1.0 - risk.halve_drawdown
    ):
        account.stage = HALVED
        for s in range(len(book.quantity)):
            book.holding[s].most = 0.5 * abs(book.quantity[s])
