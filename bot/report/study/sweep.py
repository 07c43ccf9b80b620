"""A sweep as tables and JSON: the best and the worst settings, and what choosing among them is worth.

Rules: the best is never shown without its deflated Sharpe ratio and the probability of overfitting; it is
one of those that traded, and where none did that is said instead.
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
NEVER_TRADED = "never traded"


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
        best: name of the setting with the best Sharpe ratio of those that traded; None without any.
        trials: the count behind it, with its deflated Sharpe ratio.
        selection: what choosing among those that traded is worth.
        idle: keys that changed nothing, whatever the others were.
    """

    source: str
    axes: tuple[tuple[str, tuple[str, ...]], ...]
    rows: tuple[SweepRow, ...]
    own: SweepRow
    best: str | None
    trials: dict[str, Any]
    selection: Selection
    idle: tuple[str, ...] = ()

    @property
    def traded(self) -> int:
        """Return how many of the settings have traded."""
        return sum(row.fills > 0 for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        best = self._best()
        return {
            "source": self.source,
            "varied": {key: list(values) for key, values in self.axes},
            "count": len(self.rows),
            "traded": self.traded,
            "idle": list(self.idle),
            "best": None
            if best is None
            else asdict(best)
            | {
                "deflated_sharpe": self.trials["deflated_sharpe"],
                "overfitting_probability": self.selection.probability,
            },
            "own": asdict(self.own) | {"rank": self.rank_of_own()},
            "trials": self.trials,
            "overfitting": asdict(self.selection) | {"text": str(self.selection)},
            "settings": [asdict(row) for row in self.rows],
        }

    def _best(self) -> SweepRow | None:
        return next((row for row in self.rows if row.name == self.best), None)

    def ranked(self) -> list[SweepRow]:
        """Return the settings by their Sharpe ratio, then those without any, last those that never traded."""
        return sorted(self.rows, key=lambda r: (not r.fills, r.sharpe is None, -(r.sharpe or 0.0)))

    def rank_of_own(self) -> int | None:
        """Return the place that the source's own settings would have, 1 the best; None of no ratio."""
        own = self.own.sharpe
        if own is None:
            return None
        return 1 + sum(r.sharpe is not None and r.sharpe > own for r in self.rows)


def verdict(table: SweepTable) -> list[str]:
    """Return in sentences what the best setting is worth."""
    lines = [_of_best(table)]
    if table.traded:
        lines.append(str(table.selection))
    lines += [f"{key} changed nothing, whatever the other keys were." for key in table.idle]
    return [*lines, table.trials["text"]]


def _of_best(table: SweepTable) -> str:
    n, traded = len(table.rows), table.traded
    if not traded:
        every = "The one setting did not trade" if n == 1 else f"None of the {n:,} settings traded"
        return (
            f"{every}: there is no best one, no ratio to deflate and no probability of overfitting."
        )
    those = f"{n:,}" if traded == n else f"the {traded:,} that traded ({n - traded:,} never did)"
    if table.best is None:
        return f"Of {those}, none has a Sharpe ratio: there is no best one and nothing to deflate."
    best = next(row for row in table.rows if row.name == table.best)
    deflated = table.trials["deflated_sharpe"]
    first = f"Best of {those}: {best.name}, Sharpe ratio {written(best.sharpe, two_digits)}"
    if deflated is None:
        return f"{first}; no ratio is deflated."
    return (
        f"{first}, of which luck in choosing is ruled out with a probability of {percent(deflated)} (deflated Sharpe "
        "ratio; 95 % and more would count)."
    )


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
            shown.add_row(f"{place:,}" if row.sharpe is not None else "–", *_cells(table, row))
        elif place == ENDS + 1:
            shown.add_row("…")
    shown.add_section()
    own = table.rank_of_own()
    shown.add_row(f"own ({'–' if own is None else f'{own:,}'})", *_cells(table, table.own))
    return Group(shown, *(escape(line) for line in verdict(table)))


def _cells(table: SweepTable, row: SweepRow) -> list[str]:
    return [
        *(escape(str(row.settings.get(key, "as it is"))) for key, _ in table.axes),
        written(row.net_return, percent) if row.fills else NEVER_TRADED,
        written(row.sharpe, two_digits),
        written(row.max_drawdown, percent),
        f"{row.turnover_annual:,.1f} ×",
        count(row.fills),
    ]
