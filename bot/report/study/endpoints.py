"""What contenders are compared on: figures that are functions of sums over dates.

Owns the endpoints, named before anything is looked at: rank IC of the return, Brier skill of the
direction and QLIKE skill of the volatility are primary, all else is secondary. Rules: every
contender is measured on the same rows, so that two figures can be resampled as a pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bot.blocks import F64, Bool
from bot.report.inputs import Judged
from bot.report.skill import baselines
from bot.report.skill import measures as skill
from bot.report.skill.baselines import Head
from bot.report.skill.bootstrap import Statistic
from bot.report.skill.har import har_variance

PRIMARY = ("return rank IC", "direction Brier skill", "volatility QLIKE skill")
"""The kinds of endpoint that the verdicts are about; with several horizons each has its own."""

HEADS = (*PRIMARY, "volume MSE skill")
"""One kind for each base head: what a further target may not harm."""

CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A figure of one contender.

    Attributes:
        name: what it is called in tables; the task's name where there are several horizons.
        primary: whether a verdict is given on it.
        higher_is_better: False for errors.
        sums: float64[dates, q], what each date adds.
        statistic: from sums to the figure.
        min_block: least dates that a resample keeps together.
    """

    name: str
    primary: bool
    higher_is_better: bool
    sums: F64
    statistic: Statistic
    min_block: int


def endpoints(
    run: Judged, returns: F64, gross: F64, rows: Bool, primary: Sequence[str] = PRIMARY
) -> list[Endpoint]:
    """Return every endpoint of one contender.

    Args:
        run: its forecasts beside the labels.
        returns, gross: float64[dates], the paper account's returns a bar after and before costs.
        rows: bool[n, S], the bars on which every contender has a forecast.
        primary: kinds of endpoint that the verdicts are about.

    An endpoint without a single row, such as HAR's before it has a month of bars, is left out.
    """
    found = []
    heads = baselines.heads(run)
    many = len({head.task.horizon for head in heads}) > 1
    for head in heads:
        kept = Head(head.task, head.forecast, head.label, head.rows & rows)
        suffix = f", {head.task.horizon} bars" if many else ""
        for name, better, sums, statistic in _of_head(run, kept):
            if len(sums) == 0:  # nothing to measure it on, for nobody
                continue
            found.append(
                Endpoint(
                    name + suffix,
                    name in primary,
                    better,
                    sums=sums,
                    statistic=statistic,
                    min_block=head.task.horizon,
                )
            )
    for name, series in (("Sharpe after costs", returns), ("Sharpe before costs", gross)):
        sums = np.column_stack((np.ones(len(series)), series, series**2))
        found.append(
            Endpoint(
                name, False, True, sums=sums, statistic=_sharpe(run.periods_per_year), min_block=1
            )
        )
    return found


Figure = tuple[str, bool, F64, Statistic]


def _of_head(run: Judged, head: Head) -> Iterator[Figure]:
    match head.task.kind:
        case "return":
            yield from _of_return(head)
        case "direction":
            yield from _of_direction(run, head)
        case "volatility":
            yield from _of_volatility(run, head)
        case "volume":
            yield from _of_volume(run, head)
        case "regime":
            yield from _of_direction(run, head)
        case kind:
            rows = head.rows & np.isfinite(naive := baselines.training_mean(run, head))
            y, f = head.label, head.forecast
            yield _skill(f"{kind} MSE skill", (y - f) ** 2, (y - naive) ** 2, rows)


def _of_return(head: Head) -> Iterator[Figure]:
    y, f, rows = head.label, head.forecast, head.rows
    a, b = (skill.laid_over(skill.centred_ranks(v[rows]), rows) for v in (f, y))
    sums = skill.by_date(rows, np.ones(rows.shape), a, b, a * a, b * b, a * b)
    yield "return rank IC", True, sums, skill.correlation
    yield _skill("return MSE skill", (y - f) ** 2, y**2, rows)


def _of_direction(run: Judged, head: Head) -> Iterator[Figure]:
    y = head.label
    rate = baselines.base_rate(run, head)
    rows = head.rows & np.isfinite(rate)
    p = np.clip(head.forecast, skill.PROBABILITY_CLIP, 1.0 - skill.PROBABILITY_CLIP)
    yield _skill(f"{head.task.kind} Brier skill", (p - y) ** 2, (rate - y) ** 2, rows)
    yield _skill(
        f"{head.task.kind} log-loss skill", skill.log_loss(p, y), skill.log_loss(rate, y), rows
    )
    bounds = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)[1:-1]
    edges = np.quantile(p[rows], bounds) if rows.any() else np.empty(0)
    inside = np.digitize(p, edges)
    parts = [np.where(inside == k, p - y, 0.0) for k in range(CALIBRATION_BINS)]
    sums = skill.by_date(rows, np.ones(rows.shape), *parts)
    yield f"{head.task.kind} calibration error", False, sums, _calibration


def _of_volatility(run: Judged, head: Head) -> Iterator[Figure]:
    y = head.label
    naive, har = baselines.volatility_forecasts(run, head), har_variance(run, head)
    rows = head.rows & np.isfinite(naive.variance) & (y > 0.0)
    squared = np.where(y > 0.0, y**2, np.nan)
    own = skill.qlike(squared, naive.model_variance)
    yield _skill("volatility QLIKE skill", own, skill.qlike(squared, naive.variance), rows)
    yield _skill(
        "volatility QLIKE skill against HAR",
        own,
        skill.qlike(squared, har),
        rows & np.isfinite(har),
    )
    ratio = squared / naive.model_variance
    sums = skill.by_date(rows, np.ones(rows.shape), ratio)
    yield "volatility bias, |mean of v/f − 1|", False, sums, _bias
    high = np.full(y.shape, np.nan)
    for era in baselines.eras(run, head):
        f = head.forecast[era.bars]
        high[era.bars] = np.where(np.isfinite(f), f > np.median(era.training(y)), np.nan)
    before = np.vstack((np.full((1, y.shape[1]), np.nan), high[:-1]))
    both = rows & np.isfinite(high) & np.isfinite(before)
    sums = skill.by_date(both, np.ones(y.shape), high != before)
    yield "volatility regime switches, of 1,000 bars", False, sums, _switches


def _of_volume(run: Judged, head: Head) -> Iterator[Figure]:
    y = head.label
    naive = baselines.hour_of_week_mean(run, head)
    rows = head.rows & np.isfinite(naive)
    yield _skill("volume MSE skill", (y - head.forecast) ** 2, (y - naive) ** 2, rows)


def _skill(name: str, loss: F64, naive: F64, rows: Bool) -> Figure:
    return name, True, skill.by_date(rows, loss, naive), _one_less_ratio


def _one_less_ratio(s: F64) -> F64:
    return 1.0 - s[..., 0] / s[..., 1]


def _calibration(s: F64) -> F64:
    """Return the expected calibration error: Σ over bins |Σ(p − y)| / n (Guo et al. 2017, eq. 3)."""
    total: F64 = np.abs(s[..., 1:]).sum(axis=-1) / s[..., 0]
    return total


def _bias(s: F64) -> F64:
    return np.abs(s[..., 1] / s[..., 0] - 1.0)


def _switches(s: F64) -> F64:
    return 1000.0 * s[..., 1] / s[..., 0]


def _sharpe(periods_per_year: float) -> Statistic:
    def statistic(s: F64) -> F64:
        mean = s[..., 1] / s[..., 0]
        deviation = np.sqrt(s[..., 2] / s[..., 0] - mean**2)
        ratio: F64 = mean / deviation * np.sqrt(periods_per_year)
        return ratio

    return statistic
