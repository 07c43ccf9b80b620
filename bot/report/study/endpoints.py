"""What contenders are compared on: figures that are functions of sums over dates.

Owns the endpoints, named before anything is looked at: rank IC of the return, Brier skill of the
direction and QLIKE skill of the volatility are primary, all else is secondary. Rules: every
contender is measured on the same rows, so that two figures can be resampled as a pair; a head's
measures are those of `bot.report.skill`, chosen and named here. Must not compute a measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.blocks import F64, Bool
from bot.report.inputs import Judged
from bot.report.money.sharpe import sharpe_of_sums
from bot.report.skill.baselines import Head, heads
from bot.report.skill.bootstrap import Statistic
from bot.report.skill.by_head import measures_of

PRIMARY = ("return rank IC", "direction Brier skill", "volatility QLIKE skill")
"""The kinds of endpoint that the verdicts are about; with several horizons each has its own."""

NET_RETURN = "net return a year"

MONEY = (NET_RETURN,)
"""What the verdicts are about where all contenders trade the same forecasts."""

HEADS = (*PRIMARY, "volume MSE skill")
"""One kind for each base head: what a further target may not harm."""

_CHOSEN = {
    "return": ("rank_ic", "mse_skill"),
    "direction": ("brier_skill", "log_loss_skill", "calibration_error"),
    "regime": ("brier_skill", "log_loss_skill", "calibration_error"),
    "volatility": (
        "qlike_skill", "qlike_skill_against_har", "variance_bias", "regime_switches",
    ),
}  # fmt: skip
_OF_OTHERS = ("mse_skill",)

_NAMES = {
    "rank_ic": "rank IC",
    "mse_skill": "MSE skill",
    "brier_skill": "Brier skill",
    "log_loss_skill": "log-loss skill",
    "calibration_error": "calibration error",
    "qlike_skill": "QLIKE skill",
    "qlike_skill_against_har": "QLIKE skill against HAR",
    "variance_bias": "bias, |mean of v/f − 1|",
    "regime_switches": "regime switches, of 1,000 bars",
}


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
    listed = heads(run)
    many = len({head.task.horizon for head in listed}) > 1
    for head in listed:
        task, suffix = head.task, f", {head.task.horizon} bars" if many else ""
        measures = measures_of(run, Head(task, head.forecast, head.label, head.rows & rows))
        for key in _CHOSEN.get(task.kind, _OF_OTHERS):
            measure, name = measures[key](), f"{task.kind} {_NAMES[key]}"
            if len(measure.sums) == 0:  # nothing to measure it on, for nobody
                continue
            found.append(
                Endpoint(
                    name + suffix,
                    name in primary,
                    measure.higher_is_better,
                    sums=measure.sums,
                    statistic=measure.statistic,
                    min_block=task.horizon,
                )
            )
    return found + _of_account(returns, gross, run.periods_per_year, primary)


def _of_account(
    returns: F64, gross: F64, periods_per_year: float, primary: Sequence[str]
) -> list[Endpoint]:
    """Return the endpoints of the paper account: the mean net return, and ratios."""

    def mean(s: F64) -> F64:
        gained: F64 = s[..., 1] / s[..., 0] * periods_per_year
        return gained

    ratio = sharpe_of_sums(periods_per_year)
    return [
        Endpoint(
            name, name in primary, True,
            sums=np.column_stack((np.ones(len(series)), series, series**2)),
            statistic=statistic, min_block=1,
        )
        for name, series, statistic in (
            (NET_RETURN, returns, mean),
            ("Sharpe after costs", returns, ratio),
            ("Sharpe before costs", gross, ratio),
        )
    ]  # fmt: skip
