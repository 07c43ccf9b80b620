"""A comparison as a picture: each contender's difference from the first, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bot.report.study.comparison import Comparison, PairedDifference
from bot.report.study.endpoints import NET_RETURN

FAR = 4.0
"""A difference so many times the median of the others' ends would leave these no room: it stands at the edge."""

_COLOURS = {"better": "#1a7f37", "worse": "#b42318"}


def draw(comparison: Comparison, title: str, path: Path) -> None:
    """Write a PNG: a panel an endpoint, a row a contender, right of zero where the first is ahead."""
    wanted = [*comparison.primary, "volume MSE skill", NET_RETURN, "Sharpe after costs"]
    shown = [name for name in dict.fromkeys(wanted) if name in comparison.endpoints]
    first, others = comparison.names[0], comparison.names[1:]
    with mpl.rc_context({"font.size": 9.0, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(
            figsize=(3.0 * len(shown) + 1.5, 1.2 + 0.42 * len(others)), layout="constrained"
        )
        figure.suptitle(f"{title}: {first} less the others, 95 % intervals", fontsize=11)
        axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for panel, name in zip(axes, shown, strict=True):
            rows = {
                d.second: d
                for d in comparison.differences
                if (d.endpoint, d.first) == (name, first)
            }
            reach = _reach([rows[other] for other in others])
            for place, other in enumerate(others):
                d = rows[other]
                colour = _COLOURS.get(d.verdict, "#57606a")
                if d.low is not None and d.high is not None:
                    panel.plot([d.low, d.high], [place, place], color=colour, linewidth=2)
                if d.value is not None and abs(d.value) <= reach:
                    panel.plot([d.value], [place], "o", color=colour, markersize=5)
                elif d.value is not None:
                    _beyond(panel, d.value, place, reach, colour)
            panel.set_xlim(*_limits(panel.get_xlim(), reach))
            panel.axvline(0.0, color="#24292f", linewidth=1)
            panel.set_title(name, fontsize=9)
            panel.tick_params(axis="x", labelsize=7)
            panel.locator_params(axis="x", nbins=5)
        axes[0].set_yticks(range(len(others)), others)
        axes[0].invert_yaxis()
        figure.savefig(path, dpi=120)


def _reach(shown: Sequence[PairedDifference]) -> float:
    """Return how far from zero a panel goes; without an end where no difference leaves the rest behind."""
    ends = [
        max(abs(end) for end in (d.low, d.value, d.high) if end is not None)
        for d in shown if d.value is not None
    ]  # fmt: skip
    near = FAR * float(np.median(ends)) if ends else 0.0
    return max([end for end in ends if end <= near], default=np.inf) if near else np.inf


def _beyond(panel: Any, value: float, place: int, reach: float, colour: str) -> None:
    """Mark a difference that lies outside the panel at its edge, by its value."""
    right = value > 0.0
    panel.plot([np.copysign(reach, value)], [place], ">" if right else "<", color=colour)
    panel.annotate(
        f"{value:+.2g}", (np.copysign(reach, value), place), (-6 if right else 6, 5),
        textcoords="offset points", ha="right" if right else "left", fontsize=7, color=colour,
    )  # fmt: skip


def _limits(drawn: tuple[float, float], reach: float) -> tuple[float, float]:
    return max(drawn[0], -1.15 * reach), min(drawn[1], 1.15 * reach)
