"""From a study's forecasts to its comparison: what each contender's seeds come to together.

Rules: all contenders are held against baselines of the same rows, those that the first one learned
from; seeds are averaged before anything is measured. Must not train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bot.app.study.account import Traded, trade
from bot.app.study.contenders import Contender
from bot.app.study.data import Study
from bot.app.study.groups import groups_of, mean_of_groups
from bot.app.study.unit import Unit, read_result
from bot.app.study.walk import Fold, name_of
from bot.app.symbols import bars_a_year
from bot.blocks import F64, Bool, Forecast
from bot.report.inputs import Judged, ModelInfo
from bot.report.skill.rivals import Rivals
from bot.report.study.comparison import Comparison, Pairs
from bot.report.study.comparison import compare as hold_together
from bot.report.study.endpoints import Endpoint, endpoints
from bot.report.study.overfitting import overfitting_differences
from bot.timegrid import INTERVAL_MS

SAMPLES = 10_000
"""Resamples of the bootstrap: enough for a small p-value to survive Holm's correction."""


def judge(
    study: Study, units: list[Unit], *, pairs: Pairs, primary: Sequence[str]
) -> tuple[Comparison, dict[str, Traded]]:
    """Return the comparison of all contenders, and by name what each one's account came to."""
    accounts: dict[str, Traded] = {}
    measured: dict[str, list[Endpoint]] = {}
    without_seed: dict[str, dict[str, list[float]]] = {}
    facts: dict[str, dict[str, Any]] = {}
    excess: dict[str, F64] = {}
    as_traded: dict[str, dict[str, float]] = {}
    rows = study.forecastable()
    rivals = Rivals(study.config.report.baselines)
    spans: dict[int, tuple[int, int]] = {}  # of the first contender's folds, from its facts

    def measure(
        contender: Contender, seeds: list[int], read: Results
    ) -> tuple[list[Endpoint], Traded]:
        judged = averaged(study, seeds, read, spans)
        account = trade(study, contender, judged, seeds)
        found = endpoints(
            judged, account.returns, account.gross, rows=rows, rivals=rivals, primary=primary
        )
        return found, account

    for contender in study.contenders:
        read = read_units([unit for unit in units if unit.name == contender.name], rows)
        seeds = sorted({seed for seed, _ in read})
        spans = spans or training_spans(read)
        measured[contender.name], account = measure(contender, seeds, read)
        accounts[contender.name] = account
        without: dict[str, list[float]] = {}
        for left_out in seeds if len(seeds) > 1 else ():
            for e in measure(contender, [seed for seed in seeds if seed != left_out], read)[0]:
                without.setdefault(e.name, []).append(e.value)
        without_seed[contender.name] = without
        as_traded[contender.name] = mean_of_groups(
            [measure(contender, group, read)[0] for group in groups_of(seeds)]
        )
        facts[contender.name] = _facts(study, read, account)
        excess[contender.name] = np.array(
            [
                np.mean(
                    [
                        _excess_loss(fact)
                        for (_, fold), (_, _, fact) in owns(read)
                        if fold.number == k
                    ],
                    axis=0,
                )
                for k in range(len(study.folds))
            ]
        )
    comparison = hold_together(measured, without_seed, facts, SAMPLES, pairs=pairs)
    names = [task.name for task in study.tasks]
    excesses = tuple(overfitting_differences(excess, names))
    return replace(comparison, overfitting=excesses, as_traded=as_traded), accounts


def _excess_loss(fact: dict[str, Any]) -> F64:
    """Return float64[K], the loss of the fold less that of the training rows."""
    excess: F64 = np.array(fact["test_loss"]) - np.array(fact["train_loss"])
    return excess


TrainingRead = tuple[F64, F64, dict[str, Any]]
"""Forecasts as given and shrunk, and the facts of the training."""

Results = dict[tuple[int, Fold], TrainingRead]
"""By seed, and by fold or the rest of one."""


