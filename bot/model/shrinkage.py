"""How much of a head's forecasts to believe, fitted on the validation rows.

A network of little signal speaks too loudly: its forecasts of return and direction are larger than what
follows by a factor of two to eight. They are therefore shrunk to base + slope (f − centre). The
slope is that of a regression of what came on what was forecast, b ± SE, drawn towards zero as a normal
prior of deviation τ around no skill asks: b τ² / (τ² + SE²), and 0 where b is below 0. A slope of zero
gives the base: no return, the training rows' share of rises.

Rules: the rows are those that stopped the training and were never trained on; the error is that of
overlapping labels, all symbols of a bar together (Newey & West 1987). The network's own forecasts stay
as they are: the signal and its calibration (`bot.portfolio.calibration`) read those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from bot.blocks import F64, I64, Task
from bot.model.room import IN_MEMORY, RowRoom, chosen_of, mask
from bot.model.tasks import is_classified

_NO_ERROR_KNOWN = 1e12

PRIOR_DEVIATION = 0.5
"""τ: before its validation rows are seen, a head's slope is held to lie within ±0.5, mostly."""

LARGEST_SLOPE = 2.0
"""No head is believed more than twice what it says."""


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """base + slope (f − centre), and the regression's own slope with its standard error."""

    base: float
    slope: float
    centre: float
    estimate: float
    error: float

    def shrunk(self, forecast: F64) -> F64:
        """Return these forecasts shrunk, of any shape; NaN stays NaN.

        >>> Shrinkage(0.0, 0.25, 0.0, 0.3, 0.1).shrunk(np.array([0.01, -0.02])).tolist()
        [0.0025, -0.005]
        """
        return self.base + self.slope * (forecast - self.centre)

    def to_json(self) -> dict[str, float]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read back what `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is no such value.
        """
        return cls(**{name: float(value[name]) for name in cls.__dataclass_fields__})


def shrunk(shrinkage: Mapping[str, Shrinkage], tasks: Sequence[Task], forecast: F64) -> F64:
    """Return forecasts float64[..., K] shrunk; those of heads without a shrinkage as they are."""
    found = forecast.copy()
    for k, task in enumerate(tasks):
        if task.name in shrinkage:
            found[..., k] = shrinkage[task.name].shrunk(forecast[..., k])
    return found


def fit_shrinkage(
    tasks: Sequence[Task],
    forecast: F64,
    label: F64,
    bar: I64,
    base_rates: Mapping[str, float],
    room: RowRoom = IN_MEMORY,
) -> dict[str, Shrinkage]:
    """Return the shrinkage of each return and direction head, by the task's name.

    Args:
        forecast, label: float64[N, K] of the validation rows.
        bar: int64[N], the bar of each.
        base_rates: of the directions, by task name: the training rows' share of rises.
        room: where what is made of the rows lies.
    """
    found = {}
    for k, task in enumerate(tasks):
        if task.kind != "return" and not (is_classified(task) and task.name in base_rates):
            continue
        f, y, at = _known(forecast[:, k], label[:, k], bar, room)
        centre, base = 0.0, 0.0
        if is_classified(task):
            centre, base = float(f.mean()) if len(f) else 0.5, base_rates[task.name]
            if len(y):
                np.subtract(y, y.mean(), out=y)
        np.subtract(f, centre, out=f)
        estimate, error = _slope(f, y, at, task.horizon, room)
        found[task.name] = Shrinkage(base, _believed(estimate, error), centre, estimate, error)
    return found


def _believed(estimate: float, error: float) -> float:
    prior = PRIOR_DEVIATION**2
    return min(max(estimate, 0.0) * (prior / (prior + error**2)), LARGEST_SLOPE)


def _known(forecast: F64, label: F64, bar: I64, room: RowRoom) -> tuple[F64, F64, I64]:
    """Return copies of the rows, float64[N] and int64[N], whose forecast and label are known."""
    known = mask(
        room, len(bar), lambda span: np.isfinite(label[span]) & np.isfinite(forecast[span])
    )
    f, y = (chosen_of(column, known, room) for column in (forecast, label))
    return f, y, chosen_of(bar, known, room)


def _slope(x: F64, y: F64, bar: I64, horizon: int, room: RowRoom) -> tuple[float, float]:
    """Return b of y = b x and its standard error over the sums of each bar, with horizon − 1 lags.

    0 and infinity where x does not vary. `bar` is counted from the first one afterwards.
    """
    size = float(x @ x)
    if size == 0.0 or len(x) < 3:
        return 0.0, _NO_ERROR_KNOWN
    slope = float(x @ y) / size
    moment: F64 = room.empty(len(x))
    np.multiply(x, slope, out=moment)
    np.subtract(y, moment, out=moment)
    np.multiply(x, moment, out=moment)
    np.subtract(bar, bar.min(), out=bar)
    sums = np.bincount(bar, weights=moment)
    variance = float(sums @ sums)
    for lag in range(1, min(horizon, len(sums))):
        variance += 2.0 * (1.0 - lag / horizon) * float(sums[lag:] @ sums[:-lag])
    return slope, float(np.sqrt(max(variance, 0.0))) / size
