"""What contenders are compared on: figures that are functions of sums over dates.

Owns the endpoints, named before anything is looked at: rank IC of the return, Brier skill of the
direction and QLIKE skill of the volatility are primary, all else is secondary. Rules: every
contender is measured on the same rows, so that two figures can be resampled as a pair; a head's
measures are those of `bot.report.skill`, chosen and named here. Must not compute a measure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.blocks import F64, Bool
from bot.parts.registry import part
from bot.report.inputs import Judged
from bot.report.money.sharpe import sharpe_of_sums
from bot.report.skill.baselines.rows import Head, heads
from bot.report.skill.bootstrap import Statistic
from bot.report.skill.by_head import headline_of, measures_against, measures_of
from bot.report.skill.measures import Measure
from bot.report.skill.rivals import STRONGEST, Rivals, plain
from bot.wording import counted

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
    "volatility": ("qlike_skill", "variance_bias", "regime_switches"),
}
_OF_OTHERS = ("mse_skill",)

_NAMES = {
    "rank_ic": "rank IC",
    "mse_skill": "MSE skill",
    "brier_skill": "Brier skill",
    "log_loss_skill": "log-loss skill",
    "calibration_error": "calibration error",
    "qlike_skill": "QLIKE skill",
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

    @property
    def value(self) -> float:
        """Return the figure over all dates."""
        return float(self.statistic(self.sums.sum(axis=0)))


def endpoints(
    run: Judged, returns: F64, gross: F64, rows: Bool, rivals: Rivals,
    primary: Sequence[str] = PRIMARY,
) -> list[Endpoint]:  # fmt: skip
    """Return every endpoint of one contender.

    Args:
        run: its forecasts beside the labels.
        returns, gross: float64[dates], the paper account's returns a bar after and before costs.
        rows: bool[n, S], the bars on which every contender has a forecast.
        rivals: the baselines, the same for every contender.
        primary: kinds of endpoint that the verdicts are about.

    An endpoint without a single row, such as HAR's before it has a month of bars, is left out.
    """
    found = []
    listed = heads(run)
    many = len({head.task.horizon for head in listed}) > 1
    for head in listed:
        task, suffix = head.task, f", {counted(head.task.horizon, 'bar')}" if many else ""
        here = replace(head, rows=head.rows & rows)
        for name, measure in _of_head(run, here, rivals):
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


def _of_head(run: Judged, head: Head, rivals: Rivals) -> Iterator[tuple[str, Measure]]:
    """Yield name and measure: the chosen ones, then the headline against each other baseline."""
    kind, measures = head.task.kind, measures_of(run, head, rivals)
    for key in _CHOSEN.get(kind, _OF_OTHERS):
        yield f"{kind} {_NAMES[key]}", measures[key]()
    against = dict(measures_against(run, head, rivals))
    del against[plain(kind).name]  # it is what the first ones are against
    if len(against) == 1:
        return
    for name, make in against.items():
        label = "the strongest" if name == STRONGEST else part("baseline", name).facts["label"]
        yield f"{kind} {_NAMES[headline_of(kind)]} against {label}", make()


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
