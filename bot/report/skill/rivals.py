"""The baselines that a head is held against, and which of them was the strongest.

The strongest is chosen for each model by what was known when it was trained: every baseline is fitted
on the older training rows and tried on the rest (`rows.split`), and the one with the least loss there
is the one to beat on the bars that the model decided on. It is fitted on all training rows then, as
the others are. Rules: baselines are tried on the same rows; one that says something of under half of
them is not chosen; where nothing can be tried, the plain one of the kind is. Each baseline is worked
out once for all measures, and for all runs of the same bars and labels that ask the same `Rivals`.
Must not look at a model's forecasts, but for where they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.blocks import F64, I64, Bool
from bot.config.schema import Report
from bot.parts.registry import Part, part
from bot.report.inputs import Judged
from bot.report.skill.baselines.garch import require_arch
from bot.report.skill.baselines.rows import (
    Era,
    Fit,
    Fitted,
    Head,
    eras,
    parts_of,
    split,
    unknown,
)
from bot.report.skill.baselines.variances import Scaled, model_variance, scaled
from bot.report.skill.chosen_rows import kept_of, put_in_turn
from bot.report.skill.measures import qlike

PLAIN = {
    "return": "zero",
    "direction": "base_rate",
    "regime": "base_rate",
    "volatility": "ewma",
    "volume": "hour_of_week_mean",
}
"""What a kind of head is always held against; any other, its mean."""

STRONGEST = "strongest"

_LEAST_COVERED = 0.5


def check_baselines(config: Report) -> None:
    """Refuse a baseline whose package is missing, before anything is trained.

    Raises:
        ConfigError: naming the extra that brings it.
    """
    if "garch" in config.baselines:
        require_arch()


def plain(kind: str) -> Part:
    """Return the baseline that a kind of head is always held against."""
    return part("baseline", PLAIN.get(kind, "training_mean"))


def of_kind(kind: str, names: Sequence[str]) -> list[Part]:
    """Return the baselines of a kind of head: its plain one, then those named that are made for it."""
    first = plain(kind)
    named = [part("baseline", name) for name in names]
    return [first, *(p for p in named if kind in p.facts["heads"] and p.name != first.name)]


@dataclass(frozen=True, slots=True)
class Against:
    """What a head's baselines say, float64[n, S] by name; NaN where one says nothing.

    Attributes:
        forecasts: of volatility as variances, of all else as they are.
        deviation: of volatility, the plain one's as a deviation; else nothing but NaN.
        strongest: of each bar, what the strongest of its model says.
        chosen: by name, for how many models it was the strongest.
        scales: of volatility, the plain one's floor and scale, for each era with one.
    """

    forecasts: Mapping[str, F64]
    deviation: F64
    strongest: F64
    chosen: Mapping[str, int]
    scales: tuple[tuple[Era, Scaled], ...]

    @property
    def plain(self) -> F64:
        """Return what the plain baseline of the kind says."""
        return next(iter(self.forecasts.values()))

    def model_variance(self, run: Judged, head: Head) -> F64:
        """Return float64[n, S], the model's volatility forecasts as variances."""
        out = unknown(run, head)
        for era, of in self.scales:
            for some in parts_of(era, head):
                out[some.bars] = model_variance(run, head, some, of)
        return out


