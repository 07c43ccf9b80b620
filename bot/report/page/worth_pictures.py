"""The pictures of what trading was worth: the run among its controls, and returns by size of edge.

Rules: drawn from the summary, so that they say what the tables beside them say. Must not compute.
"""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from bot.report import formats as w
from bot.report.page.edge_sheets import CONTROLS
from bot.report.page.svg import HELD, INK, MODEL, RUN, Picture, new_figure, svg_of
from bot.report.summary import Summary


def controls_picture(summary: Summary) -> Picture:
    """Return the net return of the run beside those of its controls, with where 95 % of the twins lie."""
    controls = summary["edge"]["controls"]
    rows = [("run", summary["metrics"], RUN)]
    rows += [(label, controls[key], HELD) for key, label in CONTROLS]
    random = controls["random"]
    rows.append((f"{random['draws']:,} random twins", random, MODEL))
    figure = new_figure(0.9 + 0.42 * len(rows))
    axes = figure.add_subplot()
    for place, (_, found, colour) in enumerate(rows):
        value = found["total_return"]
        if value is None:
            axes.text(0.0, place, " " + w.DASH, va="center")
            continue
        low, high = found.get("low"), found.get("high")
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color=colour, linewidth=7,
                      alpha=0.35, solid_capstyle="butt")  # fmt: skip
        axes.plot([value], [place], "o", color=colour, markersize=8)
        axes.annotate(w.percent(value), (value, place), xytext=(0, 8), ha="center",
                      textcoords="offset points", fontsize=9, color=INK)  # fmt: skip
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.75)
    axes.margins(x=0.08)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.0f} %"))
    title = "Net return beside the controls"
    axes.set_title(title)
    caption = "Points are net returns of the whole span, of the twins their median; the bar holds 95 % of them."
    return Picture(title, caption, svg_of(figure, title))


def tenths_picture(summary: Summary) -> Picture | None:
    """Return the realised return of each tenth beside what it had to exceed; None without tenths."""
    found = summary["edge"]["tenths"]
    rows = found["rows"]
    if not rows:
        return None
    figure = new_figure(3.4)
    axes = figure.add_subplot()
    at = [row["tenth"] for row in rows]
    _intervals(axes, rows)
    axes.plot(at, [row["realised_bps"] for row in rows], "o", color=RUN, markersize=7,
              label="realised, 95 %")  # fmt: skip
    axes.plot(at, [row["expected_bps"] for row in rows], color=MODEL, linestyle=(0, (4, 3)),
              label="expected")  # fmt: skip
    axes.step(at, [row["cost_bps"] for row in rows], where="mid", color=HELD, label="cost")
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.set_xticks(at)
    axes.set_xlabel(f"tenth of the {found['by']}, smallest first")
    axes.set_ylabel("bp over the horizon")
    axes.grid(visible=False, axis="x")
    title = f"Realised return by tenth of the {found['by']}, beside its cost"
    axes.set_title(title)
    axes.legend(loc="upper left", ncols=3)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.18 * (high - low))  # the legend's own
    caption = (
        "A tenth was worth trading where its realised return, with its interval, is above the cost."
    )
    return Picture(title, caption, svg_of(figure, title))


def _intervals(axes: Axes, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["low_bps"] is not None:
            axes.plot([row["tenth"]] * 2, [row["low_bps"], row["high_bps"]], color=RUN,
                      linewidth=6, alpha=0.35, solid_capstyle="butt")  # fmt: skip
