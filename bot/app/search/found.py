"""What a search has found: its trials as rows, the front, the chosen one, and what choosing it is worth.

Rules: everything is read from the storage and the trials' folders, so that a search that was broken off tells
the same of its trials as one that ended. Must not train.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from bot.app.runs.trials import runs_dir_of, tried
from bot.app.search.running import REASON, VALUES, SearchLoop, values_of
from bot.app.search.scoring import periods_per_year_of, times_of
from bot.app.search.trial import kept, name_of
from bot.app.study.account import Traded
from bot.app.study.combinatorial import CombinatorialStudy
from bot.app.study.cross_validation import setting_of_cut
from bot.app.study.data import Study
from bot.app.study.setting import setting_of
from bot.app.study.trials import trial_of
from bot.app.study.walk import cadence_of
from bot.report.money.sharpe import sharpe_per_bar
from bot.report.study.objectives import days_of
from bot.report.study.search import (
    FAILED,
    FINISHED,
    RULE_MANY,
    RULE_ONE,
    STOPPED,
    SearchRow,
    SearchTable,
)
from bot.report.study.selection import overfitting_of

STATES = {TrialState.COMPLETE: FINISHED, TrialState.PRUNED: STOPPED, TrialState.FAIL: FAILED}
EVALUATOR = (
    "PED-ANOVA (Watanabe, Bansal & Hutter 2023, by Optuna): how much a setting's values among the best tenth "
    "differ from those among all trials; shares of their sum"
)
LEAST_TRIALS = 20
"""Trials through all folds below which no importance is told: the best tenth must be two."""


@dataclass(frozen=True)
class Picked:
    """The trials that ended, and which of them is chosen.

    Attributes:
        accounts: by number, what an account did and on how many folds.
        front: of those that went through all folds.
        traded: by number, the accounts of those that went through all folds and traded.
        chosen: the trial that the rule takes; None where none traded.
    """

    ended: list[FrozenTrial]
    accounts: dict[int, tuple[Traded, int]]
    front: list[FrozenTrial]
    traded: dict[int, Traded]
    chosen: FrozenTrial | None


def picked(store: optuna.Study, folder: Path, minimised: Sequence[bool]) -> Picked:
    """Return what a search has tried and which trial is chosen.

    Args:
        folder: of the search.
        minimised: of each objective, whether less is better.

    Raises:
        DataError: what a trial came to is gone or damaged.
    """
    ended = [t for t in store.get_trials(deepcopy=False) if t.state.is_finished()]
    accounts = {
        t.number: kept(folder / "trials" / name_of(t.number))
        for t in ended
        if t.user_attrs.get(VALUES)
    }
    done = [trial for trial in ended if trial.state is TrialState.COMPLETE]
    front = _front(done, minimised)
    traded = {t.number: accounts[t.number][0] for t in done if accounts[t.number][0].facts["fills"]}
    among = done if len(minimised) == 1 else front
    chosen = _chosen([t for t in among if t.number in traded], less=minimised[0])
    return Picked(ended, accounts, front, traded, chosen)


def table_of(loop: SearchLoop, asked: int) -> SearchTable:
    """Return what the search has come to so far.

    Raises:
        DataError: what a trial came to is gone or damaged.
    """
    found = picked(loop.store, loop.folder, loop.space.minimised)
    times, chosen, search = times_of(loop.base), found.chosen, loop.space.search
    days = [days_of(account.returns, times) for account in found.traded.values()]
    return SearchTable(
        name=loop.space.name,
        setting=_setting(loop.base, search.seeds),
        sampler=search.sampler,
        seed=search.seed,
        objectives=search.objectives,
        minimised=loop.space.minimised,
        rows=tuple(_row(loop, trial, found.accounts.get(trial.number)) for trial in found.ended),
        front=tuple(name_of(t.number) for t in found.front),
        chosen=None if chosen is None else name_of(chosen.number),
        rule=RULE_ONE if len(search.objectives) == 1 else RULE_MANY,
        trials=None if chosen is None else _counted(loop, chosen, found.traded[chosen.number]),
        selection=overfitting_of(days),
        importance=_importance(loop.store, loop.distributions),
        evaluator=EVALUATOR,
        asked=asked,
        cadence=None if chosen is None else _cadence(loop, chosen),
    )


def _cadence(loop: SearchLoop, chosen: FrozenTrial) -> str | None:
    """Return how often the chosen one's models are trained, in words; None where that is once a fold."""
    if not loop.base.inside:
        return None
    contender = loop.contender_of(chosen.number, values_of(chosen, loop.space))
    return cadence_of(contender.config.retrain)


