"""The paths of a cross-validation as tables, JSON and a picture: how far a Sharpe ratio depends on which years taught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from rich.markdown import Markdown

from bot.report.study.text import number, table

NO_EVIDENCE = (
    "**This ranks settings; it is no evidence about trading.** Each group is forecast by models that learned from what came "
    "after it too, which no trader can. What trading would have been worth, `bot compare` says walk-forward."
)

Ratios = tuple[float | None, ...]


@dataclass(frozen=True)
class PathsTable:
    """What each contender's paths came to.

    Attributes:
        setting: what was cut how, in words.
        sharpe: by contender, of each path, a year; None where the path never traded or went bankrupt.
        net_return: likewise, total.
        trials: how much was tried on these bars.
    """

    title: str
    setting: str
    sharpe: Mapping[str, Ratios]
    net_return: Mapping[str, tuple[float, ...]]
    trials: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return asdict(self) | {"summary": {name: summary(r) for name, r in self.sharpe.items()}}


def summary(ratios: Ratios) -> dict[str, float | int | None]:
    """Return the distribution of the ratios there are, and the share of all paths that is not above zero.

    >>> summary((1.0, 3.0, None))["mean"], round(summary((1.0, 3.0, None))["not above zero"], 3)
    (2.0, 0.333)
    """
    known = np.array([r for r in ratios if r is not None])
    share = float(np.mean([r is None or r <= 0.0 for r in ratios]))
    found: dict[str, float | int | None] = {"paths": len(ratios), "not above zero": share}
    names = ("mean", "deviation", "least", "median", "most")
    if not len(known):
        return found | dict.fromkeys(names)
    deviation = float(np.std(known, ddof=1)) if len(known) > 1 else None
    values = (known.mean(), deviation, known.min(), np.median(known), known.max())
    return found | {
        name: None if value is None else float(value)
        for name, value in zip(names, values, strict=True)
    }


def ahead(first: Ratios, second: Ratios) -> tuple[float | None, int, int]:
    """Return the mean of the differences path by path, on how many the first is ahead, and of how many.

    >>> ahead((1.0, 2.0, None), (0.5, 3.0, 1.0))
    (-0.25, 1, 2)
    """
    both = [a - b for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    mean = float(np.mean(both)) if both else None
    return mean, sum(d > 0.0 for d in both), len(both)


def to_markdown(t: PathsTable) -> str:
    """Return the tables."""
    rows = []
    for name, ratios in t.sharpe.items():
        s = summary(ratios)
        share = s["not above zero"]
        cells = [number(s[key]) for key in ("mean", "deviation", "least", "median", "most")]
        net = float(np.median(t.net_return[name]))
        rows.append([name, str(s["paths"]), *cells, f"{share:.0%}", f"{net:+.2%}"])
    parts = [
        f"# {t.title}, cross-validated",
        NO_EVIDENCE,
        t.setting,
        "## Sharpe ratio a year, after costs, of the paths\n\n"
        + table(
            ["contender", "paths", "mean", "deviation", "least", "median", "most", "not above 0", "net return, median"],
            rows,
        ),
        "Paths share trainings and bars, so they are not independent: the deviation says how far a result depends on which "
        "part of the past taught, and is no standard error.",
        _pairs(t),
        f"{t.trials['text']} The best median path here is that of {t.trials['best']}.",
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _pairs(t: PathsTable) -> str:
    first, *others = t.sharpe
    if not others:
        return ""
    rows = []
    for other in others:
        mean, won, of = ahead(t.sharpe[first], t.sharpe[other])
        rows.append([other, number(mean), f"{won} of {of}"])
    return f"## {first} less the others, path by path\n\n" + table(
        ["less", "mean difference", f"paths on which {first} is ahead"], rows
    )


def render(t: PathsTable) -> Markdown:
    """Return the tables for a terminal."""
    return Markdown(to_markdown(t))


def draw(t: PathsTable, path: Path) -> None:
    """Write a PNG: a row a contender, a dot a path, a bar at the median."""
    names = list(t.sharpe)
    with mpl.rc_context({"font.size": 9.0, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(7.0, 1.4 + 0.45 * len(names)), layout="constrained")
        panel = figure.subplots()
        figure.suptitle(f"{t.title}: Sharpe ratio of each path, a year, after costs", fontsize=11)
        for place, name in enumerate(names):
            known = sorted(r for r in t.sharpe[name] if r is not None)
            spread = place + 0.3 * (np.arange(len(known)) % 3 - 1) / 2.0
            panel.plot(known, spread, "o", color="#0969da", alpha=0.7, markersize=5)
            if not known:
                panel.annotate(
                    "no path has a ratio",
                    (0.01, place),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    color="#57606a",
                    fontsize=8,
                )
            else:
                middle = float(np.median(known))
                panel.plot(
                    [middle, middle], [place - 0.35, place + 0.35], color="#24292f", linewidth=2
                )
        panel.axvline(0.0, color="#57606a", linewidth=1)
        panel.set_yticks(range(len(names)), names)
        panel.set_ylim(len(names) - 0.5, -0.5)
        figure.savefig(path, dpi=120)
