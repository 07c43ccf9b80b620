"""What the page's charts draw, as JSON values: times and series, in as few digits as the eye needs.

Rules: long series keep the first, the last and every extreme of equal stretches; a number has six digits and what is not known is None. A chart says what it is in
words of its own, for those who cannot see it. Must not know HTML.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64
from bot.report.inputs import RunData
from bot.report.money.days import days_of
from bot.report.money.metrics import drawdowns
from bot.report.page.downsample import bucket_means, thinned
from bot.report.tear.periods import by_length
from bot.report.tear.sheet import TearSheet
from bot.timegrid import DAY_MS, spans

POINTS = 5_000
"""Most points of a series before the extremes of others join."""
SYMBOLS = 40
"""Most symbols with candles: those with the most round trips."""
COLUMNS = 700
"""Most stretches of time whose mean exposure is drawn."""

Json = dict[str, Any]


def charts(run: RunData, sheet: TearSheet) -> Json:
    """Return the charts of a run by name; one without anything to draw is left out."""
    found = {
        "equity": equity_chart(run, sheet),
        "costs": costs_chart(run),
        "years": years_chart(sheet),
        "rolling": rolling_chart(sheet),
        "exposure": exposure_chart(run),
        "days": days_chart(sheet),
        "groups": groups_chart(sheet),
    }
    return {name: chart for name, chart in found.items() if chart is not None}


def compact(values: npt.NDArray[Any] | Sequence[Any], digits: int = 6) -> list[float | int | None]:
    """Return numbers with so many digits, whole ones without a point, None for what is not finite.

    >>> compact(np.array([100000.0, 0.123456789, np.nan]))
    [100000, 0.123457, None]
    """
    out: list[float | int | None] = []
    for value in np.asarray(values, dtype=np.float64).tolist():
        if not math.isfinite(value):
            out.append(None)
            continue
        short = float(f"{value:.{digits}g}")
        out.append(int(short) if short.is_integer() and abs(short) < 1e15 else short)
    return out


def times(time_ms: I64, unit_ms: int) -> Json:
    """Return times as a first one and steps in units of so many ms."""
    steps = np.diff(time_ms, prepend=time_ms[:1]) // unit_ms
    return {"from": int(time_ms[0]), "unit": unit_ms, "steps": steps.tolist()}


def equity_chart(run: RunData, sheet: TearSheet) -> Json:
    """Return equity over drawdown, of the run and of buy and hold, with the changes of model."""
    held = np.where(np.isfinite(sheet.held_curve), sheet.held_curve, sheet.held_curve[0])
    at = np.union1d(thinned(sheet.curve, POINTS), thinned(held, POINTS))
    curves = [sheet.curve[at], held[at]]
    lowest, highest = min(c.min() for c in curves), max(c.max() for c in curves)
    falls = [-drawdowns(sheet.curve)[at], -drawdowns(held)[at]]
    return {
        "kind": "time",
        "says": "Equity after all costs over its drawdown, beside buy and hold.",
        "t": times(sheet.time_ms[at], _unit(run)),
        "panels": [
            _panel("equity", "amount", 260, [
                _series("run", "blue", curves[0]), _series("buy and hold", "amber", curves[1]),
            ], log=bool(lowest > 0.0 and highest / lowest > 4.0)),
            _panel("drawdown", "percent", 120, [
                _series("run", "blue", falls[0], area=True), _series("buy and hold", "amber", falls[1]),
            ], zero=True),
        ],
        "marks": _model_changes(run),
    }  # fmt: skip


def costs_chart(run: RunData) -> Json | None:
    """Return gross and net profit and what was paid, summed over the days."""
    days = days_of(run, run.start_index)
    if not len(days.day) or not days.costs.any():
        return None
    time = (days.day + 1) * DAY_MS
    lines = [
        _series("gross", "soft", np.cumsum(days.gross)),
        _series("costs", "loss", -np.cumsum(days.costs)),
        _series("net", "blue", np.cumsum(days.net)),
    ]
    return {
        "kind": "time",
        "says": "Gross profit, costs and net profit of each day's opening equity, summed.",
        "t": times(time, DAY_MS),
        "panels": [_panel("of each day's equity, summed", "percent", 220, lines, zero=True)],
    }


def years_chart(sheet: TearSheet) -> Json | None:
    """Return the returns of years, of months where there are fewer than two years."""
    daily = sheet.daily
    length = "year" if len(np.unique(daily.year)) > 2 else "month"
    first, mine = by_length(daily.date, daily.run, length)
    held = by_length(daily.date, daily.held, length)[1]
    if len(first) < 2:
        return None
    names = [str(x)[:4] if length == "year" else str(x)[:7] for x in first]
    return {
        "kind": "columns",
        "says": f"Return of each {length} of the run beside buy and hold.",
        "names": names,
        "unit": "percent",
        "series": [_series("run", "blue", mine), _series("buy and hold", "amber", held)],
    }


def rolling_chart(sheet: TearSheet) -> Json | None:
    """Return the rolling figures; None with too few days."""
    r = sheet.rolling
    if r is None:
        return None
    return {
        "kind": "time",
        "says": f"Sharpe ratio, volatility and beta of the last {r.window} days.",
        "t": times((r.day + 1) * DAY_MS, DAY_MS),
        "panels": [
            _panel("Sharpe ratio", "ratio", 140, [
                _series("run", "blue", r.sharpe), _series("buy and hold", "amber", r.held_sharpe),
            ], zero=True),
            _panel("volatility a year", "percent", 120, [
                _series("run", "blue", r.volatility),
                _series("buy and hold", "amber", r.held_volatility),
            ], zero=True),
            _panel("beta", "ratio", 110, [_series("run", "blue", r.beta)], zero=True),
        ],
    }  # fmt: skip


def exposure_chart(run: RunData) -> Json:
    """Return gross and net exposure over a strip a symbol: its weight, in means of equal stretches."""
    start = run.start_index
    weights, sizes = held_weights(run, start)
    means = bucket_means(weights, COLUMNS)
    ends = np.linspace(0, len(weights), len(means) + 1).astype(np.int64)
    most = np.argsort(-sizes.mean(axis=0), kind="stable")[:SYMBOLS]
    net = means[:, 1:].sum(axis=1)
    exposure = [
        _series("gross", "soft", means[:, 0], area=True),
        _series("net", "blue", net),
    ]
    largest = float(np.abs(means[:, 1:]).max(initial=0.0)) or 1.0
    strips = [
        {"name": run.symbols[s], "largest": largest, "y": compact(means[:, 1 + s], 3)}
        for s in most.tolist()
    ]
    stretch = max(1, round(len(weights) / len(means)))
    return {
        "kind": "time",
        "says": "Gross and net exposure at each close as a share of equity, and weights by symbol.",
        "t": times(run.open_time[start:][ends[:-1]], _unit(run)),
        "step": stretch * run.interval_ms,
        "panels": [_panel("exposure", "percent", 150, exposure, zero=True)],
        "strips": strips if run.n_symbols > 1 else [],
        "marks": _model_changes(run),
    }


def days_chart(sheet: TearSheet) -> Json | None:
    """Return the distribution of daily returns beside a normal one; None with too few days."""
    found = sheet.histogram
    if found is None:
        return None
    edges = found["edges"]
    middles = [(a + b) / 2.0 for a, b in itertools.pairwise(edges)]
    return {
        "kind": "columns",
        "says": "Number of days by return, beside what a normal distribution would have.",
        "names": [f"{100 * m:+.2f} %" for m in middles],
        "unit": "count",
        "series": [_series("days", "blue", found["counts"])],
        "line": _series("normal", "amber", found["normal"], digits=4),
    }


def groups_chart(sheet: TearSheet) -> Json | None:
    """Return the net profit of round trips in groups; None without one."""
    if not len(sheet.trades):
        return None
    return {
        "kind": "groups",
        "says": "Net profit of round trips by group.",
        "unit": "amount",
        "groups": {
            name: {
                "names": [row["name"] for row in rows],
                "profit": compact([row["profit"] for row in rows]),
                "count": [row["count"] for row in rows],
                "won": compact([row["win_rate"] for row in rows], 4),
                "mean": compact([row["mean_fraction"] for row in rows], 4),
            }
            for name, rows in sheet.groups.items()
        },
    }


def held_weights(run: RunData, start: int) -> tuple[F64, F64]:
    """Return float64[m, 1 + S], gross exposure and each position at its close as a fraction of equity, and
    float64[m, S], their sizes."""
    equity = np.where(run.equity[start:] > 0.0, run.equity[start:], np.inf)
    weights, sizes = (
        run.empty((len(equity), width)) for width in (run.n_symbols + 1, run.n_symbols)
    )
    for at in spans(*sizes.shape):
        weights[at, 1:] = run.value(start + at.start, start + at.stop) / equity[at, None]
        sizes[at] = np.abs(weights[at, 1:])
        weights[at, 0] = sizes[at].sum(axis=1)
    return weights, sizes


def _unit(run: RunData) -> int:
    """Return what all times of the bars are multiples of, counted from the first."""
    return math.gcd(run.interval_ms, *np.diff(run.open_time).tolist()[:1000]) or run.interval_ms


def _panel(
    label: str, unit: str, height: int, series: Iterable[Json], *, log: bool = False,
    zero: bool = False,
) -> Json:  # fmt: skip
    return {
        "label": label, "unit": unit, "height": height, "log": log, "zero": zero,
        "series": list(series),
    }  # fmt: skip


def _series(
    name: str, colour: str, values: Any, *, area: bool = False, digits: int = 6
) -> Json:  # fmt: skip
    return {"name": name, "colour": colour, "area": area, "y": compact(values, digits)}


def _model_changes(run: RunData) -> list[int]:
    """Return when new models took over, ms, from the start on."""
    first = int(run.open_time[run.start_index])
    return [m.effective_from_ms for m in run.models if m.effective_from_ms >= first]