def _setting(study: Study, seeds: int) -> str:
    if isinstance(study, CombinatorialStudy):
        return setting_of_cut(study, seeds)
    return setting_of(study, seeds)


def _row(loop: SearchLoop, trial: FrozenTrial, account: tuple[Traded, int] | None) -> SearchRow:
    values = values_of(trial, loop.space) or {}
    own = loop.space.default or {}
    sharpe, traded = None, None
    if account is not None:
        traded = account[0]
        ratio = sharpe_per_bar(traded.returns)
        sharpe = None if ratio is None else ratio * math.sqrt(periods_per_year_of(loop.base))
    return SearchRow(
        name=name_of(trial.number),
        state=STATES[trial.state],
        values=tuple(trial.user_attrs.get(VALUES, ())),
        settings={key: value for key, value in values.items() if key not in own or own[key] != value},
        folds=0 if account is None else account[1],
        net_return=None if traded is None else float(traded.facts["net return"]),
        sharpe=sharpe,
        turnover=None if traded is None else traded.turnover,
        fills=0 if traded is None else int(traded.facts["fills"]),
        reason=str(trial.user_attrs.get(REASON, "")),
    )  # fmt: skip


def _front(done: Sequence[FrozenTrial], minimised: Sequence[bool]) -> list[FrozenTrial]:
    """Return those that no other is at least as good as in every objective, and better in one."""
    signs = [-1.0 if less else 1.0 for less in minimised]
    gains = {
        t.number: tuple(s * v for s, v in zip(signs, t.values or (), strict=True)) for t in done
    }

    def beaten(ours: tuple[float, ...]) -> bool:
        return any(
            all(a >= b for a, b in zip(theirs, ours, strict=True)) and theirs != ours
            for theirs in gains.values()
        )

    return [t for t in done if not beaten(gains[t.number])]


def _chosen(among: Sequence[FrozenTrial], *, less: bool) -> FrozenTrial | None:
    """Return the one with the best first objective, the earliest of equals."""
    sign = -1.0 if less else 1.0
    return max(among, key=lambda t: sign * (t.values or [0.0])[0], default=None)


def _counted(loop: SearchLoop, chosen: FrozenTrial, account: Traded) -> dict[str, Any]:
    """Return what the chosen one is worth after all that was tried on its data."""
    contender = loop.contender_of(chosen.number, values_of(chosen, loop.space))
    study = loop.base.over([contender])
    title = f"{loop.folder.name}/trials/{contender.name}"
    entry = trial_of(study, title, "search", {contender.name: account})
    counted, (outcome,) = tried(runs_dir_of(study.folder), entry), entry.outcomes
    deflated = (
        None
        if outcome.sharpe is None
        else counted.deflated(
            outcome.sharpe, outcome.returns, skew=outcome.skew, kurtosis=outcome.kurtosis
        )
    )
    return counted.as_json(outcome.returns, entry.periods_per_year, deflated)


def _importance(store: optuna.Study, space: Mapping[str, Any]) -> dict[str, float]:
    """Return each setting's share; nothing with too few trials to tell."""
    done = [t for t in store.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if t.params]
    if len(done) < LEAST_TRIALS:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = get_param_importances(
            store, evaluator=PedAnovaImportanceEvaluator(), params=list(space)
        )
    return {key: float(share) for key, share in found.items()}
