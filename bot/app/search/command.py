"""`bot search`: settings tried one after the other on a study's folds, and what the best is worth.

Rules: everything is checked before anything is trained; what is tried is kept, so the same command goes on
after an interruption; the table is written however the search ends.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.optuna_file import NAME, open_study
from bot.adapters.system.atomic_file import check_folder, make_folder, replacing, sweep, write_text
from bot.adapters.system.run_lock import RunLock
from bot.app.backtest.preparing import RunMarket, check_known, read_market
from bot.app.executors.choice import EngineChoice, check_gpu, opened
from bot.app.loop.runner import Progress
from bot.app.search.cadence import check_cadences
from bot.app.search.found import table_of
from bot.app.search.identity import check_identity, identity_of
from bot.app.search.running import SearchLoop
from bot.app.search.space import BaseSettings, read_space
from bot.app.study.account import check_accounts
from bot.app.study.combinatorial import CombinatorialStudy
from bot.app.study.contenders import Contender, check_packages
from bot.app.study.data import Study
from bot.app.symbols import with_candidates
from bot.config.search import SearchSettings
from bot.report.skill.rivals import check_baselines
from bot.report.study.search import SearchTable, to_markdown
from bot.report.study.search_figure import draw

BASE_NAME = "base"


@dataclass(frozen=True)
class SearchPlan:
    """What a call may spend: trials in all and minutes, where the file does not say; and what runs the trainings."""

    trials: int | None
    minutes: float | None
    engine: EngineChoice


@dataclass(frozen=True)
class SearchDone:
    """What was found, the folder that has it, and whether it was interrupted."""

    table: SearchTable
    folder: Path
    interrupted: bool


def search_command(
    path: Path, settings: BaseSettings, out: Path, plan: SearchPlan, progress: Progress
) -> SearchDone:  # fmt: skip
    """Search, or go on with a search, and write its tables and picture below `out`.

    Raises:
        ConfigError: the space makes no sense, the search in the folder is another one, or a training
            on a GPU is to go to Ray.
        ModelError: the defaults cannot be trained, or too many trials fail one after the other.
        DataError: the folder holds something else.
    """
    loop = begun(path, settings, out)
    check_gpu(plan.engine, (unit.config for unit in loop.base.units(1)))
    search, interrupted = loop.space.search, False
    trials = search.trials if plan.trials is None else plan.trials
    minutes = search.minutes if plan.minutes is None else plan.minutes
    with RunLock(loop.folder, does="searches here", option="--out"):
        try:
            with opened(plan.engine) as executor:
                loop.go_on(executor, trials, minutes, progress)
        except KeyboardInterrupt:
            interrupted = True
        table = table_of(loop, trials)
        write(table, loop.folder)
    return SearchDone(table, loop.folder, interrupted)


def begun(path: Path, settings: BaseSettings, out: Path) -> SearchLoop:
    """Check everything that a search stands on, and open its storage."""
    space = read_space(path, settings.load())
    base = Contender(BASE_NAME, space.search.contender, with_candidates(settings.load()))
    check_packages([base])
    check_baselines(base.config.report)
    folder = out / space.name
    check_folder(folder)
    market = read_market(base.config)
    check_known(base.config, market)
    study = _cut(base, market, space.search, out)
    check_accounts(study)
    check_cadences(space.dimensions, study)
    for each in (out / "data", out / "units", folder, folder / "trials"):
        make_folder(each)
    for each in (out / "data", out / "units"):
        sweep(each)
    store = open_study(folder / NAME, space.minimised)
    check_identity(store, identity_of(space, base.config, study), folder / NAME)
    return SearchLoop(settings, space, study, store, folder=folder)


def _cut(base: Contender, market: RunMarket, search: SearchSettings, out: Path) -> Study:
    """Return the study of the base settings, its bars cut as the search asks."""
    if search.cv == "combinatorial":
        return CombinatorialStudy([base], market, out, groups=search.groups, tested=search.test_groups)  # fmt: skip
    return Study([base], market, search.folds, search.months, out, inside=search.retrain_inside)


def write(table: SearchTable, folder: Path) -> None:
    """Write search.md, search.json and search.png."""
    write_text(folder / "search.json", json.dumps(table.as_json(), indent=1, allow_nan=False))
    write_text(folder / "search.md", to_markdown(table))
    with replacing(folder / "search.png", durable=False) as temporary:
        draw(table, temporary)
