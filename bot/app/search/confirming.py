"""`bot search --confirm`: the chosen trial against the defaults, once, on bars that no trial has seen.

Rules: the settings are those that the search has chosen, and none can be given beside; the look is a comparison,
entered in the register as what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bot.adapters.optuna_file import NAME, open_study
from bot.app.executors.choice import EngineChoice
from bot.app.loop.runner import Progress
from bot.app.search.found import picked
from bot.app.search.identity import check_identity, identity_of
from bot.app.search.running import values_of
from bot.app.search.space import BaseSettings, read_space
from bot.app.search.trial import name_of
from bot.app.study.compare import ComparisonDone, StudyPlan, compare_command
from bot.app.study.contenders import Contender
from bot.config.search import OF_ACCOUNT
from bot.errors import ConfigError
from bot.report.study.endpoints import MONEY


def confirm_command(
    path: Path, settings: BaseSettings, unseen: Sequence[str], out: Path, engine: EngineChoice, progress: Progress
) -> ComparisonDone:  # fmt: skip
    """Look once at what the search in a folder has chosen, beside the defaults, and write the tables of a comparison.

    Args:
        settings: those that the search was begun with, but for its data.
        unseen: the data to look at, as --set takes them.

    Raises:
        ConfigError: there is no such search, it has chosen nothing new, or the bars were seen.
        ModelError: trainings failed; those that did not are kept.
    """
    space = read_space(path, settings.load())
    folder = out / space.name
    if not (folder / NAME).exists():
        raise ConfigError(f"search --confirm: there is no search in {folder}; run it first")
    store = open_study(folder / NAME, space.minimised)
    check_identity(store, identity_of(space, settings.load(), None), folder / NAME)
    chosen = picked(store, folder, space.minimised).chosen
    if chosen is None or chosen.number == 0:
        what = "nothing" if chosen is None else "the defaults"
        raise ConfigError(
            f"search --confirm: the search in {folder} has chosen {what}: there is nothing to confirm"
        )
    values = values_of(chosen, space)
    there = replace(settings, sets=(*settings.sets, *unseen))
    kind, search = space.search.contender, space.search
    contenders = [
        Contender(name_of(chosen.number), kind, there.load(space.sets(values or {}))),
        Contender(name_of(0), kind, there.load()),
    ]
    plan = StudyPlan(
        search.folds, search.months, search.seeds, engine, inside=search.retrain_inside
    )
    money = search.objectives[0] in OF_ACCOUNT
    return compare_command(
        contenders, f"{space.name}-confirm", out, plan, progress,
        confirm=True, primary=MONEY if money else None,
    )  # fmt: skip
