"""`bot compare`: train every contender on every fold with every seed, then hold them side by side.

Rules: what is trained is kept, so an interrupted comparison goes on where it was, and comparisons
share what they have in common. Seeds are averaged to one forecast a bar and symbol before anything
is tested; leaving each out in turn tells how much of a figure is their luck. The averaged forecasts
trade on paper through the engine itself, by each contender's own settings; contenders that differ
in these only share their trainings, and the verdict is on their net returns.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.adapters.files.trials import TrialKind
from bot.adapters.system.atomic_file import check_folder, make_folder, replacing, sweep, write_text
from bot.app.backtest.preparing import check_known, read_market
from bot.app.loop.runner import Progress
from bot.app.study.account import Traded, check_accounts, trade
from bot.app.study.contenders import AGAINST_FIRST, Contender, check_packages
from bot.app.study.data import Study
from bot.app.study.setting import setting_of
from bot.app.study.trials import count_in
from bot.app.study.unit import Unit, read_result, same_forecasts
from bot.app.symbols import bars_a_year
from bot.app.training.pool import TrainingPool
from bot.blocks import F64, Forecast
from bot.errors import BotError, ModelError
from bot.report.inputs import Judged, ModelInfo
from bot.report.skill.rivals import Rivals, check_baselines
from bot.report.study.comparison import Comparison
from bot.report.study.comparison import compare as hold_together
from bot.report.study.endpoints import MONEY, PRIMARY, Endpoint, endpoints
from bot.report.study.figure import draw
from bot.report.study.overfitting import overfitting_differences
from bot.report.study.text import to_markdown
from bot.timegrid import INTERVAL_MS

SAMPLES = 10_000
"""Resamples of the bootstrap: enough for a small p-value to survive Holm's correction."""


@dataclass(frozen=True)
class StudyPlan:
    """Folds of so many months, trainings of each network, and how many run side by side."""

    folds: int
    months: int
    seeds: int
    workers: int


@dataclass(frozen=True)
class ComparisonDone:
    """The comparison, what it was made of in a sentence, and the folder of its tables."""

    comparison: Comparison
    setting: str
    folder: Path


def compare_command(
    contenders: list[Contender], title: str, out: Path, plan: StudyPlan, progress: Progress
) -> ComparisonDone:
    """Run a comparison and write its tables and picture below `out`.

    Raises:
        ModelError: trainings failed; those that did not are kept.
        DataError: a folder of the study's is a link.
    """
    folder = out / title
    check_folder(folder)
    comparison, setting = walk_forward(
        contenders, out, plan, progress, title=title, every_pair=title not in AGAINST_FIRST
    )
    make_folder(folder)
    write_text(
        folder / "compare.json",
        json.dumps({"setting": setting, **comparison.as_json()}, indent=1),
    )
    write_text(folder / "compare.md", to_markdown(comparison, title, setting))
    with replacing(folder / "compare.png", durable=False) as temporary:
        draw(comparison, title, temporary)
    return ComparisonDone(comparison, setting, folder)


def walk_forward(
    contenders: list[Contender], out: Path, plan: StudyPlan, progress: Progress, *,
    title: str, kind: TrialKind = "compare", every_pair: bool = True,
    primary: Sequence[str] | None = None,
) -> tuple[Comparison, str]:  # fmt: skip
    """Train what is missing below `out`; return the comparison, and what it was made of.

    It is entered in the register of trials under its kind and title.

    Args:
        primary: kinds of endpoint that the verdicts are about; by default those of the heads, or of
            money where all contenders have the same forecasts.

    Raises:
        ConfigError: a contender cannot trade the mean over the seeds of the heads that all have, or
            needs a package that is not installed.
        DataError: a folder of the study's is a link.
        ModelError: trainings failed; those that did not are kept.
    """
    check_packages(contenders)
    check_baselines(contenders[0].config.report)
    market = read_market(contenders[0].config)
    for contender in contenders:
        check_known(contender.config, market)
    study = Study(contenders, market, plan.folds, plan.months, out)
    check_accounts(study)
    units = study.units(plan.seeds)
    primary = primary or (MONEY if same_forecasts(units) else PRIMARY)
    for name in ("data", "units"):
        make_folder(out / name)
        sweep(out / name)
    _train(study, units, plan.workers, progress)
    comparison, accounts = _judge(study, units, every_pair=every_pair, primary=primary)
    comparison = count_in(comparison, study, title, kind=kind, accounts=accounts)
    return comparison, setting_of(study, plan.seeds)


def _train(study: Study, units: list[Unit], workers: int, progress: Progress) -> None:
    """Train what is missing, `workers` at a time."""
    missing = list({unit.result: unit for unit in units if not unit.done}.values())
    done = len(units) - len(missing)
    progress(done, len(units))
    pool = TrainingPool(workers)
    running: dict[Future[None], Unit] = {}
    failed: list[str] = []
    try:
        while missing or running:
            while missing and len(running) < 2 * workers:
                unit = missing.pop(0)
                study.write_data(unit)
                running[pool.submit(unit)] = unit
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                unit, error = running.pop(future), future.exception()
                if isinstance(error, BotError):
                    failed.append(f"{unit.label}: {error}")
                elif error is not None:
                    raise error
                done += 1
                progress(done, len(units))
    finally:
        pool.shutdown()
    if failed:
        raise ModelError(
            f"compare: {len(failed)} of {len(units)} trainings failed; the others are kept, so the "
            "same command continues from here:\n" + "\n".join(failed[:10])
        )


