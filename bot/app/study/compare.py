"""`bot compare`: train every contender on every fold with every seed, then hold them side by side.

Rules: what is trained is kept, so an interrupted comparison is continued, and comparisons
share what they have in common. Seeds are averaged to one forecast a bar and symbol before anything
is tested; leaving each out in turn tells how much of a figure is their luck. The averaged forecasts
trade on paper through the engine itself, by each contender's own settings; contenders that differ
in these only share their trainings, and the verdict is on their net returns.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.adapters.files.trials import TrialKind
from bot.adapters.system.atomic_file import check_folder, make_folder, replacing, sweep, write_text
from bot.app.backtest.preparing import RunMarket, check_known, read_market
from bot.app.executors.choice import LOCAL, EngineChoice, check_gpu, opened
from bot.app.loop.runner import Progress
from bot.app.study.account import check_accounts
from bot.app.study.contenders import AGAINST_FIRST, Contender, check_cadence, check_packages
from bot.app.study.data import Study
from bot.app.study.judging import judge
from bot.app.study.setting import setting_of
from bot.app.study.trainings import missing_of, run_trainings
from bot.app.study.trials import check_unseen, count_in
from bot.app.study.unit import Unit, same_forecasts
from bot.app.symbols import with_candidates
from bot.errors import ModelError
from bot.report.skill.rivals import check_baselines
from bot.report.study.comparison import Comparison, Pairs
from bot.report.study.endpoints import MONEY, PRIMARY
from bot.report.study.figure import draw
from bot.report.study.text import to_markdown


@dataclass(frozen=True)
class StudyPlan:
    """Folds of so many months, trainings of each network, and what runs them.

    Attributes:
        inside: whether models are trained inside folds too, by each contender's own `retrain`.
    """

    folds: int
    months: int
    seeds: int
    engine: EngineChoice = LOCAL
    inside: bool = False


@dataclass(frozen=True)
class ComparisonDone:
    """The comparison, what it was made of in a sentence, and the folder of its tables."""

    comparison: Comparison
    setting: str
    folder: Path


def compare_command(
    contenders: list[Contender],
    title: str,
    out: Path,
    plan: StudyPlan,
    progress: Progress,
    *,
    confirm: bool = False,
    primary: Sequence[str] | None = None,
) -> ComparisonDone:
    """Run a comparison and write its tables and picture below `out`.

    Args:
        confirm: it is the one look at bars that no trial has seen.
        primary: as in `walk_forward`.

    Raises:
        ConfigError: a look to confirm at bars that were seen.
        ModelError: trainings failed; those that did not are kept.
        DataError: a folder of the study's is a link.
    """
    folder = out / title
    check_folder(folder)
    comparison, setting = walk_forward(
        contenders, out, plan, progress, title=title, primary=primary,
        kind="confirm" if confirm else "compare", pairs="first less others" if title in AGAINST_FIRST else "every",
    )  # fmt: skip
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
    title: str, kind: TrialKind = "compare", pairs: Pairs = "every",
    primary: Sequence[str] | None = None,
) -> tuple[Comparison, str]:  # fmt: skip
    """Train what is missing below `out`; return the comparison, and what it was made of.

    It is entered in the register of trials under its kind and title.

    Args:
        primary: kinds of endpoint that the verdicts are about; by default those of the heads, or of
            money where all contenders have the same forecasts.

    Raises:
        ConfigError: a contender cannot trade the mean over the seeds of the heads that all have,
            needs a package that is not installed, differs in a cadence that no fold has, or cannot say
            when to train inside a fold.
        DataError: a folder of the study's is a link.
        ModelError: trainings failed; those that did not are kept.
    """
    check_cadence(contenders, inside=plan.inside)
    contenders, market = ready(contenders)
    study = Study(contenders, market, plan.folds, plan.months, out, inside=plan.inside)
    check_accounts(study)
    study.check_inside()
    if kind == "confirm":
        check_unseen(study)
    units = study.units(plan.seeds)
    primary = primary or (MONEY if same_forecasts(units) else PRIMARY)
    train_missing(study, units, plan.engine, progress)
    comparison, accounts = judge(study, units, pairs=pairs, primary=primary)
    comparison = count_in(comparison, study, title, kind=kind, accounts=accounts)
    return comparison, setting_of(study, plan.seeds)


def ready(contenders: list[Contender]) -> tuple[list[Contender], RunMarket]:
    """Return the contenders with the symbols that they trade, and their market.

    Raises:
        ConfigError: a package is missing, or a contender cannot trade these symbols.
        DataError: a file of the market's is missing or faulty.
    """
    check_packages(contenders)
    check_baselines(contenders[0].config.report)
    contenders = [replace(c, config=with_candidates(c.config)) for c in contenders]
    market = read_market(contenders[0].config)
    for contender in contenders:
        check_known(contender.config, market)
    return contenders, market


def train_missing(
    study: Study, units: list[Unit], engine: EngineChoice, progress: Progress
) -> None:
    """Train what is missing, fold by fold, so that what a fold's units read is needed once.

    Raises:
        ConfigError: a training on a GPU is to go to Ray.
        ModelError: trainings failed; those that did not are kept.
        DataError: a folder of the study's is a link.
    """
    for name in ("data", "units"):
        make_folder(study.folder / name)
        sweep(study.folder / name)
    missing = missing_of(units)
    done = len(units) - len(missing)
    progress(done, len(units))
    if not missing:
        return

    def finished() -> None:
        nonlocal done
        done += 1
        progress(done, len(units))

    check_gpu(engine, (unit.config for unit in missing))
    with opened(engine) as executor:
        failed = run_trainings(executor, missing, study_of=lambda _: study, finished=finished)
    if failed:
        raise ModelError(
            f"compare: {len(failed)} of {len(units)} trainings failed; the others are kept, so the "
            "same command continues from here:\n"
            + "\n".join(f"{unit.label}: {error}" for unit, error in failed[:10])
        )
