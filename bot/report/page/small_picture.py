"""A run's equity as a small PNG, for messages: read at a glance, on a phone, on dark and light alike."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bot.blocks import F64, I64
from bot.report.money.metrics import drawdowns
from bot.report.page.downsample import thinned

PAPER, INK, FAINT, UP, DOWN = "#ffffff", "#22262b", "#d9dde2", "#1b7f4d", "#b3372f"
INCHES, DOTS = (6.0, 3.4), 160


def equity_png(name: str, times: I64, equity: F64) -> bytes:
    """Return equity over its drawdown as a PNG; times are bars' open times, in ms UTC."""
    with mpl.rc_context({"font.family": "sans-serif", "font.size": 9.0, "timezone": "UTC"}):
        figure = Figure(figsize=INCHES, dpi=DOTS, facecolor=PAPER, layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.0, 1.0])
        at = thinned(equity)
        days = times[at] / 86_400_000.0
        gain = equity[-1] / equity[0] - 1.0 if len(equity) and equity[0] else 0.0
        colour = UP if gain >= 0.0 else DOWN
        above.plot(days, equity[at], color=colour, linewidth=1.6)
        above.fill_between(
            days, equity[at], float(equity.min()), color=colour, alpha=0.12, linewidth=0
        )
        above.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
        above.yaxis.set_major_locator(MaxNLocator(5))
        above.set_title(
            f"{name}   {equity[-1]:,.0f}   {gain:+.2%}".replace("-", "\N{MINUS SIGN}"),
            loc="left", fontsize=12, fontweight="bold", color=INK,
        )  # fmt: skip
        fall = -drawdowns(equity)[at]
        below.fill_between(days, fall, 0.0, color=DOWN, alpha=0.35, linewidth=0)
        below.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.1f} %"))
        below.yaxis.set_major_locator(MaxNLocator(3))
        locator = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
        below.xaxis.set_major_locator(locator)
        below.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        for axes in (above, below):
            axes.set_facecolor(PAPER)
            axes.grid(visible=True, color=FAINT, linewidth=0.6)
            axes.tick_params(colors=INK, length=0)
            for side in ("top", "right", "left", "bottom"):
                axes.spines[side].set_visible(False)
            if len(np.unique(days)) > 1:
                axes.set_xlim(float(days[0]), float(days[-1]))
        drawn = io.BytesIO()
        FigureCanvasAgg(figure).print_png(drawn)  # type: ignore[no-untyped-call]
    return drawn.getvalue()
