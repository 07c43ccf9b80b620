"""A search as tables, Markdown and JSON: its front, what mattered, and the chosen setting with what choosing is worth.

Rules: the chosen setting is never shown without its deflated Sharpe ratio and the probability of overfitting; it is one
that traded and went through all folds. Must not know how settings were proposed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group
from rich.markdown import Markdown

from bot.report.formats import percent, two_digits, written
from bot.report.study.selection import Selection
from bot.report.study.text import number, table

FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"
RULE_ONE = "the best objective of those that traded in all folds"
RULE_MANY = "on the front the best first objective of those that traded"
SIGNIFICANT = 0.95
SAMPLERS = {"tpe": "TPE", "cmaes": "CMA-ES", "random": "chance"}
WHAT_FOLLOWS = (
    "What was chosen has seen these bars. Bars that no trial has seen are looked at once by the same command with "
    "--confirm DATA."
)
ENDS = 10
"""Trials shown in the table; the file of JSON has all."""


@dataclass(frozen=True, slots=True)
class SearchRow:
    """A trial.

    Attributes:
        values: its objectives; on as many folds as it was looked at.
        settings: what differs from the base, by key.
        sharpe: of a year; None of an account that never traded.
        reason: why it failed.
    """

    name: str
    state: str
    values: tuple[float, ...]
    settings: Mapping[str, Any]
    folds: int
    net_return: float | None
    sharpe: float | None
    turnover: float | None
    fills: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SearchTable:
    """All that a search came to.

    Attributes:
        setting: what was searched on what, in words.
        minimised: of each objective, whether less is better.
        rows: in the order of the trials, the defaults first.
        front: names of the trials that no other is better than in every objective.
        chosen: name of the one that the rule takes; None where none traded.
        trials: the count behind it in the register, with its deflated Sharpe ratio; None where none was chosen.
        selection: what choosing among those that traded is worth.
        importance: by setting, its share in what sets the best tenth apart; empty with too few trials.
        asked: trials that the budget allows.
        cadence: how often the chosen one's models are trained, in words; None where that is once a fold.
    """

    name: str
    setting: str
    sampler: str
    seed: int
    objectives: tuple[str, ...]
    minimised: tuple[bool, ...]
    rows: tuple[SearchRow, ...]
    front: tuple[str, ...]
    chosen: str | None
    rule: str
    trials: Mapping[str, Any] | None
    selection: Selection
    importance: Mapping[str, float]
    evaluator: str
    asked: int
    cadence: str | None = None

    def row(self, name: str) -> SearchRow:
        """Return a trial."""
        return next(row for row in self.rows if row.name == name)

    def count(self, state: str) -> int:
        """Return how many trials ended so."""
        return sum(row.state == state for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        chosen = None
        if self.chosen is not None and self.trials is not None:
            chosen = asdict(self.row(self.chosen)) | {
                "rule": self.rule,
                "cadence": self.cadence,
                "deflated_sharpe": self.trials["deflated_sharpe"],
                "overfitting_probability": self.selection.probability,
            }
        return {
            "name": self.name,
            "setting": self.setting,
            "sampler": self.sampler,
            "seed": self.seed,
            "objectives": [
                {"name": name, "better": "less" if less else "more"}
                for name, less in zip(self.objectives, self.minimised, strict=True)
            ],
            "asked": self.asked,
            "count": len(self.rows),
            **{state: self.count(state) for state in (FINISHED, STOPPED, FAILED)},
            "front": list(self.front),
            "chosen": chosen,
            "trials": None if self.trials is None else dict(self.trials),
            "overfitting": asdict(self.selection) | {"text": str(self.selection)},
            "importance": {"evaluator": self.evaluator, "shares": dict(self.importance)},
            "settings": [asdict(row) for row in self.rows],
        }


def verdict(t: SearchTable) -> list[str]:
    """Return in sentences what was found, and what it is worth."""
    n = len(t.rows)
    lines = [
        f"{n:,} of {max(t.asked, n):,} trials: {t.count(FINISHED):,} through all folds, {t.count(STOPPED):,} stopped by the "
        f"median of those before, {t.count(FAILED):,} failed. Proposed by {SAMPLERS[t.sampler]} with the seed {t.seed}, for "
        f"{', '.join(_sought(t))}."
    ]
    if t.chosen is None or t.trials is None:
        lines.append("No trial that went through all folds has traded: there is nothing to choose.")
        return lines
    row, deflated = t.row(t.chosen), t.trials["deflated_sharpe"]
    first = (
        f"Chosen ({t.rule}): trial {row.name}{_settings(row)}, net return {written(row.net_return, percent)}, Sharpe "
        f"ratio {written(row.sharpe, two_digits)}"
    )
    if deflated is None:
        lines.append(f"{first}; no ratio is deflated.")
    else:
        shown = "this would count" if deflated >= SIGNIFICANT else "nothing is shown below 95 %"
        lines.append(
            f"{first}, of which luck in choosing is ruled out with a probability of {percent(deflated)} (deflated Sharpe "
            f"ratio; {shown})."
        )
    if t.cadence is not None:
        lines.append(f"Its models are trained {t.cadence}, and before each fold.")
    return [*lines, str(t.selection), str(t.trials["text"]), WHAT_FOLLOWS]


def _sought(t: SearchTable) -> list[str]:
    """Return the objectives in words."""
    return [
        f"{name} (less is better)" if less else name
        for name, less in zip(t.objectives, t.minimised, strict=True)
    ]


def to_markdown(t: SearchTable) -> str:
    """Return the search as a page."""
    parts = [
        f"# Search {t.name}", t.setting, *verdict(t), "## The front", _front_note(t),
        _rows(t, [t.row(name) for name in t.front]), "## What mattered", _importance(t),
        f"## The best {ENDS} and the defaults", _rows(t, _best(t)), _failures(t),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def render(t: SearchTable) -> Group:
    """Return the tables for a terminal."""
    return Group(Markdown(to_markdown(t)))


def _front_note(t: SearchTable) -> str:
    if not t.front:
        return "No trial went through all folds."
    if len(t.objectives) == 1:
        return "With one objective, the front is the best trial."
    return "No other trial is at least as good in every objective, and better in one."


def _best(t: SearchTable) -> list[SearchRow]:
    """Return the best trials by the first objective, and the defaults where they are not among them."""
    done = [row for row in t.rows if row.state == FINISHED]
    sign = 1.0 if t.minimised[0] else -1.0
    best = sorted(done, key=lambda row: sign * row.values[0])[:ENDS]
    return best if not t.rows or t.rows[0] in best else [*best, t.rows[0]]


def _rows(t: SearchTable, rows: Sequence[SearchRow]) -> str:
    if not rows:
        return ""
    head = ["trial", *t.objectives, "net return", "Sharpe", "turnover a year", "fills", "settings"]
    return table(
        head,
        [
            [
                row.name if row.name != t.rows[0].name else f"{row.name} (defaults)",
                *(number(value) for value in row.values or [None] * len(t.objectives)),
                written(row.net_return, percent), written(row.sharpe, two_digits),
                "–" if row.turnover is None else f"{row.turnover:,.1f} ×", f"{row.fills:,}",
                _settings(row, ""),
            ]
            for row in rows
        ],
    )  # fmt: skip


def _settings(row: SearchRow, before: str = ": ") -> str:
    text = ", ".join(f"{key} = {_short(value)}" for key, value in row.settings.items())
    return f"{before}{text}" if text else ""


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{len(value)} values" if isinstance(value, list) and len(value) > 4 else str(value)


def _importance(t: SearchTable) -> str:
    if not t.importance:
        return f"Too few trials went through all folds to say ({t.evaluator})."
    rows = [[key, percent(share)] for key, share in t.importance.items()]
    return f"{t.evaluator}.\n\n" + table(["setting", "share"], rows)


def _failures(t: SearchTable) -> str:
    failed = [row for row in t.rows if row.state == FAILED]
    if not failed:
        return ""
    return "## Failed\n\n" + table(
        ["trial", "why"], [[row.name, row.reason.replace("\n", " ")] for row in failed]
    )
