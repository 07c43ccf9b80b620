"""What of risk is raised in an account: the stage of its drawdown, and what cools down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.portfolio.book import Book
from bot.portfolio.reasons import DrawdownStage


@dataclass(frozen=True)
class RiskStatus:
    """Where the limits of risk stand.

    Attributes:
        stage: of the drawdown: none, halved or flattened.
        cooling_bars: closes for which nothing is opened.
        cooling: by symbol, closes for which it is not opened.
        losses: round trips lost in a row.
    """

    stage: str
    cooling_bars: int
    cooling: dict[str, int]
    losses: int


def risk_of(book: Book, symbols: Sequence[str]) -> RiskStatus:
    """Return where an account's limits of risk stand."""
    account = book.account[0]
    cooling = zip(symbols, book.holding["cooling"].tolist(), strict=True)
    return RiskStatus(
        stage=DrawdownStage(int(account["stage"])).name.lower(),
        cooling_bars=int(account["cooling"]),
        cooling={symbol: bars for symbol, bars in cooling if bars},
        losses=int(account["losses"]),
    )
