"""The naive forecasts that each head has to beat, and the rows they may learn from.

A baseline is fitted per model in force, on that model's training rows only: bars of its training
span whose label was known by the close of the bar at which the training was due. Where a run has no
models (forecasts made elsewhere) there is one span: all bars before the first forecast.

Rules: a baseline forecast of bar t uses bars up to t and training rows only. NaN where there are no
training rows. Training rows of all symbols are pooled, as the model pools them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bot.blocks import F64, I64, Bool, Task
from bot.features.targets import known_at
from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.timegrid import HOUR_MS

EWMA_DECAY = 0.94
HOURS_OF_WEEK = 168

FLOOR_SHARE = 0.05
"""A volatility forecast below this share of the training rows' mean target is lifted to it, the
model's as the baseline's, so that QLIKE does not hang on one row."""


@dataclass(frozen=True, slots=True)
class Head:
    """A head's forecasts and labels float64[n, S], and bool[n, S] the rows it is judged on."""

    task: Task
    forecast: F64
    label: F64
    rows: Bool


@dataclass(frozen=True, slots=True)
class Era:
    """The bars a model decided on, and its training rows: bars first..stop-1 where `trained`."""

    model: int
    bars: I64
    first: int
    stop: int
    trained: Bool

    def training(self, values: F64) -> F64:
        """Return the values float64[n, S] of the training rows, flat."""
        return values[self.first : self.stop][self.trained]


def heads(run: Judged) -> list[Head]:
    """Return each task's forecasts and labels, judged from the run's start on."""
    if run.forecast is None or run.labels is None:
        return []
    result = []
    for k, task in enumerate(run.forecast.tasks):
        forecast, label = run.forecast.value[:, :, k], run.labels[:, :, k]
        rows = np.isfinite(forecast) & np.isfinite(label)
        rows[: run.start_index] = False
        result.append(Head(task, forecast, label, rows))
    return result


def eras(run: Judged, head: Head) -> Iterator[Era]:
    """Yield the eras of the models behind the head's forecasts that have training rows."""
    known = known_at(run.bars.in_session, head.task.horizon)
    for model, bars, first, stop, last_known in _spans(run, head):
        in_time = (known[first:stop] >= 0) & (known[first:stop] <= last_known)
        trained = np.isfinite(head.label[first:stop]) & in_time
        if len(bars) and trained.any():
            yield Era(model, bars, first, stop, trained)


def _spans(run: Judged, head: Head) -> Iterator[tuple[int, I64, int, int, int]]:
    """Yield model, the bars it decided on, its training span, and the last bar known to it."""
    if run.forecast is None:
        return
    if not run.models:
        bars = np.flatnonzero(np.isfinite(head.forecast).any(axis=1))
        if len(bars):
            yield -1, bars, 0, int(bars[0]), int(bars[0]) - 1
        return
    for m, info in enumerate(run.models):
        bars = np.flatnonzero(run.forecast.model == m)
        first, stop = np.searchsorted(run.open_time, [info.train_from_ms, info.train_to_ms + 1])
        due = int(np.searchsorted(run.open_time, info.due_ms, side="right")) - 1
        yield m, bars, int(first), int(stop), due


def _per_era(run: Judged, head: Head, fit: Callable[[Era], F64]) -> F64:
    """Return float64[n, S] of what `fit` says of each era's bars; NaN elsewhere."""
    out = np.full(head.label.shape, np.nan)
    for era in eras(run, head):
        out[era.bars] = fit(era)
    return out


@shipped("baseline", "base_rate")
def base_rate(run: Judged, head: Head) -> F64:
    """Return float64[n, S], the training rows' share of rises.

    It is (rises + 1) / (rows + 2), Laplace's rule, so that no span makes a rise impossible.
    """

    def fit(era: Era) -> F64:
        rises = era.training(head.label)
        return np.array((rises.sum() + 1.0) / (len(rises) + 2.0))

    return _per_era(run, head, fit)


@shipped("baseline", "training_mean")
def training_mean(run: Judged, head: Head) -> F64:
    """Return float64[n, S], the training rows' mean label."""
    return _per_era(run, head, lambda era: np.array(era.training(head.label).mean()))


@shipped("baseline", "hour_of_week_mean")
def hour_of_week_mean(run: Judged, head: Head) -> F64:
    """Return float64[n, S], the training rows' mean of the label at this hour of the week.

    An hour without training rows gets the mean of all of them.
    """
    hour = (run.open_time // HOUR_MS % HOURS_OF_WEEK).astype(np.int64)
    hours = np.repeat(hour[:, None], run.n_symbols, axis=1)

    def fit(era: Era) -> F64:
        labels = era.training(head.label)
        at = hours[era.first : era.stop][era.trained]
        count = np.bincount(at, minlength=HOURS_OF_WEEK)
        total = np.bincount(at, weights=labels, minlength=HOURS_OF_WEEK)
        mean = np.where(count > 0, total / np.maximum(count, 1), labels.mean())
        return mean[hour[era.bars]][:, None]

    return _per_era(run, head, fit)


@dataclass(frozen=True, slots=True)
class VolatilityForecasts:
    """The baseline's forecast deviation, and both sides' forecast variances; float64[n, S]."""

    deviation: F64
    variance: F64
    model_variance: F64


def volatility_forecasts(run: Judged, head: Head) -> VolatilityForecasts:
    """Return EWMA volatility scaled to the target, and both sides rescaled to variances.

    On the training rows, with target y and EWMA deviation e: the forecast deviation is (Σy / Σe) e,
    and the forecast variance mean((y / e)²) e², which is what minimises QLIKE, since a mean
    deviation squared is less than the mean variance. The model's forecast f becomes a variance in
    the same way, by the scale mean((y / f)²) recorded at its training; where that was not recorded,
    by the baseline's own ratio between squared deviation and variance.
    """
    ewma = ewma_deviation(run)
    shape = head.label.shape
    deviation, variance, model_variance = (np.full(shape, np.nan) for _ in range(3))
    for era in eras(run, head):
        y, e = era.training(head.label), era.training(ewma)
        both = np.isfinite(e)
        y, e = y[both], e[both]
        if not (len(y) and y.sum() > 0.0 and e.sum() > 0.0):
            continue
        floor = FLOOR_SHARE * float(y.mean())
        level = float(y.sum() / e.sum())
        scale = float(np.mean((y / np.maximum(level * e, floor)) ** 2))
        scales = run.models[era.model].variance_scales if era.model >= 0 else {}
        recorded = scales.get(head.task.name, float("nan"))
        own = recorded if np.isfinite(recorded) and recorded > 0.0 else scale
        at = era.bars
        deviation[at] = np.maximum(level * ewma[at], floor)
        variance[at] = scale * deviation[at] ** 2
        model_variance[at] = own * np.maximum(head.forecast[at], floor) ** 2
    return VolatilityForecasts(deviation, variance, model_variance)


@shipped("baseline", "ewma_deviation")
def ewma_deviation(run: Judged) -> F64:
    """Return float64[n, S], √ of the exponentially weighted mean of squared returns up to the bar.

    Weights decay by 0.94 a bar and are normalised, as in pandas; missing bars leave it as it was.
    """
    price = np.where(run.bars.valid, run.price, np.nan)
    before = np.vstack((np.full((1, run.n_symbols), np.nan), run.price[:-1]))
    squared = pd.DataFrame((price / before - 1.0) ** 2)
    mean = squared.ewm(alpha=1.0 - EWMA_DECAY, ignore_na=True).mean()
    deviation: F64 = np.sqrt(mean.to_numpy(dtype=np.float64))
    return deviation
