"""Standardise features and regression targets with what the training rows say.

Owns `Scaler`. Rules: it is fitted on training rows only; a classified target is left as it is; a
column that does not vary keeps its scale. A target above zero may be learned as its logarithm. Holds
float64, and the network sees float32.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from bot.blocks import F32, F64, Bool, Task
from bot.model.dataset import Dataset
from bot.model.room import (
    IN_MEMORY,
    RowRoom,
    chosen_of,
    deviations,
    filled,
    known_of,
    mask,
    spans,
    squares_of,
)
from bot.model.tasks import is_positive, labels_of

CLIP = 10.0
"""Standardised features are cut to ±CLIP: an outlier must not carry a forecast away."""

BEND = 3.0
"""Robust features never reach beyond ±BEND."""

LEAST_SHARE = 0.01
"""A target above zero counts as at least this share of the training rows' mean: a logarithm needs it,
and no forecast of one falls below."""

_CONSTANT = 1e-12
"""A column varies if its deviation exceeds this share of its size."""


@dataclass(frozen=True, slots=True)
class Scaler:
    """Means and standard deviations: features float64[F], targets float64[K].

    Attributes:
        log_floor: float64[K], the least value of a target that is learned as its logarithm, in the
            target's own units; 0 where it is learned as it is. Empty: all are.
        gain: float64[K], what the exponential of a forecast logarithm is multiplied by. That alone is
            the median; with the gain it is right in the mean. Empty: 1.
        bend: float64[1], where features bend towards ±bend; empty: they are cut at ±CLIP.
    """

    feature_mean: F64
    feature_std: F64
    target_mean: F64
    target_std: F64
    log_floor: F64 = field(default_factory=lambda: np.empty(0))
    gain: F64 = field(default_factory=lambda: np.empty(0))
    bend: F64 = field(default_factory=lambda: np.empty(0))

    @classmethod
    def fit(cls, dataset: Dataset, *, logarithms: bool = False, robust: bool = False) -> Self:
        """Fit on the training rows (population deviations, ddof = 0); NaN labels are left out.

        A task without any label keeps mean 0 and scale 1.

        Args:
            logarithms: learn targets above zero as their logarithms.
            robust: features less their median over their interquartile range, bent at ±BEND by
                z / √(1 + (z / BEND)²) (Holzmüller, Grinsztajn & Steinwart 2024, RealMLP).
        """
        floor = _floors(dataset) if logarithms else np.empty(0)
        target_mean = np.zeros(len(dataset.tasks))
        target_std = np.ones(len(dataset.tasks))
        room = dataset.room
        y = filled(room, dataset.y.shape, np.float64, lambda span: _learned(dataset.y[span], floor))
        for k, task in enumerate(dataset.tasks):
            known = known_of(y[:, k], room)
            if len(known) and not labels_of(task):
                target_mean[k] = known.mean()
                target_std[k] = np.sqrt(squares_of(known, room, target_mean[k]).mean())
        x = dataset.features_read()
        centre, spread = _quartiles(x, room) if robust else (x.mean(axis=0), deviations(x))
        return cls(
            feature_mean=centre,
            feature_std=_scale(centre, spread),
            target_mean=target_mean,
            target_std=_scale(target_mean, target_std),
            log_floor=floor,
            gain=np.ones(len(floor)),
            bend=np.array([BEND]) if robust else np.empty(0),
        )

    def features(self, x: F64) -> F32:
        """Return x float64[N, F] standardised, cut to ±CLIP or bent, as float32."""
        z = (x - self.feature_mean) / self.feature_std
        if len(self.bend):
            bent: F32 = (z / np.sqrt(1.0 + (z / self.bend[0]) ** 2)).astype(np.float32)
            return bent
        return np.clip(z, -CLIP, CLIP).astype(np.float32)

    def learned(self, y: F64) -> F64:
        """Return y float64[N, K] as it is learned: the logarithm of a target that has a floor."""
        return _learned(y, self.log_floor)

    def targets(self, y: F64) -> F32:
        """Return y float64[N, K] in the units of the loss; NaN stays NaN."""
        z = (self.learned(y) - self.target_mean) / self.target_std
        return z.astype(np.float32)

    def levelled(self, y: F64, forecast: F64, room: RowRoom = IN_MEMORY) -> Self:
        """Return the same with the gains that make forecasts right in the mean of other rows.

        Args:
            y: float64[N, K], the labels of these rows.
            forecast: float64[N, K], of the same, made with gains of 1.
        """
        gain = np.ones(len(self.gain))
        for k in np.flatnonzero(self.log_floor > 0.0):
            known = _finite(y[:, k], room)
            if known.any():
                came, said = (chosen_of(column[:, k], known, room) for column in (y, forecast))
                gain[k] = came.mean() / said.mean()
        return replace(self, gain=gain)

    def floors(self, tasks: tuple[Task, ...]) -> F64:
        """Return float64[K], what no forecast falls below: -inf but for targets above zero."""
        tiny = float(np.finfo(np.float32).tiny)
        return np.array(
            [
                -np.inf
                if not is_positive(task)
                else max(float(self.log_floor[k]), tiny)
                if len(self.log_floor)
                else max(LEAST_SHARE * float(self.target_mean[k]), tiny)
                for k, task in enumerate(tasks)
            ]
        )


def _finite(column: F64, room: RowRoom) -> Bool:
    return mask(room, len(column), lambda span: np.isfinite(column[span]))


def _quartiles(x: F64, room: RowRoom) -> tuple[F64, F64]:
    """Return the median and the interquartile range of each feature, half the whole range where that is 0."""
    column, found = room.empty(len(x)), np.empty((4, x.shape[1]))
    for f in range(x.shape[1]):
        for span in spans(len(x)):
            column[span] = x[span, f]
        found[3, f] = np.ptp(column)
        found[:3, f] = np.quantile(column, [0.25, 0.5, 0.75], overwrite_input=True)
    low, centre, high, whole = found
    spread = high - low
    return centre, np.where(spread > 0.0, spread, 0.5 * whole)


def _floors(dataset: Dataset) -> F64:
    """Return float64[K], LEAST_SHARE of the mean label of each target above zero, 0 of the others."""
    floor = np.zeros(len(dataset.tasks))
    for k, task in enumerate(dataset.tasks):
        known = known_of(dataset.y[:, k], dataset.room) if is_positive(task) else ()
        if len(known):
            floor[k] = LEAST_SHARE * np.mean(known)
    return floor


def _learned(y: F64, log_floor: F64) -> F64:
    """Return the labels as they are learned: those with a floor as logarithms."""
    if not log_floor.any():
        return y
    return np.where(
        log_floor > 0.0, np.log(np.maximum(y, np.where(log_floor > 0.0, log_floor, 1.0))), y
    )


def _scale(mean: F64, std: F64) -> F64:
    """Return the deviations, 1 where a column is constant but for rounding."""
    return np.where(std > _CONSTANT * np.maximum(np.abs(mean), _CONSTANT), std, 1.0)
