"""The loop of a search: trials are asked for, trained fold by fold, judged, entered and told.

Rules: a batch is asked for before any of it is told, so that what a trial is proposed by does not hang on who
was faster; a trial that a killed search has left goes on with its settings, and what it has trained is kept.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from bot.adapters.optuna_file import taken_up
from bot.app.executors.units import Executor
from bot.app.loop.runner import Progress
from bot.app.runs.trials import enter, runs_dir_of
from bot.app.search.samplers import SeededSampler, distribution_of
from bot.app.search.scoring import Scorer, UndefinedObjectiveError
from bot.app.search.space import BaseSettings, SearchSpace
from bot.app.search.trial import RESULT, RunningTrial, keep, name_of
from bot.app.study.account import check_accounts
from bot.app.study.contenders import Contender
from bot.app.study.data import Study
from bot.app.study.trainings import missing_of, run_trainings
from bot.app.study.trials import trial_of
from bot.app.symbols import with_candidates
from bot.errors import ConfigError, ModelError

RUNNING_VALUES, REASON, VALUES = "running", "reason", "values"
"""What is kept of a trial in the storage: its first objective after each look, why it failed, its objectives."""

LEAST_OTHERS = 4
"""Trials that must have been looked at on the same folds before one is stopped by their median."""

MOST_FAILED = 10
"""Trials that fail one after the other before a search stops: more of the same is no search."""


@dataclass
class SearchLoop:
    """A search between two calls of the storage.

    Args:
        base: the study of the base settings alone.
        store: Optuna's study.
        folder: of the search, in the study's folder.
    """

    settings: BaseSettings
    space: SearchSpace
    base: Study
    store: optuna.Study
    folder: Path

    def __post_init__(self) -> None:
        """Put the sampler in its place."""
        space, search = self.space, self.space.search
        self.dimensions = {d.key: d for d in space.dimensions}
        self.distributions = {d.key: distribution_of(d) for d in space.dimensions}
        self.given = [space.default, *space.starts]
        placed = [self._placed(values) for values in self.given]
        self.store.sampler = SeededSampler(
            search.sampler, search.seed, self.distributions,
            given=placed, middle=next((each for each in placed if each), None),
        )  # fmt: skip
        self.scorer = Scorer(self.base, search.objectives)

    def go_on(
        self, executor: Executor, trials: int, minutes: float, progress: Progress,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Try settings until so many trials are there, or the time is over.

        Raises:
            ModelError: the defaults cannot be trained, or too many trials fail one after the other.
        """
        until = clock() + 60.0 * minutes if minutes else float("inf")
        size = self.space.search.at_once
        for first in range(0, trials, size):
            numbers = range(first, min(first + size, trials))
            progress(first, trials)
            there = self.store.get_trials(deepcopy=False)
            for trial in there[numbers.start : numbers.stop]:
                self._remake(trial, executor)
            if all(k < len(there) and there[k].state.is_finished() for k in numbers):
                continue
            if clock() >= until:
                return
            self._batch(numbers, there, executor)
            self._check_failures()
        progress(trials, trials)

    def contender_of(self, number: int, values: dict[str, Any] | None) -> Contender:
        """Return a trial's settings as a contender.

        Raises:
            ConfigError: they make no sense together.
        """
        config = self.settings.load(self.space.sets(values or {}))
        return Contender(name_of(number), self.space.search.contender, with_candidates(config))

    def _placed(self, values: Any) -> dict[str, Any]:
        """Return given settings as the sampler has them, nothing for those outside the space."""
        return {key: self.dimensions[key].place(value) for key, value in (values or {}).items()}

    def _batch(self, numbers: range, there: Sequence[FrozenTrial], executor: Executor) -> None:
        asked = [self._ask(number, there) for number in numbers]
        open_ones = [k for k in numbers if k >= len(there) or not there[k].state.is_finished()]
        batch = [self._begun(trial) for trial in asked if trial.number in open_ones]
        for stage in self._stages():
            train([trial for trial in batch if trial.goes_on], stage, executor)
            for trial in batch:
                if trial.goes_on:
                    self._look(trial, stage, first=numbers[0])
        for trial in batch:
            self._tell(trial)

    def _stages(self) -> list[range]:
        """Return the folds that are trained before each look."""
        n = len(self.base.folds)
        fold_by_fold = self.space.search.prune and self.space.search.cv == "walk-forward"
        return [range(k, k + 1) for k in range(n)] if fold_by_fold else [range(n)]

    def _ask(self, number: int, there: Sequence[FrozenTrial]) -> RunningTrial:
        """Return a trial of this number: one that is there, its settings completed, or a new one."""
        if number < len(there) and there[number].state.is_finished():
            return RunningTrial(number, values_of(there[number], self.space))
        trial = taken_up(self.store, number) if number < len(there) else self.store.ask()
        assert trial.number == number
        if number < len(self.given) and self.given[number] is None:
            return RunningTrial(number, None, asked=trial)
        values = {}
        for key, of in self.distributions.items():
            values[key] = self.dimensions[key].value(_drawn(trial, key, of))
        return RunningTrial(number, values, asked=trial)

    def _begun(self, trial: RunningTrial) -> RunningTrial:
        """Make a contender of a trial's settings, or say why there can be none."""
        try:
            contender = self.contender_of(trial.number, trial.values)
            base = self.base.contenders[0]
            self.base.features_of(base.config)  # once for all trials
            study = self.base.over([contender] if trial.number == 0 else [base, contender])
            check_accounts(study)
            study.check_inside()
        except ConfigError as error:
            trial.failed = str(error)
            return trial
        trial.contender, trial.study = contender, study
        made = study.units(self.space.search.seeds)
        trial.units = [unit for unit in made if unit.name == contender.name]
        return trial

    def _remake(self, told: FrozenTrial, executor: Executor) -> None:
        """Make anew what a trial came to, where its file is gone."""
        looks = len(told.user_attrs.get(RUNNING_VALUES, ()))
        folder = self.folder / "trials" / name_of(told.number)
        if not told.state.is_finished() or not looks or (folder / RESULT).exists():
            return
        trial = self._begun(RunningTrial(told.number, values_of(told, self.space)))
        stages = self._stages()[:looks]
        train([trial], range(stages[-1].stop), executor)
        if trial.goes_on:
            self._score(trial, stages[-1].stop)
        if trial.failed:
            raise ModelError(
                f"search: {folder / RESULT} is gone and cannot be made anew: {trial.failed}"
            )
        keep(folder, trial)

    def _score(self, trial: RunningTrial, n: int) -> None:
        """Score a trial on its first n folds."""
        assert trial.study is not None
        assert trial.contender is not None
        units = [unit for unit in trial.units if unit.fold < n]
        try:
            score = self.scorer.score(trial.study.first(n), trial.contender, units)
        except UndefinedObjectiveError as error:
            trial.failed = str(error)
        else:
            trial.scores.append(score)
            trial.folds = n

    def _look(self, trial: RunningTrial, stage: range, first: int) -> None:
        """Score a trial on the folds so far, and stop it where it is below the others' median."""
        n = stage.stop
        self._score(trial, n)
        if trial.failed:
            return
        score = trial.scores[-1]
        others = self._others(len(trial.scores) - 1, first)
        if n < len(self.base.folds) and trial.number and len(others) >= LEAST_OTHERS:
            sign = -1.0 if self.space.minimised[0] else 1.0
            median = statistics.median(sign * value for value in others)
            trial.pruned = sign * score.values[0] < median

    def _others(self, look: int, first: int) -> list[float]:
        """Return the first objective of earlier batches' trials at the same look."""
        found = []
        for trial in self.store.get_trials(deepcopy=False):
            values = trial.user_attrs.get(RUNNING_VALUES, [])
            if trial.number < first and look < len(values):
                found.append(float(values[look]))
        return found

    def _tell(self, trial: RunningTrial) -> None:
        """Keep a trial's folder, enter it in the register, and tell the storage."""
        if trial.failed and trial.number == 0:
            raise ModelError(f"search: the defaults come to nothing: {trial.failed}")
        keep(self.folder / "trials" / name_of(trial.number), trial)
        if trial.scores:  # looked at, whatever came later
            self._enter(trial)
        told = trial.asked
        assert told is not None
        told.set_user_attr(RUNNING_VALUES, [score.values[0] for score in trial.scores])
        if trial.failed:
            told.set_user_attr(REASON, trial.failed)
            self.store.tell(told, state=TrialState.FAIL)
            return
        values = trial.scores[-1].values
        told.set_user_attr(VALUES, list(values))
        if not trial.pruned:
            self.store.tell(told, list(values))
            return
        reported = self.store.get_trials(deepcopy=False)[trial.number].intermediate_values
        if len(values) == 1 and not reported:  # Optuna ranks stopped trials by what was reported
            told.report(values[0], trial.folds)
        self.store.tell(told, state=TrialState.PRUNED)

    def _enter(self, trial: RunningTrial) -> None:
        assert trial.study is not None
        assert trial.contender is not None
        study = trial.study.over([trial.contender]).first(trial.folds)
        title = f"{self.folder.name}/trials/{name_of(trial.number)}"
        account = {trial.contender.name: trial.scores[-1].traded}
        entry = trial_of(study, title, "search", account)
        if warning := enter(runs_dir_of(study.folder), entry):
            print(f"warning: {warning}", file=sys.stderr)

    def _check_failures(self) -> None:
        last = self.store.get_trials(deepcopy=False)[-MOST_FAILED:]
        if len(last) == MOST_FAILED and all(t.state is TrialState.FAIL for t in last):
            raise ModelError(
                f"search: the last {MOST_FAILED} trials failed, the newest: {last[-1].user_attrs[REASON]}"
            )


