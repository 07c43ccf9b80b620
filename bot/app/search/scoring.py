"""What a trial came to on the folds so far: its account, and one number for each objective.

Rules: the account and the measures are those of `bot compare`; baselines learn from the rows of the base
settings, the same for all trials. Must not train.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bot.app.study.account import Traded, trade
from bot.app.study.combinatorial import CombinatorialStudy, trade_paths
from bot.app.study.contenders import Contender
from bot.app.study.cross_validation import annual_ratio, middle_path
from bot.app.study.data import Study
from bot.app.study.judging import averaged, read_units
from bot.app.study.unit import Unit
from bot.app.symbols import bars_a_year
from bot.app.training.archive import Archive
from bot.blocks import I64, Task
from bot.config.search import OF_ACCOUNT
from bot.errors import DataError
from bot.features.targets import target_tasks
from bot.report.skill.rivals import Rivals
from bot.report.study.endpoints import endpoints
from bot.report.study.objectives import net_return_less_error, skill_of
from bot.wording import counted


class UndefinedObjectiveError(DataError):
    """An objective has no value for a trial, which so comes to nothing."""


@dataclass(frozen=True)
class Score:
    """The objectives' values in their order, and what the account did."""

    values: tuple[float, ...]
    traded: Traded


class Scorer:
    """Scores trials of one search.

    Args:
        base: the study of the base settings, all folds.
        objectives: their names.
    """

    def __init__(self, base: Study, objectives: tuple[str, ...]) -> None:
        self._base = base
        self._objectives = objectives
        self._rivals: dict[tuple[Task, ...], Rivals] = {}

    @cached_property
    def _spans(self) -> dict[int, tuple[int, int]]:
        """Return of each fold the first and last bar that the base's trainings learn from."""
        study, config = self._base, self._base.config
        _, features = study.features_of(config)
        archive = Archive(config, target_tasks(config.targets))
        archive.extend(study.market.bars, features)
        rows = {fold.number: archive.dataset(fold.due).bar for fold in study.folds}
        return {number: (int(bar[0]), int(bar[-1])) for number, bar in rows.items()}

    def score(self, study: Study, contender: Contender, units: list[Unit]) -> Score:
        """Score a trial on the folds of a study.

        Args:
            study: of the base and the trial, so that trials are judged on rows that both forecast.
            units: the trial's own.

        Raises:
            UndefinedObjectiveError: an objective has no value here.
            DataError: a result is damaged.
        """
        if isinstance(study, CombinatorialStudy):
            return self._score_paths(study, contender, units)
        rows = study.forecastable()
        read = read_units(units, rows)
        seeds = sorted({seed for seed, _ in read})
        # an account alone asks for no baseline, so its folds' rows need not be cut again
        spans = self._spans if self._asks_skill else {fold.number: (0, 0) for fold in study.folds}
        judged = averaged(study, seeds, read, spans)
        traded = trade(study, contender, judged, seeds)
        found = []
        if self._asks_skill:
            rivals = Rivals(self._base.config.report.baselines)
            if not study.inside:  # else trials have other models, and each one's would be kept
                rivals = self._rivals.setdefault(study.tasks, rivals)
            found = endpoints(judged, traded.returns, traded.gross, rows=rows, rivals=rivals)
        values = []
        for name in self._objectives:
            value = of_account(name, study, traded) if name in OF_ACCOUNT else skill_of(found, name)
            if value is None:
                raise UndefinedObjectiveError(
                    f"the objective {name} is not defined on {counted(len(study.folds), 'fold')}"
                )
            values.append(value)
        return Score(tuple(values), traded)

    @property
    def _asks_skill(self) -> bool:
        return any(name.endswith("skill") for name in self._objectives)

    def _score_paths(
        self, study: CombinatorialStudy, contender: Contender, units: list[Unit]
    ) -> Score:
        """Return the medians over the paths, and the account of the path with the middle Sharpe ratio."""
        paths, a_year = trade_paths(study, contender, units), periods_per_year_of(study)
        values = []
        for name in self._objectives:
            found = [of_account(name, study, path) for path in paths]
            known = [value for value in found if value is not None]
            if len(known) < len(found):
                raise UndefinedObjectiveError(f"the objective {name} is not defined on every path")
            values.append(float(np.median(known)))
        middle = middle_path(tuple(annual_ratio(path, a_year) for path in paths))
        return Score(tuple(values), paths[middle])


def of_account(name: str, study: Study, traded: Traded) -> float | None:
    """Return an objective that an account gives; None where it is not defined."""
    if name == "turnover":
        return traded.turnover
    return net_return_less_error(traded.returns, times_of(study), periods_per_year_of(study))


def times_of(study: Study) -> I64:
    """Return int64[n], the open times of the bars that are forecast."""
    times: I64 = study.market.bars.open_time[study.start : study.folds[-1].stop]
    return times


def periods_per_year_of(study: Study) -> float:
    """Return the bars of a year."""
    return bars_a_year(study.config, study.market.symbols)