class Rivals:
    """The baselines of all heads of runs with the same bars and labels, each worked out once."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._labels: F64 | None = None
        self._known: dict[Any, Against] = {}

    def of(self, run: Judged, head: Head) -> Against:
        """Return what the head is held against.

        Raises:
            ValueError: the run has other labels than the one before.
        """
        if self._known and run.labels is not self._labels:
            raise ValueError("these baselines were worked out for other labels")
        self._labels = run.labels
        spans = list(eras(run, head))
        key = (head.task, *((e.model, e.first, e.stop, e.bars.tobytes()) for e in spans))
        if key not in self._known:
            self._known[key] = _against(run, head, spans, of_kind(head.task.kind, self._names))
        return self._known[key]


def loss(kind: str, forecast: F64, y: F64) -> F64:
    """Return what a kind of head is to keep small: QLIKE of a variance, else the squared error.

    Of a probability the squared error is Brier's score. NaN where a volatility is zero.
    """
    if kind != "volatility":
        return (forecast - y) ** 2
    return qlike(np.where(y > 0.0, y**2, np.nan), forecast)


def _against(run: Judged, head: Head, spans: Sequence[Era], rivals: Sequence[Part]) -> Against:
    fits: dict[str, Fit] = {p.name: p.made(run, head) for p in rivals}
    forecasts = {name: unknown(run, head) for name in fits}
    deviation, strongest = unknown(run, head), unknown(run, head)
    chosen: Counter[str] = Counter()
    scales = []
    first = next(iter(fits))
    newest: Era | None = None
    best, learned = first, dict[str, Scaled | Fitted | None]()
    for era in spans:
        if newest is None or not newest.has_rows_of(era):
            newest = era
            learned = {name: fitted_on(fit, era, head) for name, fit in fits.items()}
            best = _strongest(head, era, fits) if len(fits) > 1 else first
        for name, one in learned.items():
            if one is None:
                continue
            for some in parts_of(era, head):
                if not isinstance(one, Scaled):
                    forecasts[name][some.bars] = one(some.bars)
                    continue
                forecasts[name][some.bars] = one.variance(some.bars)
                if name == first:
                    deviation[some.bars] = one.deviation(some.bars)
            if name == first and isinstance(one, Scaled):
                scales.append((era, one))
        chosen[best] += 1
        for some in parts_of(era, head):
            strongest[some.bars] = forecasts[best][some.bars]
    return Against(forecasts, deviation, strongest, dict(chosen), tuple(scales))


def fitted_on(fit: Fit, era: Era, head: Head) -> Scaled | Fitted | None:
    """Return a baseline fitted on an era's training rows, of volatility as variances; None where they say nothing."""
    return scaled(fit, era, head) if head.task.kind == "volatility" else fit(era)


def _strongest(head: Head, era: Era, fits: Mapping[str, Fit]) -> str:
    """Return the baseline with the least loss on the era's later training rows."""
    plain_one = next(iter(fits))
    parted = split(era)
    if parted is None:
        return plain_one
    older, rest = parted
    losses: dict[str, F64] = {}
    for name, fit in fits.items():
        said = _tried(head, fit, older)
        if said is not None:
            losses[name] = _losses(head, said, older.bars, rest)
    known = {name: np.isfinite(one) for name, one in losses.items()}
    rivals = [name for name in losses if known[name].mean() >= _LEAST_COVERED]
    together: Bool = np.ones(int(rest.trained.sum()), dtype=np.bool_)
    for name in rivals:
        together &= known[name]
    if not (rivals and together.any()):
        return plain_one
    return min(rivals, key=lambda name: float(kept_of(losses[name], together, era.empty).mean()))


def _losses(head: Head, said: Fitted, bars: I64, rest: Era) -> F64:
    """Return float64[rows], what is lost by what is said of the rest's training rows."""
    label, shape = head.label[rest.span], rest.trained.shape

    def of_span(at: slice) -> F64:
        rows, full = rest.trained[at], np.broadcast_to(said(bars[at]), label[at].shape)
        return loss(head.task.kind, full[rows], label[at][rows])

    flat: F64 = put_in_turn(rest.empty((int(rest.trained.sum()),)), shape, of_span)
    return flat


def _tried(head: Head, fit: Fit, era: Era) -> Fitted | None:
    """Return what a baseline fitted on an era's training rows says of bars."""
    if head.task.kind == "volatility":
        found = scaled(fit, era, head)
        return None if found is None else found.variance
    return fit(era)