def owns(read: Results) -> list[tuple[tuple[int, Fold], TrainingRead]]:
    """Return what came of the folds' own trainings, without those inside them."""
    return [(key, result) for key, result in read.items() if not key[1].training]


def read_units(units: Sequence[Unit], rows: Bool) -> Results:
    """Return what trainings of one contender gave.

    Args:
        rows: bool[n, S], the bars that they must have forecast.

    Raises:
        DataError: a result is damaged, or of another training.
    """
    return {
        (unit.seed, unit.span): read_result(
            unit, unit.span.first, rows[unit.span.first : unit.span.stop]
        )
        for unit in units
    }


def training_spans(read: Results) -> dict[int, tuple[int, int]]:
    """Return each fold's first and last training bar of the first contender.

    All contenders are held against baselines of these rows, whatever window they learned from, and however often
    inside the fold.
    """
    return {
        fold.number: (facts["train_bars"][0], facts["train_bars"][1])
        for (_, fold), (_, _, facts) in owns(read)
    }


def averaged(
    study: Study, seeds: Sequence[int], read: Results, spans: dict[int, tuple[int, int]]
) -> Judged:
    """Return the mean forecast of some seeds beside the labels.

    Args:
        spans: of each fold, the first and the last bar that baselines learn from.
    """
    bars = study.market.bars
    value, shrunk = (np.full((*bars.valid.shape, len(study.tasks)), np.nan) for _ in range(2))
    model = np.full(len(bars), -1, dtype=np.int64)
    models = []
    times = bars.open_time
    trainings = sorted({span for _, span in read}, key=lambda span: span.first)
    for m, span in enumerate(trainings):
        # a model forecasts the rest of its fold, and the next one takes over where it begins
        rest, own = slice(span.first, span.stop), study.folds[span.number]
        value[rest] = np.mean([read[seed, span][0] for seed in seeds], axis=0)
        shrunk[rest] = np.mean([read[seed, span][1] for seed in seeds], axis=0)
        model[rest] = m
        facts = [read[seed, span][2] for seed in seeds]
        scales = {
            name: float(np.mean([f["variance_scales"][name] for f in facts]))
            for name in facts[0]["variance_scales"]
        }
        first, last = spans[span.number]
        models.append(
            ModelInfo(
                model_id=name_of(span),
                due_ms=int(times[own.due]),  # when the baselines' rows were known
                effective_from_ms=int(times[span.first]),
                rows=facts[0]["rows"],
                train_from_ms=int(times[first]),
                train_to_ms=int(times[last]),
                variance_scales=scales,
            )
        )
    return Judged(
        symbols=study.market.symbols,
        interval_ms=INTERVAL_MS[study.config.market.interval],
        periods_per_year=bars_a_year(study.config, study.market.symbols),
        volume_window=study.config.features.window,
        bars=bars,
        start_index=study.start,
        forecast=Forecast(study.tasks, value, model),
        labels=study.labels,
        models=tuple(models),
        shrunk=shrunk,
    )


def _mean_seconds(facts: list[dict[str, Any]]) -> float | None:
    """Return the mean over the trainings whose cost is known; None where none is."""
    known = [f["seconds"] for f in facts if np.isfinite(f["seconds"])]
    return float(np.mean(known)) if known else None


def _facts(study: Study, read: Results, account: Traded) -> dict[str, Any]:
    """Return what is printed of a contender beside its figures."""
    facts = [fact for _, _, fact in read.values()]
    found: dict[str, Any] = {
        "parameters": int(facts[0]["parameters"]) or None,
        "CPU s a training": _mean_seconds(facts),
    }
    excess = np.mean([_excess_loss(fact) for _, (_, _, fact) in owns(read)], axis=0)
    for k, task in enumerate(study.tasks):
        found[f"excess loss {task.name}"] = float(excess[k])
    return found | account.facts
