"""The pictures of the heads: forecast against realised values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bot.blocks import F64
from bot.model.tasks import output_of
from bot.report.inputs import RunData
from bot.report.page.downsample import quantile_bins
from bot.report.page.hexagons import DrawnArea, counted_hexagons
from bot.report.page.svg import INK, RUN, Picture, new_figure, svg_of
from bot.report.skill.baselines.rows import heads
from bot.report.skill.chosen_rows import Empty, gathered
from bot.wording import counted

_LEAST_ROWS = 20
_COLUMNS = 2
_HEXAGONS = (44, 30)
_FORMS: dict[str, tuple[str, Callable[[float], str]]] = {
    "return": ("return, bp", lambda v: f"{1e4 * v:.4g}"),
    "direction": ("probability of a rise", lambda v: f"{100 * v:.3g} %"),
    "regime": ("probability of a rough time", lambda v: f"{100 * v:.3g} %"),
    "volatility": ("volatility a bar, %", lambda v: f"{100 * v:.3g}"),
    "volume": ("log relative volume", lambda v: f"{v:.3g}"),
}


@dataclass(frozen=True, slots=True)
class ScoredHead:
    """Forecasts and labels float64[rows] of a kind and horizon, the heads of all symbols pooled.

    Attributes:
        empty: makes arrays of so many rows.
    """

    kind: str
    horizon: int
    forecast: F64
    label: F64
    empty: Empty = np.empty


def judged(run: RunData) -> list[ScoredHead]:
    """Return the judged rows of each kind and horizon that has enough of them."""
    groups: dict[tuple[str, int], list[tuple[F64, ...]]] = {}
    for head in heads(run):
        pair = tuple(gathered(v, head.rows, run.empty) for v in (head.forecast, head.label))
        groups.setdefault((head.task.kind, head.task.horizon), []).append(pair)
    pooled = []
    for (kind, horizon), pairs in groups.items():
        forecast, label = (_joined(side) for side in zip(*pairs, strict=True))
        pooled.append(ScoredHead(kind, horizon, forecast, label, run.empty))
    return [group for group in pooled if len(group.forecast) >= _LEAST_ROWS]


def _joined(parts: tuple[F64, ...]) -> F64:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def calibration_picture(groups: list[ScoredHead]) -> Picture:
    """Return, for each head, mean outcome against mean forecast, in tenths of the forecasts."""
    rows = -(-len(groups) // _COLUMNS)
    figure = new_figure(3.6 * rows)
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes, group in zip(panels, groups, strict=False):
        _calibration(axes, group)
    for axes in panels[len(groups) :]:
        axes.set_axis_off()
    caption = (
        "Each point is a tenth of the forecasts, from lowest to highest: their mean against "
        "the mean of the realised values, with two standard errors (rows over the horizon, since "
        "labels overlap). On the dashed line forecasts are right on average; a flat line means no "
        "skill."
    )
    title = "Calibration of each head"
    return Picture(title, caption, svg_of(figure, title))


def _calibration(axes: Axes, group: ScoredHead) -> None:
    forecast, outcome, deviation, rows = quantile_bins(
        group.forecast, group.label, empty=group.empty
    )
    error = 2.0 * deviation / np.sqrt(np.maximum(rows / group.horizon, 1.0))
    ends = np.array([forecast.min(), forecast.max()])
    axes.plot(ends, ends, color=INK, linewidth=1.0, linestyle="--")
    axes.axhline(float(group.label.mean()), color=INK, linewidth=0.8, linestyle=(0, (1, 3)))
    axes.errorbar(forecast, outcome, yerr=error, color=RUN, marker="o", markersize=4.5, capsize=2.5)
    _name(axes, group)


def scatter_picture(groups: list[ScoredHead]) -> Picture:
    """Return, for each regression head, how often each forecast met each outcome."""
    shown = [group for group in groups if output_of(group.kind) not in ("probability", "side")]
    columns = 3
    rows = -(-len(shown) // columns)
    figure = new_figure(3.7 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, group in zip(panels, shown, strict=False):
        _density(axes, group)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    caption = (
        "The brighter, the more bars, on a log scale. The dashed line is a perfect forecast. "
        "The outer 0.5 % on each side are off the picture."
    )
    title = "Forecast against outcome"
    return Picture(title, caption, svg_of(figure, title))


def _density(axes: Axes, group: ScoredHead) -> None:
    (left, right), (low, high) = (_middle(v, group.empty) for v in (group.forecast, group.label))
    found = counted_hexagons(
        group.forecast, group.label, _HEXAGONS, DrawnArea(left, right, low, high)
    )
    axes.hexbin(
        found.x,
        found.y,
        C=found.points,
        reduce_C_function=np.sum,
        gridsize=_HEXAGONS,
        extent=(left, right, low, high),
        bins="log",
        cmap="viridis",
        linewidths=0.0,
        rasterized=True,
    )
    ends = np.array([max(left, low), min(right, high)])
    if ends[0] < ends[1]:
        axes.plot(ends, ends, color=INK, linewidth=1.0, linestyle="--")
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    axes.grid(visible=False)
    _name(axes, group)


def _middle(values: F64, empty: Empty) -> tuple[float, float]:
    """Return the span of the middle 99 % of the values, never empty."""
    copy = empty(values.shape)
    copy[...] = values
    low, high = (float(q) for q in np.quantile(copy, [0.005, 0.995], overwrite_input=True))
    if low == high:
        pad = abs(low) * 0.01 + 1e-9
        return low - pad, high + pad
    return low, high


def _name(axes: Axes, group: ScoredHead) -> None:
    unit, form = _FORMS.get(group.kind, (group.kind, lambda v: f"{v:.3g}"))
    axes.set_title(f"{group.kind}, {counted(group.horizon, 'bar')} ahead")
    axes.set_xlabel(f"forecast {unit}")
    axes.set_ylabel("realised" if output_of(group.kind) != "probability" else "share that rose")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda v, _: form(v)))
