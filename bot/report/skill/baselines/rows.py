"""The heads that are judged, the models behind their forecasts, and the rows a baseline learns from.

A baseline is fitted per model in force, on that model's training rows only: bars of its training
span whose label was known by the close of the bar at which the training was due. Where a run has no
models (forecasts made elsewhere) there is one span: all bars before the first forecast.

Must not know any baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64, Bool, Task
from bot.features.targets import known_at
from bot.report.inputs import Judged
from bot.report.skill.chosen_rows import Empty, gathered, those_of
from bot.report.some_symbols import groups_of
from bot.timegrid import spans

TRAINING_SHARE = 0.8
"""Of the training rows, the oldest ones that a baseline is fitted on when it is tried on the rest."""


@dataclass(frozen=True, slots=True)
class Head:
    """A head's forecasts and labels float64[n, S], and bool[n, S] the rows it is judged on.

    `forecast` is shrunk, `given` as the network gave it. Ranks are those of `given`, since a head
    that is not believed forecasts the same of every bar.
    """

    task: Task
    forecast: F64
    given: F64
    label: F64
    rows: Bool


@dataclass(frozen=True, slots=True)
class Era:
    """The bars a model decided on, and its training rows: bars first..stop-1 where `trained`.

    `known` is int64[n, S], the bar at whose close each label is known; -1 for never.
    """

    model: int
    bars: I64
    first: int
    stop: int
    trained: Bool
    known: I64
    empty: Empty = field(default=np.empty, compare=False, repr=False)

    @property
    def span(self) -> slice:
        """Return the bars from the first training row to the last."""
        return slice(self.first, self.stop)

    def has_rows_of(self, other: Era) -> bool:
        """Tell whether another era of the same head has the same training rows."""
        return self.span == other.span and np.array_equal(self.trained, other.trained)

    def training(self, values: npt.NDArray[Any]) -> Any:
        """Return the values [n, S, ...] of the training rows, [rows, ...]."""
        return gathered(values[self.span], self.trained, self.empty)


Fitted: TypeAlias = Callable[[I64 | slice], F64]
"""What a fitted baseline says of bars, float64[bars, S] or what broadcasts to it."""

Fit: TypeAlias = Callable[[Era], Fitted | None]
"""From an era's training rows to a fitted baseline; None where they say nothing."""

Baseline: TypeAlias = Callable[[Judged, Head], Fit]
"""A part of the kind: works out once what all its fits need."""


def always(value: float) -> Fitted:
    """Return what says the same of every bar and symbol."""
    return lambda _: np.array(value)


def heads(run: Judged) -> list[Head]:
    """Return each task's forecasts and labels, judged from the run's start on."""
    if run.forecast is None or run.labels is None:
        return []
    value = run.forecast.value if run.shrunk is None else run.shrunk
    result = []
    for k, task in enumerate(run.forecast.tasks):
        forecast, label = value[:, :, k], run.labels[:, :, k]
        rows = _judged(run, forecast, label)
        result.append(Head(task, forecast, run.forecast.value[:, :, k], label, rows))
    return result


def _judged(run: Judged, forecast: F64, label: F64) -> Bool:
    rows = those_of(
        label.shape, lambda at: np.isfinite(forecast[at]) & np.isfinite(label[at]), run.empty
    )
    rows[: run.start_index] = False
    return rows


def eras(run: Judged, head: Head) -> Iterator[Era]:
    """Yield the eras of the models behind the head's forecasts that have training rows."""
    known = known_of(run, head.task.horizon)
    for model, bars, first, stop, last_known in _spans(run, head):
        trained = _trained(head.label[first:stop], known[first:stop], last_known, run.empty)
        if len(bars) and trained.any():
            yield Era(model, bars, first, stop, trained=trained, known=known, empty=run.empty)


def known_of(run: Judged, horizon: int) -> I64:
    """Return int64[n, S], the bar at whose close each label over so many bars is known; -1 for none."""
    known: I64 = run.empty(run.bars.valid.shape, np.int64)
    for places in groups_of(known.shape):
        known[:, places] = known_at(run.bars.in_session[:, places], horizon)
    return known


def _trained(label: F64, known: I64, last_known: int, empty: Empty) -> Bool:
    return those_of(
        label.shape,
        lambda at: np.isfinite(label[at]) & (known[at] >= 0) & (known[at] <= last_known),
        empty,
    )


def _spans(run: Judged, head: Head) -> Iterator[tuple[int, I64, int, int, int]]:
    """Yield model, the bars it decided on, its training span, and the last bar known to it."""
    if run.forecast is None:
        return
    if not run.models:
        said = [np.isfinite(head.forecast[at]).any(axis=1) for at in spans(*head.forecast.shape)]
        bars = np.flatnonzero(np.concatenate(said))
        if len(bars):
            yield -1, bars, 0, int(bars[0]), int(bars[0]) - 1
        return
    for m, info in enumerate(run.models):
        bars = np.flatnonzero(run.forecast.model == m)
        first, stop = np.searchsorted(run.open_time, [info.train_from_ms, info.train_to_ms + 1])
        due = int(np.searchsorted(run.open_time, info.due_ms, side="right")) - 1
        yield m, bars, int(first), int(stop), due


def unknown(run: Judged, head: Head) -> F64:
    """Return float64[n, S] of NaN, where the run's arrays have their room."""
    out: F64 = run.empty(head.label.shape)
    out[...] = np.nan
    return out


def parts_of(era: Era, head: Head) -> Iterator[Era]:
    """Yield the era over its bars a span at a time, so that no more of them is worked on at once."""
    for span in spans(len(era.bars), head.label.shape[1]):
        yield replace(era, bars=era.bars[span])


def split(era: Era) -> tuple[Era, Era] | None:
    """Return the older training rows as an era of their own, and the rest, to try a baseline on.

    The older are about TRAINING_SHARE of them, as far as their labels were known before the first
    bar of the rest, like the rows a model is validated on. None where either side would be empty.
    """
    a_bar = era.trained.sum(axis=1)
    share = TRAINING_SHARE * a_bar.sum()
    cut = era.first + int(np.searchsorted(a_bar.cumsum(), share, side="right"))
    older, known = era.trained[: cut - era.first], era.known[era.first : cut]
    trained = those_of(older.shape, lambda at: older[at] & (known[at] < cut), era.empty)
    rest = era.trained[cut - era.first :]
    if not (trained.any() and rest.any()):
        return None
    bars = np.arange(cut, era.stop)
    return (
        replace(era, bars=bars, stop=cut, trained=trained),
        replace(era, bars=bars, first=cut, trained=rest),
    )


def baseline_forecast(run: Judged, head: Head, baseline: Baseline) -> F64:
    """Return float64[n, S], a baseline's forecast of each era's bars; NaN elsewhere."""
    out = unknown(run, head)
    fit = baseline(run, head)
    for era in eras(run, head):
        fitted = fit(era)
        if fitted is not None:
            for some in parts_of(era, head):
                out[some.bars] = fitted(some.bars)
    return out
