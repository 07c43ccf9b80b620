"""Units through an executor, timed: what starting costs, what an empty unit costs, what a training costs.

Rules: both engines get the same units, so that what differs is the engine; a training's own cost is its process
time, and an engine's overhead is what its slots spent beyond that.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.app.backtest.preparing import read_market
from bot.app.executors.choice import EngineChoice, opened
from bot.app.executors.running import run_units
from bot.app.executors.units import Executor, Held, SharedData
from bot.app.study.contenders import Contender
from bot.app.study.data import Study
from bot.app.study.unit import Unit, UnitResult
from bot.config import Config, load_config


@dataclass(frozen=True)
class Idle:
    """A unit that does nothing, so that what it takes is the engine's."""

    number: int
    config: Config

    @property
    def label(self) -> str:
        """Return its number."""
        return f"idle {self.number}"

    def run(self, data: None) -> int:
        """Return the number."""
        assert data is None
        return self.number


@dataclass(frozen=True)
class Cost:
    """What an engine took.

    Attributes:
        first_s: from nothing to the first empty unit's result.
        idle_ms: an empty unit, in milliseconds of a slot.
        cpu_s: a training's own process time, the median.
        taken_s: a training, in seconds of a slot.
        wall_s: all trainings.
    """

    engine: str
    first_s: float
    idle_ms: float
    cpu_s: float
    taken_s: float
    wall_s: float


@dataclass(frozen=True)
class Sizes:
    """What a unit reads and leaves.

    Attributes:
        rows: it trains on.
        data_mb: of its fold's arrays, sent once to a machine.
        result_kb: of its file.
    """

    rows: int
    data_mb: float
    result_kb: float


def study_of(sets: list[str], folder: Path) -> Study:
    """Return a study of the default settings over a made market."""
    config = load_config(None, ["data.source=synthetic", "model.members=1", *sets], {})
    return Study([Contender("default", "network", config)], read_market(config), 2, 1, folder)


def cost_of(
    engine: str, study: Study, seeds: int, workers: int, idle: int = 40
) -> tuple[Cost, dict[str, bytes]]:
    """Run idle units and trainings; return the cost, and the trainings' files by name."""
    units = study.units(seeds)
    for unit in units:
        study.write_data(unit)
    began = time.perf_counter()
    with opened(EngineChoice(engine, workers)) as executor:
        _run(executor, [Idle(-1, study.config)], _nothing)
        first = time.perf_counter() - began
        began = time.perf_counter()
        _run(
            executor,
            [Idle(k, study.config) for k in range(idle)],
            _nothing,
        )
        idle_s = time.perf_counter() - began
        _run(
            executor, units[: 2 * workers], lambda unit: unit.fold_data
        )  # what is compiled and imported
        began = time.perf_counter()
        results = _run(executor, units, lambda unit: unit.fold_data)
        wall = time.perf_counter() - began
    cost = Cost(
        engine, first, 1000.0 * idle_s * workers / idle,
        cpu_s=statistics.median(result.cost["seconds"] for result in results.values()),
        taken_s=wall * workers / len(units), wall_s=wall,
    )  # fmt: skip
    files = {unit.result.name: results[unit.label].content for unit in units}
    return cost, files


def _nothing(unit: Idle) -> Held[None]:
    return Held(f"nothing for {unit.config.market.venue}", None)


def _run(executor: Executor, units: list[Any], data_of: Any) -> dict[str, Any]:
    """Return the results by the units' labels."""
    found: dict[str, Any] = {}
    failed = run_units(
        executor,
        units,
        data_of=data_of,
        land=lambda unit, result: found.__setitem__(unit.label, result),
        finished=lambda: None,
    )
    if failed:
        raise SystemExit("\n".join(failed))
    return found


def sizes_of(study: Study) -> Sizes:
    """Return what one training reads and leaves."""
    unit: Unit = study.units(1)[0]
    study.write_data(unit)
    data: SharedData[Any] = unit.fold_data
    result: UnitResult = unit.run(data.load())
    rows = len(unit.fold_data.load().dataset)
    return Sizes(rows, unit.data.stat().st_size / 1e6, len(result.content) / 1e3)


def in_new_folder(sets: list[str]) -> tuple[tempfile.TemporaryDirectory[str], Study]:
    """Return a study whose files go with the folder."""
    folder = tempfile.TemporaryDirectory(prefix="unit-costs-")
    return folder, study_of(sets, Path(folder.name))