def _judge(
    study: Study, units: list[Unit], *, every_pair: bool, primary: Sequence[str]
) -> tuple[Comparison, dict[str, Traded]]:
    accounts: dict[str, Traded] = {}
    measured: dict[str, list[Endpoint]] = {}
    without_seed: dict[str, dict[str, list[float]]] = {}
    facts: dict[str, dict[str, Any]] = {}
    excess: dict[str, F64] = {}
    rows = study.forecastable()
    rivals = Rivals(study.config.report.baselines)
    spans = _training_spans(study, units)

    def measure(
        contender: Contender, seeds: list[int], read: Results
    ) -> tuple[list[Endpoint], Traded]:
        judged = _judged(study, seeds, read, spans)
        account = trade(study, contender, judged, seeds)
        found = endpoints(
            judged, account.returns, account.gross, rows=rows, rivals=rivals, primary=primary
        )
        return found, account

    for contender in study.contenders:
        own = [unit for unit in units if unit.name == contender.name]
        read = {
            (unit.seed, fold.number): read_result(unit, fold.first, rows[fold.first : fold.stop])
            for unit in own
            for fold in [study.folds[unit.fold]]
        }
        seeds = sorted({seed for seed, _ in read})
        measured[contender.name], account = measure(contender, seeds, read)
        accounts[contender.name] = account
        without: dict[str, list[float]] = {}
        for left_out in seeds if len(seeds) > 1 else ():
            for e in measure(contender, [seed for seed in seeds if seed != left_out], read)[0]:
                without.setdefault(e.name, []).append(float(e.statistic(e.sums.sum(axis=0))))
        without_seed[contender.name] = without
        facts[contender.name] = _facts(study, [fact for _, _, fact in read.values()], account)
        excess[contender.name] = np.array(
            [
                np.mean(
                    [_excess_loss(fact) for (_, fold), (_, _, fact) in read.items() if fold == k],
                    axis=0,
                )
                for k in range(len(study.folds))
            ]
        )
    comparison = hold_together(measured, without_seed, facts, SAMPLES, every_pair=every_pair)
    names = [task.name for task in study.tasks]
    excesses = tuple(overfitting_differences(excess, names))
    return replace(comparison, overfitting=excesses), accounts


def _excess_loss(fact: dict[str, Any]) -> F64:
    """Return float64[K], the loss of the fold less that of the training rows."""
    excess: F64 = np.array(fact["test_loss"]) - np.array(fact["train_loss"])
    return excess


Results = dict[tuple[int, int], tuple[F64, F64, dict[str, Any]]]


def _training_spans(study: Study, units: list[Unit]) -> dict[int, tuple[int, int]]:
    """Return each fold's first and last training bar of the first contender.

    All contenders are held against baselines of these rows, whatever window they learned from.
    """
    rows, spans = study.forecastable(), {}
    for unit in units:
        if unit.name == study.contenders[0].name and unit.fold not in spans:
            fold = study.folds[unit.fold]
            facts = read_result(unit, fold.first, rows[fold.first : fold.stop])[2]
            spans[unit.fold] = (facts["train_bars"][0], facts["train_bars"][1])
    return spans


def _judged(
    study: Study, seeds: list[int], read: Results, spans: dict[int, tuple[int, int]]
) -> Judged:
    """Return the mean forecast of some seeds beside the labels."""
    bars = study.market.bars
    value, told = (np.full((*bars.valid.shape, len(study.tasks)), np.nan) for _ in range(2))
    model = np.full(len(bars), -1, dtype=np.int64)
    models = []
    times = bars.open_time
    for fold in study.folds:
        span = slice(fold.first, fold.stop)
        value[span] = np.mean([read[seed, fold.number][0] for seed in seeds], axis=0)
        told[span] = np.mean([read[seed, fold.number][1] for seed in seeds], axis=0)
        model[span] = fold.number
        facts = [read[seed, fold.number][2] for seed in seeds]
        scales = {
            name: float(np.mean([f["variance_scales"][name] for f in facts]))
            for name in facts[0]["variance_scales"]
        }
        first, last = spans[fold.number]
        models.append(
            ModelInfo(
                model_id=f"fold {fold.number + 1}",
                due_ms=int(times[fold.due]),
                effective_from_ms=int(times[fold.first]),
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
        told=told,
    )


def _facts(study: Study, facts: list[dict[str, Any]], account: Traded) -> dict[str, Any]:
    """Return what is printed of a contender beside its figures."""
    found: dict[str, Any] = {
        "parameters": int(facts[0]["parameters"]) or None,
        "CPU s a training": float(np.mean([f["seconds"] for f in facts])),
    }
    excess = np.mean([_excess_loss(f) for f in facts], axis=0)
    for k, task in enumerate(study.tasks):
        found[f"excess loss {task.name}"] = float(excess[k])
    return found | account.facts
