"""What each kind of head is measured by, on which rows and against which baseline.

One table for all who measure: a report puts intervals around some of it (`verdicts`), a study of
contenders compares on some of it (`bot.report.study.endpoints`). Rules: a measure is made only when
it is asked for; rows without a baseline do not count against it. Must not resample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from bot.blocks import F64, Bool
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Head, eras
from bot.report.skill.chosen_rows import Empty, those_of
from bot.report.skill.measures import (
    Measure,
    Summand,
    auc,
    calibration_error,
    clipped,
    hit_rate_gain,
    known_rows,
    log_loss,
    loss_skill,
    mean_rank_ic,
    rank_ic,
    switches,
    variance_bias,
)
from bot.report.skill.rivals import STRONGEST, Against, Rivals, loss

Measures = Mapping[str, Callable[[], Measure]]
"""By name, in the order of tables; made when called."""

HEADLINES = {"volatility": "qlike_skill", "direction": "brier_skill", "regime": "brier_skill"}
"""What decides whether a kind of head has skill; of any other, its MSE skill."""


def headline_of(kind: str) -> str:
    """Return the measure that decides whether a kind of head has skill."""
    return HEADLINES.get(kind, "mse_skill")


def measures_of(run: Judged, head: Head, rivals: Rivals) -> Measures:
    """Return all that a head is measured by, beside the plain baseline of its kind."""
    against = rivals.of(run, head)
    match head.task.kind:
        case "return":
            return _of_return(run, head)
        case "direction" | "regime":
            return _of_direction(run, head, against)
        case "volatility":
            return _of_volatility(run, head, against)
        case "volume":
            return _of_volume(run, head, against)
        case _:
            return _of_another(run, head, against)


def measures_against(run: Judged, head: Head, rivals: Rivals) -> Measures:
    """Return the head's headline measure against the strongest baseline, then against each by name."""
    against, kind = rivals.of(run, head), head.task.kind
    own = against.model_variance(run, head) if kind == "volatility" else head.forecast

    def held(forecast: F64) -> Measure:
        losses, theirs = (_loss_of(kind, each, head.label) for each in (own, forecast))
        return loss_skill(losses, theirs, known_rows(head.rows, losses, theirs, empty=run.empty))

    each = {STRONGEST: against.strongest, **against.forecasts}
    return {name: partial(held, forecast) for name, forecast in each.items()}


def _loss_of(kind: str, forecast: F64, y: F64) -> Summand:
    return lambda at: loss(kind, forecast[at], y[at])


def _also(rows: Bool, values: F64, empty: Empty) -> Bool:
    """Return the rows at which the values are finite."""
    return those_of(rows.shape, lambda at: rows[at] & np.isfinite(values[at]), empty)


def _squared(forecast: F64, y: F64) -> Summand:
    """Return the squared errors, made of a span when it is asked for."""
    return lambda at: (y[at] - forecast[at]) ** 2


def _of_return(run: Judged, head: Head) -> Measures:
    y, f, order, rows = head.label, head.forecast, head.given, head.rows
    found: dict[str, Callable[[], Measure]] = {
        "mse_skill": partial(loss_skill, _squared(f, y), lambda at: y[at] ** 2, rows),
        "rank_ic": partial(rank_ic, order, y, rows, run.empty),
    }
    if rows.any(axis=0).sum() > 1:
        found["rank_ic_by_symbol"] = partial(mean_rank_ic, order, y, rows, run.empty)
    return found


def _of_direction(run: Judged, head: Head, against: Against) -> Measures:
    y, f, rate = head.label, head.forecast, against.plain
    rows = _also(head.rows, rate, run.empty)

    def hit(side: F64) -> Summand:
        return lambda at: (side[at] > 0.5) == (y[at] > 0.5)

    return {
        "auc": partial(auc, head.given, y, head.rows, run.empty),
        "log_loss_skill": partial(
            loss_skill,
            lambda at: log_loss(clipped(f[at]), y[at]), lambda at: log_loss(rate[at], y[at]), rows,
        ),
        "brier_skill": partial(
            loss_skill,
            lambda at: (clipped(f[at]) - y[at]) ** 2, lambda at: (rate[at] - y[at]) ** 2, rows,
        ),
        "hit_rate_gain": partial(hit_rate_gain, hit(f), hit(rate), rows),
        "calibration_error": lambda: calibration_error(clipped(f), y, rows),
    }  # fmt: skip


def _of_volatility(run: Judged, head: Head, against: Against) -> Measures:
    """Judge the forecast variance by QLIKE, and the forecast deviation by its squared error."""
    y, naive = head.label, against.plain
    variance = against.model_variance(run, head)
    rows = _also(head.rows, naive, run.empty)
    moved = those_of(rows.shape, lambda at: rows[at] & (y[at] > 0.0), run.empty)
    own, plain_one = (_loss_of("volatility", each, y) for each in (variance, naive))
    return {
        "qlike_skill": partial(loss_skill, own, plain_one, moved),
        "mse_skill": partial(
            loss_skill, _squared(head.forecast, y), _squared(against.deviation, y), rows
        ),
        "variance_bias": lambda: variance_bias(np.where(y > 0.0, y**2, np.nan), variance, moved),
        "regime_switches": lambda: switches(_is_high(run, head), moved),
    }


def _is_high(run: Judged, head: Head) -> F64:
    """Return float64[n, S], whether the forecast is above the median training label; NaN unknown."""
    high = np.full(head.label.shape, np.nan)
    for era in eras(run, head):
        f = head.forecast[era.bars]
        median = np.median(era.training(head.label))
        high[era.bars] = np.where(np.isfinite(f), f > median, np.nan)
    return high


def _of_volume(run: Judged, head: Head, against: Against) -> Measures:
    y, naive = head.label, against.plain
    rows = _also(head.rows, naive, run.empty)
    return {"mse_skill": partial(loss_skill, _squared(head.forecast, y), _squared(naive, y), rows)}


def _of_another(run: Judged, head: Head, against: Against) -> Measures:
    """Judge a regression by its squared error, and a decision as a position between −1 and 1."""
    y, f, naive = head.label, head.forecast, against.plain
    rows = _also(head.rows, naive, run.empty)
    return {
        "mse_skill": partial(loss_skill, _squared(f, y), _squared(naive, y), rows),
        "rank_ic": partial(rank_ic, f, y, head.rows, run.empty),
    }
