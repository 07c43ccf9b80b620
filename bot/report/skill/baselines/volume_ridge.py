"""Volume by ridge on the hour of the week, on volumes of late, and on the same hour of weeks before."""

from __future__ import annotations

import numpy as np

from bot.blocks import F64
from bot.features.targets import known_at
from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.least_squares import regression
from bot.report.skill.baselines.rows import Fit, Head
from bot.report.skill.baselines.terms import (
    HOURS_OF_WEEK,
    hour_of_week,
    log_volumes,
    spans,
    weeks_before,
)
from bot.report.some_symbols import groups_of_symbols

PENALTY = 10.0
WEEKS = 4


@shipped(
    "baseline", "volume_ridge", heads=("volume",), label="ridge",
    words="ridge on hour of week, volume ratios and four trailing seasonal means, on the training rows",
)  # fmt: skip
def volume_ridge(run: Judged, head: Head) -> Fit:
    """Ridge with a dummy an hour of the week.

    The regressors are the logs of the mean volume over 1, 5, 24, 168 and 720 hours, each less that of
    the bars the label is relative to, and the means of the labels of the same hour of the last one to
    four weeks, as far as they are known.
    """
    x = run.empty((*head.label.shape, len(spans(run)) + WEEKS))
    for places, some in groups_of_symbols(run):
        volumes = log_volumes(some, run.volume_window)
        x[:, places, :-WEEKS] = volumes[..., :-1] - volumes[..., -1:]
        x[:, places, -WEEKS:] = _seasonal(some, head.label[:, places], head.task.horizon)
    return regression(head.label, x, PENALTY, hour_of_week(run), HOURS_OF_WEEK)


def _seasonal(run: Judged, labels: F64, horizon: int) -> F64:
    """Return float64[n, S, WEEKS], the mean label at this hour of the last one to WEEKS weeks."""
    known = known_at(run.bars.in_session, horizon)
    now = np.arange(len(known))[:, None]
    past = []
    for weeks in range(1, WEEKS + 1):
        at = weeks_before(run, weeks)
        known_then = (at >= 0)[:, None] & (known[at] >= 0) & (known[at] <= now)
        past.append(np.where(known_then, labels[at], np.nan))
    counts = np.cumsum([np.isfinite(label) for label in past], axis=0)
    sums = np.cumsum([np.nan_to_num(label) for label in past], axis=0)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return np.moveaxis(means, 0, -1)
