"""The trainings of a study that are still to be done, through an executor.

Rules: each is done once, whoever needs it, and fold by fold, so that what a fold's units read is needed
once. What trainings inside folds read is in memory alone: on the disk each would hold the rows of a window anew.
Must not decide what becomes of those that fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bot.app.executors.running import run_units
from bot.app.executors.units import Executor, Held, SharedData
from bot.app.study.data import Study
from bot.app.study.folds import FoldData
from bot.app.study.unit import Unit
from bot.errors import BotError


def missing_of(units: Iterable[Unit]) -> list[Unit]:
    """Return the units that are not done, each once, in the order in which they are trained."""
    missing = {unit.result: unit for unit in units if not unit.done}
    return sorted(missing.values(), key=lambda unit: (unit.fold, unit.span.training, unit.data))


def run_trainings(
    executor: Executor,
    units: Sequence[Unit],
    *,
    study_of: Callable[[Unit], Study],
    finished: Callable[[], None],
) -> list[tuple[Unit, BotError]]:
    """Train units and keep what comes of them; return those that failed, and why.

    Args:
        study_of: whose data a unit reads; they are cut just before.
        finished: told after each unit.
    """
    newest: Held[FoldData] | None = None  # units that follow one another share it

    def data_of(unit: Unit) -> SharedData[FoldData]:
        nonlocal newest
        if not unit.span.training:
            study_of(unit).write_data(unit)
            return unit.fold_data
        if newest is None or newest.name != str(unit.data):
            newest = Held(str(unit.data), study_of(unit).fold_data(unit))
        return newest

    return run_units(executor, units, data_of=data_of, land=Unit.land, finished=finished)
