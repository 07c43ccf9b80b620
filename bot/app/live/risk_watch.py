"""What of risk was raised or lifted at a close, told once: halts, stages, cool-downs.

Rule: it compares the book with that of the close before. Must not decide anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bot.portfolio.book import Book
from bot.portfolio.reasons import DrawdownStage, Halt


class _Raised(NamedTuple):
    halt: str
    stage: str
    cooling: bool


class RiskWatch:
    """Tell what changes from one close to the next."""

    def __init__(self, book: Book, symbols: Sequence[str]) -> None:
        self._symbols = symbols
        self._account, self._cooling = _raised(book), _cooling(book)

    def tell(self, log: Any, bar: int, book: Book) -> None:
        """Log what was raised or lifted since the last time."""
        account, cooling = _raised(book), _cooling(book)
        if account != self._account:
            log.warning(
                "risk", bar=bar, halt=account.halt, stage=account.stage,
                cooling_bars=int(book.account["cooling"][0]),
                equity=float(book.account["equity"][0]),
            )  # fmt: skip
        for s, symbol in enumerate(self._symbols):
            if cooling[s] != self._cooling[s]:
                left = int(book.holding["cooling"][s])
                log.warning("cooling", bar=bar, symbol=symbol, bars=left)
        self._account, self._cooling = account, cooling


def _raised(book: Book) -> _Raised:
    account = book.account[0]
    halt, stage = Halt(int(account["halted"])), DrawdownStage(int(account["stage"]))
    return _Raised(halt.name.lower(), stage.name.lower(), bool(account["cooling"] > 0))


def _cooling(book: Book) -> list[bool]:
    cooling: list[bool] = (book.holding["cooling"] > 0).tolist()
    return cooling
