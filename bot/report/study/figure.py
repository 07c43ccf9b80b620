"""A comparison as a picture: each contender's difference from the first, with its interval."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bot.report.study.comparison import Comparison
from bot.report.study.endpoints import NET_RETURN

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
            for place, other in enumerate(others):
                d = rows[other]
                colour = _COLOURS.get(d.verdict, "#57606a")
                if d.low is not None and d.high is not None:
                    panel.plot([d.low, d.high], [place, place], color=colour, linewidth=2)
                if d.value is not None:
                    panel.plot([d.value], [place], "o", color=colour, markersize=5)
            panel.axvline(0.0, color="#24292f", linewidth=1)
            panel.set_title(name, fontsize=9)
            panel.tick_params(axis="x", labelsize=7)
            panel.locator_params(axis="x", nbins=5)
        axes[0].set_yticks(range(len(others)), others)
        axes[0].invert_yaxis()
        figure.savefig(path, dpi=120)
