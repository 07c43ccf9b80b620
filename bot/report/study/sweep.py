"""A sweep as tables and JSON: the best and the worst settings, and what choosing among them is worth.

Rules: the best is never told without its deflated Sharpe ratio and the probability of overfitting.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from bot.report.formats import count, percent, two_digits, written
from bot.report.study.selection import Selection

ENDS = 5
"""Settings shown from the top and from the bottom."""


@dataclass(frozen=True, slots=True)
class SweepRow:
    """A setting and what it came to; `sharpe` and `turnover_annual` of a year."""

    name: str
    settings: dict[str, Any]
    net_return: float | None
    sharpe: float | None
    max_drawdown: float | None
    turnover_annual: float
    fills: int
    equity: float


@dataclass(frozen=True, slots=True)
class SweepTable:
    """All that a sweep came to.

    Attributes:
        axes: each key that varies, with its values in words.
        rows: in the order of the grid, the last key varying fastest.
        own: the settings that the varied ones are laid over.
        best: name of the setting with the best Sharpe ratio.
        trials: the count behind it, with its deflated Sharpe ratio.
    """

    source: str
    axes: tuple[tuple[str, tuple[str, ...]], ...]
    rows: tuple[SweepRow, ...]
    own: SweepRow
    best: str
    trials: dict[str, Any]
    selection: Selection

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        best = next(row for row in self.rows if row.name == self.best)
        return {
            "source": self.source,
            "varied": {key: list(values) for key, values in self.axes},
            "count": len(self.rows),
            "best": asdict(best)
            | {
                "deflated_sharpe": self.trials["deflated_sharpe"],
                "overfitting_probability": self.selection.probability,
            },
            "own": asdict(self.own) | {"rank": self.rank_of_own()},
            "trials": self.trials,
            "overfitting": asdict(self.selection) | {"text": str(self.selection)},
            "settings": [asdict(row) for row in self.rows],
        }

    def ranked(self) -> list[SweepRow]:
        """Return the settings by their Sharpe ratio, those without any last."""
        return sorted(self.rows, key=lambda r: (r.sharpe is None, -(r.sharpe or 0.0)))

    def rank_of_own(self) -> int:
        """Return the place that the source's own settings would have, 1 the best."""
        own = self.own.sharpe
        better = sum(r.sharpe is not None and (own is None or r.sharpe > own) for r in self.rows)
        return better + 1


def told(table: SweepTable) -> list[str]:
    """Return in sentences what the best setting is worth."""
    best = next(row for row in table.rows if row.name == table.best)
    deflated = table.trials["deflated_sharpe"]
    first = (
        f"Best of {len(table.rows):,}: {best.name}, Sharpe ratio {written(best.sharpe, two_digits)}"
    )
    first += (
        f", of which luck in choosing is ruled out with a probability of {percent(deflated)} (deflated Sharpe "
        "ratio; 95 % and more would count)."
        if deflated is not None
        else "; no ratio is deflated."
    )
    return [first, str(table.selection), table.trials["text"]]


def render(table: SweepTable) -> RenderableType:
    """Return the tables for a terminal."""
    shown = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=f"sweep of {escape(table.source)}"
    )
    shown.title_justify = "left"
    shown.add_column("place", justify="right")
    for key, _ in table.axes:
        shown.add_column(key)
    for name in ("net return", "Sharpe", "drawdown", "turnover a year", "fills"):
        shown.add_column(name, justify="right", no_wrap=True)
    ranked = table.ranked()
    for place, row in enumerate(ranked, 1):
        if place <= ENDS or place > len(ranked) - ENDS:
            shown.add_row(f"{place:,}", *_cells(table, row))
        elif place == ENDS + 1:
            shown.add_row("…")
    shown.add_section()
    shown.add_row(f"own ({table.rank_of_own():,})", *_cells(table, table.own))
    return Group(shown, *(escape(line) for line in told(table)))


def _cells(table: SweepTable, row: SweepRow) -> list[str]:
    return [
        *(escape(str(row.settings.get(key, "as it is"))) for key, _ in table.axes),
        written(row.net_return, percent),
        written(row.sharpe, two_digits),
        written(row.max_drawdown, percent),
        f"{row.turnover_annual:,.1f} ×",
        count(row.fills),
    ]
