"""A volatility forecast as a variance, on the scale that is best for QLIKE on the training rows.

A mean deviation squared is less than the mean variance, and the exponential of a mean log is less
than either. So with target y and a baseline's deviation f, its variance is mean((y / f)²) f² over the
training rows, which is what minimises QLIKE there; a model's becomes one in the same way, by the scale
recorded at its training, and where that was not recorded, by EWMA's own. All are lifted to a floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.blocks import F64, I64
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Era, Fit, Fitted, Head
from bot.report.skill.chosen_rows import gathered, those_of
from bot.timegrid import spans

FLOOR_SHARE = 0.05
"""A volatility forecast below this share of the training rows' mean target is lifted to it, the
model's as the baseline's, so that QLIKE does not hang on one row."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """A fitted volatility baseline with its floor and the scale of its variance."""

    fitted: Fitted
    floor: float
    scale: float

    def deviation(self, bars: I64 | slice) -> F64:
        """Return float64[bars, S], lifted to the floor."""
        return np.maximum(self.fitted(bars), self.floor)

    def variance(self, bars: I64 | slice) -> F64:
        """Return float64[bars, S]."""
        return self.scale * self.deviation(bars) ** 2


def scaled(fit: Fit, era: Era, head: Head) -> Scaled | None:
    """Return the baseline fitted on an era's training rows, with its scale on them; None without any."""
    fitted = fit(era)
    if fitted is None:
        return None
    y, f = _training_pairs(fitted, era, head)
    if not (len(y) and y.sum() > 0.0):
        return None
    floor = FLOOR_SHARE * float(y.mean())
    np.maximum(f, floor, out=f)
    np.divide(y, f, out=f)
    np.multiply(f, f, out=f)
    return Scaled(fitted, floor, float(np.mean(f)))


def _training_pairs(fitted: Fitted, era: Era, head: Head) -> tuple[F64, F64]:
    """Return float64[rows] twice, labels and what is said of them, of the training rows of which something is."""
    label = head.label[era.span]
    said: F64 = era.empty(label.shape)
    for at in spans(*said.shape):
        said[at] = fitted(slice(era.first + at.start, era.first + at.stop))
    both = those_of(said.shape, lambda at: era.trained[at] & np.isfinite(said[at]), era.empty)
    return gathered(label, both, era.empty), gathered(said, both, era.empty)


def model_variance(run: Judged, head: Head, era: Era, of: Scaled) -> F64:
    """Return float64[bars, S], the model's forecast of an era's bars as a variance."""
    scales = run.models[era.model].variance_scales if era.model >= 0 else {}
    recorded = scales.get(head.task.name, float("nan"))
    own = recorded if np.isfinite(recorded) and recorded > 0.0 else of.scale
    lifted: F64 = own * np.maximum(head.forecast[era.bars], of.floor) ** 2
    return lifted
