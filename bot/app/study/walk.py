"""Bars cut into consecutive folds, and the trainings of a fold: one before its first bar, and those due inside it.

Rules: a fold's first training is due `retrain.latency_bars` before its first bar. Those inside are due where a
backtest's would be, and a model's forecasts hold from its due bar and the latency on until the next one's. Must
not train.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bot.app.backtest.preparing import RunMarket
from bot.app.training.triggers import DueBars, planned_dues
from bot.blocks import I64
from bot.config import Config
from bot.config.schema import Retrain
from bot.errors import ConfigError, DataError
from bot.wording import counted

READ_BY = {"cron": "retrain.cron", "interval": "retrain.hours", "every_bars": "retrain.every_bars"}
"""By trigger, the setting that says how often."""
MOST_INSIDE = 400
"""Trainings inside a fold: every day of a year."""


@dataclass(frozen=True)
class Fold:
    """Bars first..stop-1 are forecast by models that were due at the close of bar `due`.

    Attributes:
        training: 0 of a fold's own; k of the k-th training inside it, whose models forecast the rest of the fold.
    """

    number: int
    due: int
    first: int
    stop: int
    training: int = 0


def name_of(fold: Fold) -> str:
    """Return what a fold or the rest of one is called, counted from 1.

    >>> name_of(Fold(0, 8, 9, 20)), name_of(Fold(0, 13, 14, 20, training=1))
    ('fold 1', 'fold 1, training 2')
    """
    inside = f", training {fold.training + 1}" if fold.training else ""
    return f"fold {fold.number + 1}{inside}"


def cut_folds(market: RunMarket, config: Config, n_folds: int, months: int) -> list[Fold]:
    """Cut the last `n_folds` spans of `months` calendar months, or those from data.start on.

    Raises:
        DataError: the bars do not reach that far, or nothing lies before the first fold.
    """
    times = market.bars.open_time
    step = pd.DateOffset(months=months)
    if config.data.start:
        edges = [pd.Timestamp(int(times[market.start_index]), unit="ms")]
        for _ in range(n_folds):
            edges.append(edges[-1] + step)
    else:
        last = pd.Timestamp(int(times[-1]) + 1, unit="ms")
        edges = [last.to_period("M").start_time + pd.DateOffset(months=1)]
        for _ in range(n_folds):
            edges.insert(0, edges[0] - step)
    at = np.searchsorted(times, [int(edge.value // 1_000_000) for edge in edges])
    latency = config.retrain.latency_bars
    if at[0] <= latency or (np.diff(at) < 2).any():
        raise DataError(
            f"compare: {n_folds} folds of {months} months from {edges[0]} do not lie within the bars "
            f"from {pd.Timestamp(int(times[0]), unit='ms')} to "
            f"{pd.Timestamp(int(times[-1]), unit='ms')}, or leave nothing to train on; ask for fewer "
            "or shorter folds, or give --from"
        )
    return [
        Fold(k, int(a) - latency, int(a), int(b)) for k, (a, b) in enumerate(itertools.pairwise(at))
    ]


def trainings_of(fold: Fold, retrain: Retrain, times: I64, interval_ms: int) -> list[Fold]:
    """Return a fold's own training and those inside it, each with the bars that its models forecast.

    Args:
        times: int64[n], open times of all bars.

    Raises:
        ConfigError: the cron line or the start cannot be read.
    """
    due = DueBars(retrain, interval_ms).due(times[fold.due : fold.stop])
    due[0] = True  # the fold's own
    latency = fold.first - fold.due
    return [
        Fold(fold.number, fold.due + at.index, fold.due + at.effective_index, fold.stop, training=k)
        for k, at in enumerate(planned_dues(due, latency, latency))
    ]


def check_inside(
    name: str, retrain: Retrain, folds: Sequence[Fold], times: I64, interval_ms: int
) -> None:
    """Refuse what cannot say when models are trained inside a fold.

    Args:
        name: whose settings they are.

    Raises:
        ConfigError: it is never due, or more often than MOST_INSIDE times in a fold.
    """
    whose = f"retrain of {name}: {cadence_of(retrain)}"
    if retrain.trigger == "never":
        raise ConfigError(
            f"{whose}: a fold would have a training that no run would have; set another retrain.trigger, or do not "
            "retrain inside folds"
        )
    if DueBars(retrain, interval_ms).next_fire_ms(int(times[folds[0].due])) is None:
        raise ConfigError(f"{whose}: no training is ever due; mend retrain.cron")
    for fold in folds:
        inside = len(trainings_of(fold, retrain, times, interval_ms)) - 1
        if inside > MOST_INSIDE:
            raise ConfigError(
                f"{whose}: that is {counted(inside, 'training')} inside fold {fold.number + 1}, and at most "
                f"{MOST_INSIDE} are made; retrain less often, or cut shorter folds"
            )


def cadence_of(retrain: Retrain) -> str:
    """Return in words how often models are trained.

    >>> cadence_of(Retrain(trigger="interval", hours=12)), cadence_of(Retrain())
    ('every 12 hours', "by cron '0 0 1 * *'")
    """
    return {
        "cron": f"by cron '{retrain.cron}'",
        "interval": f"every {counted(retrain.hours, 'hour')}",
        "every_bars": f"every {counted(retrain.every_bars, 'bar')}",
        "never": "never",
    }[retrain.trigger]
