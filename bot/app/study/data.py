"""The data of a comparison: bars, features, folds, and what each fold may train on.

Rules: a training's rows are cut by the same Archive as a backtest's, at its due bar (`walk.py` says
which), and its forecasts begin `retrain.latency_bars` later. What workers need of a fold is written once to disk.
"""

from __future__ import annotations

import copy
import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bot.app.backtest.preparing import RunMarket
from bot.app.study.contenders import Contender
from bot.app.study.folds import FOLD_LAYOUT, FoldData
from bot.app.study.unit import TRAINING, Unit
from bot.app.study.walk import Fold, check_inside, cut_folds, trainings_of
from bot.app.training.archive import Archive
from bot.blocks import F64, Bool, FeatureBlock, Task
from bot.config import Config
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import labels_by, target_tasks
from bot.model.device import device_of
from bot.parts.plugins import digests_of
from bot.timegrid import INTERVAL_MS


class Study:
    """A market cut into folds.

    Attributes:
        tasks: the tasks that are judged, those that every contender has.
        folds: in the order of time.
        start: the first bar that is forecast.
        inside: whether models are trained inside a fold too, where a contender's own `retrain` says so.
    """

    inside = False

    def __init__(
        self,
        contenders: list[Contender],
        market: RunMarket,
        n_folds: int,
        months: int,
        folder: Path,
        *,
        inside: bool = False,
    ) -> None:
        self._hold(contenders, market, folder)
        self.folds = cut_folds(market, self.config, n_folds, months)
        self.inside = inside
        self.start = self.folds[0].first

    def _hold(self, contenders: list[Contender], market: RunMarket, folder: Path) -> None:
        """Keep what does not depend on how the market is cut."""
        self.contenders = contenders
        self.market = market
        self.config: Config = contenders[0].config
        self.folder = folder
        self.tasks = _common_tasks(contenders)
        self._features: dict[str, tuple[tuple[str, ...], FeatureBlock]] = {}
        self._labels: dict[tuple[Task, ...], F64] = {}
        self._written: dict[str, Path] = {}

    def over(self, contenders: list[Contender]) -> Study:
        """Return the study of other contenders on these bars, with what is worked out of them so far.

        What the other one works out of features it keeps to itself, so that many need no more memory than one.

        Args:
            contenders: like these in all that makes folds and labels.
        """
        made = copy.copy(self)
        made.contenders = contenders
        made.tasks = _common_tasks(contenders)
        made._features = dict(self._features)
        return made

    def first(self, folds: int) -> Study:
        """Return the study of the first so many folds, sharing everything."""
        made = copy.copy(self)
        made.folds = self.folds[:folds]
        return made

    @property
    def labels(self) -> F64:
        """Return float64[n, S, K], the labels of the judged tasks, the same object for the same ones."""
        if self.tasks not in self._labels:
            self._labels[self.tasks] = labels_by(self.config, self.market.bars, self.tasks)[0]
        return self._labels[self.tasks]

    @cached_property
    def digest(self) -> str:
        """Return a SHA-256 over all bars."""
        bars = self.market.bars
        sha = hashlib.sha256(json.dumps(self.market.symbols).encode())
        for array in (bars.open_time, bars.open, bars.high, bars.low, bars.close, bars.volume,
                      bars.turnover, bars.funding_rate, bars.funding_inside, bars.mark,
                      bars.valid, bars.in_session):  # fmt: skip
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    def units(self, seeds: int) -> list[Unit]:
        """Return every training of the study; two studies share those that are the same."""
        units = []
        for contender in self.contenders:
            for seed in range(seeds if contender.seeded else 1):
                units += [self._unit(contender, span, seed) for span in self.trainings(contender)]
        return units

    def trainings(self, contender: Contender) -> list[Fold]:
        """Return a contender's trainings, fold by fold, with the bars that each one's models forecast."""
        if not self.inside:
            return self.folds
        times, retrain = self.market.bars.open_time, contender.config.retrain
        return [
            span
            for fold in self.folds
            for span in trainings_of(fold, retrain, times, self._interval_ms)
        ]

    def check_inside(self) -> None:
        """Refuse contenders whose `retrain` cannot say when to train inside a fold, where it is to.

        Raises:
            ConfigError: it is never due, or too often.
        """
        for c in self.contenders if self.inside else ():
            times = self.market.bars.open_time
            check_inside(c.name, c.config.retrain, self.folds, times, self._interval_ms)

    @property
    def _interval_ms(self) -> int:
        return INTERVAL_MS[self.config.market.interval]

    def fold_key(self, fold: Fold) -> list[Any]:
        """Return what tells a fold from others, in open times."""
        times = self.market.bars.open_time
        return [int(times[i]) for i in (fold.due, fold.first, fold.stop - 1)]

    def _unit(self, contender: Contender, fold: Fold, seed: int) -> Unit:
        c = _settled(contender.config)
        times = self.market.bars.open_time
        decides = {
            "version": TRAINING[contender.kind],
            "kind": contender.kind,
            "settings": [
                c.features.model_dump(mode="json"),
                c.targets.model_dump(mode="json"),
                c.model.model_dump(mode="json", exclude=_unread(c)),
            ],
            "training": c.training.model_dump(mode="json", exclude=_of_no_weight(c)),
            "judged": [task.name for task in self.tasks],
            "bars": self.digest,
            "fold": self.fold_key(fold),
            "seed": [c.run.seed, seed],
        } | _own_parts(c)
        key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:20]
        return Unit(
            name=contender.name,
            kind=contender.kind,
            config=c,
            judged=self.tasks,
            span=fold,
            seed=seed,
            due_ms=int(times[fold.due]),
            data=self.folder / "data" / f"{self._data_key(c, fold)}.npz",
            result=self.folder / "units" / f"{key}.npz",
        )

    def write_data(self, unit: Unit) -> None:
        """Write what the unit needs, unless that was done before."""
        if not unit.data.exists():
            self.fold_data(unit).write(unit.data)

    def fold_data(self, unit: Unit) -> FoldData:
        """Return what the unit trains on and forecasts."""
        fold, config = unit.span, unit.config
        names, features = self.features_of(config)
        archive = Archive(config, target_tasks(config.targets))
        archive.extend(self.market.bars, features)
        span = slice(fold.first, fold.stop)
        return FoldData(
            names,
            archive.dataset(fold.due),
            features.x[span],
            ready=features.ready[span],
            windows=features.windows and features.windows.bars(fold.first, fold.stop),
            labels=self.labels[span],
        )

    def features_of(self, config: Config) -> tuple[tuple[str, ...], FeatureBlock]:
        """Return the features' names and values over all bars."""
        lookback = config.model.bars_read
        key = f"{config.features.model_dump_json()} {lookback}"
        if key not in self._features:
            pipeline = FeaturePipeline(
                config.features, self.market.symbols, self._interval_ms, lookback
            )
            _, block = pipeline.advance(pipeline.initial(), self.market.bars)
            self._features[key] = pipeline.names, block
        return self._features[key]

    def forecastable(self) -> Bool:
        """Return bool[n, S], the bars from the start on at which every contender forecasts."""
        ready: Bool = np.ones(self.market.bars.valid.shape, dtype=np.bool_)
        for contender in self.contenders:
            features = self.features_of(contender.config)[1]
            ready &= features.ready
            if features.windows is not None:
                ready &= features.windows.last >= 0
        ready[: self.start] = False
        ready[self.folds[-1].stop :] = False
        return ready

    def data_key(self, fold: Fold, config: Config) -> list[Any]:  # noqa: ARG002 - other cuts read it
        """Return what a fold's data depend on beside features, labels and window, in bars."""
        return [fold.due, fold.first, fold.stop]

    def _data_key(self, config: Config, fold: Fold) -> str:
        t = config.training
        decides = [
            FOLD_LAYOUT,
            self.digest,
            config.features.model_dump(mode="json"),
            t.window,
            t.window_bars,
            config.targets.model_dump(mode="json"),
            [task.name for task in self.tasks],
            self.data_key(fold, config),
            config.model.bars_read,
            *_own_parts(config).values(),
        ]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:20]


def _common_tasks(contenders: list[Contender]) -> tuple[Task, ...]:
    """Return the tasks that all contenders have, in the order of the first."""
    first, *others = (target_tasks(c.config.targets) for c in contenders)
    return tuple(task for task in first if all(task in tasks for tasks in others))


def _own_parts(config: Config) -> dict[str, dict[str, str]]:
    """Return the digests of a user's own parts under 'parts', nothing where there are none."""
    digests = digests_of(config.plugins)
    return {"parts": digests} if digests else {}


def _settled(config: Config) -> Config:
    """Return the settings with the device that training.device comes to on this machine."""
    if config.training.device == "cpu":
        return config
    settled = {"device": device_of(config.training.device).type}
    return config.model_copy(update={"training": config.training.model_copy(update=settled)})


def _of_no_weight(config: Config) -> set[str]:
    """Return the settings of a training that a unit is not named by; units of before knew the CPU alone."""
    unnamed = {"workers", "time_limit_s", "memory_limit_mb"}
    return {*unnamed, "device"} if config.training.device == "cpu" else unnamed


def _unread(config: Config) -> set[str]:
    """Return the settings of the model that its encoder does not read."""
    return {"lookback"} if config.model.bars_read == 1 else set()
