"""The pictures of a run's money: equity and drawdown beside buy and hold, and what was held."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bot.blocks import F64, I64
from bot.report.inputs import RunData
from bot.report.money.buy_and_hold import buy_and_hold
from bot.report.money.metrics import drawdowns
from bot.report.page.downsample import bucket_means, thinned
from bot.report.page.svg import (
    GRID,
    HELD,
    INK,
    MODEL,
    RUN,
    Picture,
    date_axis,
    days,
    new_figure,
    svg_of,
)

_LOG_FROM = 4.0
_MOST_COLUMNS = 450
_MOST_NAMES = 40
_SHORT, _LONG = (0.87, 0.43, 0.10), (0.16, 0.47, 0.84)
_SIDES = LinearSegmentedColormap.from_list(
    "sides", [(*_SHORT, 1.0), (*_SHORT, 0.0), (*_LONG, 0.0), (*_LONG, 1.0)]
)


def equity_picture(run: RunData) -> Picture:
    """Return equity over drawdown, of the run and of buy and hold, with the changes of model."""
    start = run.start_index
    capital = run.equity_before(start)
    first = run.open_time[start : start + 1]
    time = np.concatenate((first, run.open_time[start:] + run.interval_ms))
    mine = np.concatenate(([capital], run.equity[start:]))
    held = np.concatenate(([capital], buy_and_hold(run, start)))

    figure = new_figure(5.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, 1.0])
    for axes in (above, below):
        _model_changes(axes, run)
    lowest, highest = min(mine.min(), held.min()), max(mine.max(), held.max())
    logarithmic = bool(lowest > 0.0 and highest / lowest > _LOG_FROM)
    if logarithmic:
        above.set_yscale("log")
        above.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        above.yaxis.set_minor_locator(NullLocator())
    above.axhline(capital, color=INK, linewidth=0.8, linestyle=(0, (2, 3)))
    _line(above, time, held, color=HELD, label="buy and hold, equal weights")
    _line(above, time, mine, color=RUN, label=run.name)
    above.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
    above.set_ylabel("equity, log scale" if logarithmic else "equity")
    above.set_title("Equity after all costs, in the account's currency")

    fall, held_fall = -drawdowns(mine), -drawdowns(held)
    _line(below, time, held_fall, color=HELD, linewidth=1.0)
    at = thinned(fall)
    below.fill_between(days(time[at]), fall[at], 0.0, color=RUN, alpha=0.3, linewidth=0)
    _line(below, time, fall, color=RUN, linewidth=1.0)
    below.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.0f} %"))
    below.set_ylabel("drawdown")
    below.margins(x=0.0)
    date_axis(below)
    above.legend(loc="upper left", ncols=3, bbox_to_anchor=(0.0, -0.01), borderaxespad=0.0)
    caption = (
        "Below: the drawdown from the highest equity so far. Dotted lines: a new model takes effect. "
        "Buy and hold pays its costs once, and the funding of contracts."
    )
    title = "Equity and drawdown"
    return Picture(title, caption, svg_of(figure, title))


def positions_picture(run: RunData) -> Picture:
    """Return gross and net exposure over a map of each symbol's weight in time."""
    start = run.start_index
    weights = held_weights(run, start)
    time = run.open_time[start:] + run.interval_ms
    means = bucket_means(weights, _MOST_COLUMNS)
    middles = ((np.arange(len(means)) + 0.5) * len(time) / len(means)).astype(np.int64)

    names = min(run.n_symbols, _MOST_NAMES)
    figure = new_figure(2.6 + 0.6 + 0.26 * max(names, 4))
    above, below = figure.subplots(
        2, 1, sharex=True, height_ratios=[2.2, 0.6 + 0.26 * max(names, 4)]
    )
    for axes in (above, below):
        _model_changes(axes, run)
    moments = days(time[middles])
    gross = bucket_means(np.abs(weights).sum(axis=1, keepdims=True), _MOST_COLUMNS)
    above.fill_between(
        moments, gross[:, 0], 0.0, color=MODEL, alpha=0.35, linewidth=0, label="gross"
    )
    above.axhline(0.0, color=INK, linewidth=0.8)
    above.plot(moments, means.sum(axis=1), color=RUN, label="net", linewidth=1.2)
    above.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.0f} %"))
    above.set_ylabel("of equity")
    above.set_title("Exposure")
    above.legend(loc="lower right", ncols=3, bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    _weight_map(below, run, means, time)
    caption = (
        f"Means over stretches of {max(1, round(len(weights) / len(means)))} bars. In the map blue "
        "is long and orange short; the fullest colour is the largest weight there."
    )
    title = "Positions"
    return Picture(title, caption, svg_of(figure, title))


def held_weights(run: RunData, start: int) -> F64:
    """Return float64[m, S], each position at its close as a fraction of equity."""
    value = np.nan_to_num(run.quantity[start:] * run.price[start:])
    equity = np.where(run.equity[start:] > 0.0, run.equity[start:], np.inf)
    weights: F64 = value / equity[:, None]
    return weights


def _weight_map(axes: Axes, run: RunData, means: F64, time: I64) -> None:
    largest = float(np.max(np.abs(means))) or 1.0
    left, right = days(np.array([time[0] - run.interval_ms, time[-1]]))
    axes.imshow(
        means.T,
        aspect="auto",
        cmap=_SIDES,
        vmin=-largest,
        vmax=largest,
        extent=(left, right, run.n_symbols - 0.5, -0.5),
        interpolation="nearest",
    )
    step = -(-run.n_symbols // _MOST_NAMES)
    shown = range(0, run.n_symbols, step)
    axes.set_yticks(list(shown), [run.symbols[s] for s in shown])
    axes.set_title(f"Weight of each symbol, up to ±{100 * largest:.0f} % of equity")
    axes.grid(visible=False)
    for s in range(run.n_symbols - 1):
        axes.axhline(s + 0.5, color=GRID, linewidth=0.8)
    date_axis(axes)


def _line(axes: Axes, time: I64, values: F64, **style: Any) -> None:
    at = thinned(values)
    axes.plot(days(time[at]), values[at], **style)


def _model_changes(axes: Axes, run: RunData) -> None:
    """Mark each bar from which a new model decides."""
    first = int(run.open_time[run.start_index])
    changes = [m.effective_from_ms for m in run.models if m.effective_from_ms >= first]
    for i, change in enumerate(days(np.array(changes, dtype=np.int64))):
        axes.axvline(
            float(change),
            color=MODEL,
            linewidth=0.9,
            linestyle=(0, (1, 3)),
            label="new model" if i == 0 else None,
            zorder=0.5,
        )
