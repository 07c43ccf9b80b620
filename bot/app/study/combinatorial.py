"""A market cut for combinatorial purged cross-validation, and what each path through it comes to.

Rules: a split trains on all groups but the tested ones, whatever came later than these, less the rows whose
labels come near a tested group; `training.window` has no say. So its forecasts rank settings, and are no
evidence of what trading would have been worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.app.backtest.preparing import RunMarket
from bot.app.study.account import Traded, trade_forecasts
from bot.app.study.contenders import Contender
from bot.app.study.data import Study
from bot.app.study.folds import FoldData
from bot.app.study.splits import cut, trainable
from bot.app.study.unit import Unit, read_result
from bot.app.study.walk import Fold
from bot.app.training.archive import Archive
from bot.blocks import Bool, Windows
from bot.config import Config
from bot.errors import DataError
from bot.features.targets import target_tasks
from bot.model.dataset import Dataset


class CombinatorialStudy(Study):
    """A study whose folds are the splits of a cross-validation.

    Attributes:
        cut: groups, splits and paths; fold k is split k.
    """

    def __init__(
        self, contenders: list[Contender], market: RunMarket, folder: Path, *, groups: int, tested: int
    ) -> None:  # fmt: skip
        """Cut the bars from data.start on, or all at which every contender has features.

        Raises:
            ConfigError: the numbers make no cross-validation.
            DataError: no bar has features.
        """
        self._hold(contenders, market, folder)
        self._features = {}
        self._labels = {}
        self._rows: dict[str, Dataset] = {}
        self.start = market.start_index if self.config.data.start else self._first_ready()
        self.cut = cut((self.start, len(market.bars)), groups, tested)
        spans = [self.cut.tested_bars(split) for split in self.cut.splits]
        self.folds = [
            Fold(k, int(at[0]), first=int(at[0]), stop=int(at[-1]) + 1)
            for k, at in enumerate(spans)
        ]

    def _first_ready(self) -> int:
        firsts = []
        for contender in self.contenders:
            ready = self.features_of(contender.config)[1].ready.any(axis=1)
            if not ready.any():
                raise DataError(
                    f"compare: no bar has the features of {contender.name}; give more bars"
                )
            firsts.append(int(np.argmax(ready)))
        return max(firsts)

    def fold_key(self, fold: Fold) -> list[Any]:
        """Return the groups by their open times, and which of them are tested."""
        times = self.market.bars.open_time
        edges = [int(times[first]) for first, _ in self.cut.groups]
        return ["combinatorial", edges, int(times[-1]), self.cut.splits[fold.number].tested]

    def data_key(self, fold: Fold, config: Config) -> list[Any]:
        """Return the same in bars, and the embargo."""
        split = self.cut.splits[fold.number]
        return ["combinatorial", self.cut.groups, split.tested, config.training.embargo_bars]

    def fold_data(self, unit: Unit) -> FoldData:
        """Return what a split trains on and forecasts."""
        names, features = self.features_of(unit.config)
        split = self.cut.splits[unit.fold]
        at, w = self.cut.tested_bars(split), features.windows
        rows = self._all_rows(unit.config)
        return FoldData(
            names,
            rows.rows(self.trains_on(rows, unit.fold, unit.config.training.embargo_bars)),
            features.x[at],
            ready=features.ready[at],
            windows=None if w is None else Windows(w.rows, w.last[at], w.lookback),
            labels=self.labels[at],
        )

    def trains_on(self, rows: Dataset, number: int, embargo: int) -> Bool:
        """Return bool[N], the rows that a split trains on: purged, and with an embargo on both sides.

        Args:
            embargo: training.embargo_bars; it is the longest horizon at least, as in a training's own split.
        """
        known = rows.bar + rows.horizon if rows.known_at is None else rows.known_at
        tested = [self.cut.groups[g] for g in self.cut.splits[number].tested]
        reach = []
        for first, stop in tested:
            own = known[(rows.bar >= first) & (rows.bar < stop)]
            reach.append(max(stop - 1 + rows.horizon, int(own.max(initial=0))))
        kept = trainable(rows.bar, known, tested, reach=reach, embargo=max(embargo, rows.horizon))
        return kept & (rows.bar >= self.start)

    def _all_rows(self, config: Config) -> Dataset:
        """Return every labelled row of the market, in order; the same object for the same settings."""
        key = f"{config.features.model_dump_json()} {config.targets.model_dump_json()} {config.model.bars_read}"
        if key not in self._rows:
            whole = config.training.model_copy(update={"window": "expanding"})
            archive = Archive(config.model_copy(update={"training": whole}), target_tasks(config.targets))  # fmt: skip
            archive.extend(self.market.bars, self.features_of(config)[1])
            self._rows[key] = archive.dataset(len(self.market.bars) - 1)
        return self._rows[key]


def trade_paths(
    study: CombinatorialStudy, contender: Contender, units: Sequence[Unit]
) -> list[Traded]:
    """Trade every path of a contender on paper, its seeds averaged to one forecast.

    Args:
        units: all trainings of the contender.

    Raises:
        DataError: a result is damaged, or of another training.
    """
    ready, n = study.forecastable(), len(study.market.bars)
    by_split: dict[int, list[Any]] = {}
    for unit in units:
        rows = ready[study.cut.tested_bars(study.cut.splits[unit.fold])]
        by_split.setdefault(unit.fold, []).append(read_result(unit, n, rows)[0])
    mean = {number: np.mean(values, axis=0) for number, values in by_split.items()}
    seeds = sorted({unit.seed for unit in units})
    accounts = []
    for path in study.cut.paths:
        value = np.full((n, ready.shape[1], len(study.tasks)), np.nan)
        for (first, stop), number in zip(study.cut.groups, path, strict=True):
            at = study.cut.tested_bars(study.cut.splits[number])
            value[first:stop] = mean[number][(at >= first) & (at < stop)]
        accounts.append(trade_forecasts(study, contender, value, seeds))
    return accounts
