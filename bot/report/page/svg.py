"""From a matplotlib figure to SVG that lives inside the page and takes on its colours.

Colours of lines and text are stand-ins that become CSS variables, so that the page's light and
dark looks reach into the pictures. The same figure gives the same text: no dates, no random ids, no
metadata. Figures are drawn with matplotlib's objects, never pyplot, inside `look()`.
"""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from bot.blocks import F64, I64
from bot.timegrid import DAY_MS

INK, GRID, RUN, HELD, MODEL = "#010203", "#010204", "#010205", "#010206", "#010207"
_VARIABLES = {INK: "ink", GRID: "grid", RUN: "run", HELD: "held", MODEL: "model"}

_AGAINST, _FOR = (0.87, 0.43, 0.10), (0.16, 0.47, 0.84)
BALANCE = LinearSegmentedColormap.from_list(
    "balance",
    [(0.0, (*_AGAINST, 0.7)), (0.5, (*_AGAINST, 0.0)), (0.5, (*_FOR, 0.0)), (1.0, (*_FOR, 0.7))],
)
"""From orange (negative) through nothing to blue (positive), light enough for text on it."""

SERIES = ("#2a78d6", "#c2701a", "#2f9a5d", "#b0478f", "#8a7a1f", "#5b6bd0")
"""Colours of lines side by side, to be told apart on light and dark paper."""

WIDTH = 10.0
"""Inches of every figure, so that text has one size throughout the page."""

_LOOK: Any = {
    "svg.hashsalt": "report",
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11.0,
    "axes.titlesize": 12.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG element with a title and a sentence on how to read it."""

    title: str
    caption: str
    svg: str


def look() -> AbstractContextManager[None]:
    """Return the context in which figures of the page are made and written."""
    return mpl.rc_context(_LOOK)


def new_figure(height: float) -> Figure:
    """Return an empty figure of the page's width and a height in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def date_axis(axes: Axes) -> None:
    """Let an axis show dates, as short as they can be told apart."""
    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)


def days(time_ms: I64) -> F64:
    """Return times in ms UTC as matplotlib counts them, in days since 1970."""
    return time_ms / DAY_MS


def svg_of(figure: Figure, title: str) -> str:
    """Return the figure as one <svg> element, named for those who cannot see it."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing, dpi=144)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(
        r'(<svg[^>]*?) height="[^"]*"', rf'\1 role="img" aria-label="{title}"', text, count=1
    )
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' style="([^"]*)"', _as_attributes, text)
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, f"var(--{variable})")
    return text


def _as_attributes(style: re.Match[str]) -> str:
    """Return a style as attributes of the element, which a policy against inline style lets be."""
    found = []
    for part in style[1].split(";"):
        name, _, value = (each.strip() for each in part.partition(":"))
        shorthand = re.fullmatch(r"(?:(\w+) )?(\d+(?:\.\d+)?px) (.*)", value)
        if name == "font" and shorthand:  # matplotlib before 3.10
            weight, size, family = shorthand.groups()
            found += [("font-size", size), ("font-family", family)]
            found += [("font-weight", weight)] if weight else []
        elif name:
            found.append((name, value))
    return "".join(f' {name}="{value}"' for name, value in found)
