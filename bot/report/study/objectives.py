"""What a search seeks, as one number each: net return less its error, skill of heads; and days of returns.

Rules: every figure is that of `endpoints`; only what is made of it here is new. Must not know settings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bot.blocks import F64, I64
from bot.report.study.endpoints import Endpoint
from bot.timegrid import DAY_MS

SKILLS = {
    "return_skill": "return MSE skill",
    "direction_skill": "direction Brier skill",
    "volatility_skill": "volatility QLIKE skill",
    "volume_skill": "volume MSE skill",
}
"""The endpoint of each head that is its skill over the plain baseline of its kind."""


def days_of(returns: F64, open_time: I64) -> F64:
    """Return float64[d], the returns of the UTC days that bars make up.

    Args:
        returns: float64[n], of each bar.
        open_time: int64[n], ms UTC.
    """
    grown: F64 = np.multiply.reduceat(1.0 + returns, _first_of_days(open_time)) - 1.0
    return grown


def net_return_less_error(returns: F64, open_time: I64, periods_per_year: float) -> float | None:
    """Return the mean net return of a year less its standard error, which is that of the days' sums.

    Days, since what a bar earns and the next one may hang together; None with under two days.

    >>> day = np.repeat(np.arange(4) * 86_400_000, 2)
    >>> round(net_return_less_error(np.full(8, 0.001), day, 730.0), 6)
    0.73
    """
    sums = np.add.reduceat(returns, _first_of_days(open_time))
    if len(sums) < 2:
        return None
    error = float(np.std(sums, ddof=1)) * math.sqrt(len(sums))
    return (float(returns.sum()) - error) / len(returns) * periods_per_year


def skill_of(endpoints: Sequence[Endpoint], objective: str) -> float | None:
    """Return the skill of a head, of several horizons their mean; of 'skill' the mean of all heads.

    None where no such head is judged, or its skill is not defined.
    """
    names = SKILLS.values() if objective == "skill" else (SKILLS[objective],)
    values = [e.value for e in endpoints if e.name.partition(",")[0] in names]
    mean = float(np.mean(values)) if values else math.nan
    return mean if math.isfinite(mean) else None


def _first_of_days(open_time: I64) -> I64:
    """Return the place of each UTC day's first bar."""
    day = open_time // DAY_MS
    return np.flatnonzero(np.concatenate(([True], day[1:] != day[:-1])))