def values_of(trial: FrozenTrial, space: SearchSpace) -> dict[str, Any] | None:
    """Return a trial's settings by key; None of the base's own that lie outside the space."""
    if not trial.params:
        return None
    return {d.key: d.value(trial.params[d.key]) for d in space.dimensions}


def _drawn(trial: optuna.Trial, key: str, of: Any) -> Any:
    """Return what the sampler proposes for a setting, or proposed before."""
    if isinstance(of, CategoricalDistribution):
        return trial.suggest_categorical(key, of.choices)
    make = trial.suggest_int if isinstance(of.low, int) else trial.suggest_float
    return make(key, of.low, of.high, step=of.step, log=of.log)


def train(trials: Sequence[RunningTrial], folds: range, executor: Executor) -> None:
    """Train what trials need of some folds, each training once; a trial whose training fails has failed."""
    of_trial = {
        t.number: [unit for unit in t.units if unit.fold in folds] for t in trials
    }  # fmt: skip
    studies = {u.result: t.study for t in trials for u in of_trial[t.number] if t.study is not None}
    failures = run_trainings(
        executor, missing_of(unit for units in of_trial.values() for unit in units),
        study_of=lambda unit: studies[unit.result], finished=lambda: None,
    )  # fmt: skip
    failed = {unit.result: f"{unit.label}: {error}" for unit, error in failures}
    for trial in trials:
        reasons = [failed[u.result] for u in of_trial[trial.number] if u.result in failed]
        trial.failed = "\n".join(reasons)
