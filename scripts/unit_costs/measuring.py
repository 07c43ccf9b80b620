"""Units through an executor, timed: what starting costs, what an empty unit costs, what a training costs.

Rules: both engines get the same units, so that what differs is the engine; a training's own cost is its process
time, and an engine's overhead is what its slots spent beyond that.
"""

from __future__ import annotations

import os
import resource
import statistics
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.app.backtest.preparing import read_market
from bot.app.executors.choice import EngineChoice, opened
from bot.app.executors.running import run_units
from bot.app.executors.units import Executor, Held
from bot.app.study.contenders import Contender
from bot.app.study.data import Study
from bot.app.study.folds import FoldData
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
        idle_ms: an empty unit, in milliseconds of CPU of all processes.
        cpu_s: a training's own process time, the mean.
        all_cpu_s: CPU of all processes for a training: its own, and what the engine adds.
        wall_s: all trainings.
    """

    engine: str
    first_s: float
    idle_ms: float
    cpu_s: float
    all_cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class Sizes:
    """What a training of some size reads, takes and leaves.

    Attributes:
        rows: it trains on.
        data_mb: of its fold's arrays, sent once to a machine.
        peak_mb: resident memory of its process, at most.
        cpu_s: its process time.
        result_kb: of its file.
    """

    rows: int
    data_mb: float
    peak_mb: float
    cpu_s: float
    result_kb: float


@dataclass(frozen=True)
class Watched:
    """A training that tells how much memory its process took."""

    unit: Unit

    @property
    def config(self) -> Config:
        """Return the training's settings."""
        return self.unit.config

    @property
    def label(self) -> str:
        """Return the training's label."""
        return self.unit.label

    def run(self, data: FoldData) -> tuple[UnitResult, int, float]:
        """Train; return the result, the rows, and the most memory that was resident, in MB."""
        result = self.unit.run(data)
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return result, len(data.dataset), peak_kb / 1e3


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
        before = cpu_of_tree(os.getpid())
        _run(
            executor,
            [Idle(k, study.config) for k in range(idle)],
            _nothing,
        )
        idle_s = cpu_of_tree(os.getpid()) - before
        _run(
            executor, units[: 2 * workers], lambda unit: unit.fold_data
        )  # what is compiled and imported
        began, before = time.perf_counter(), cpu_of_tree(os.getpid())
        results = _run(executor, units, lambda unit: unit.fold_data)
        wall, spent = time.perf_counter() - began, cpu_of_tree(os.getpid()) - before
    cost = Cost(
        engine, first, 1000.0 * idle_s / idle,
        cpu_s=statistics.fmean(result.cost["seconds"] for result in results.values()),
        all_cpu_s=spent / len(units), wall_s=wall,
    )  # fmt: skip
    files = {unit.result.name: results[unit.label].content for unit in units}
    return cost, files


def cpu_of_tree(root: int) -> float:
    """Return the CPU seconds of a process and its descendants, those that have ended and were waited for too."""
    parent: dict[int, int] = {}
    spent: dict[int, float] = {}
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        with suppress(OSError):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            parent[int(path.name)] = int(fields[1])
            spent[int(path.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    total, found = spent[root], {root}
    while more := {p for p, above in parent.items() if above in found} - found:
        total += sum(spent[p] for p in more)
        found |= more
    return total


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
        raise SystemExit("\n".join(f"{unit.label}: {error}" for unit, error in failed))
    return found


def sizes_of(study: Study) -> Sizes:
    """Return what one training reads, takes and leaves, in a process of its own."""
    unit: Unit = study.units(1)[0]
    study.write_data(unit)
    with opened(EngineChoice("local", 1)) as executor:
        result, rows, peak = executor.submit(Watched(unit), unit.fold_data).result()
    return Sizes(
        rows,
        unit.data.stat().st_size / 1e6,
        peak,
        result.cost["seconds"],
        len(result.content) / 1e3,
    )


def in_new_folder(sets: list[str]) -> tuple[tempfile.TemporaryDirectory[str], Study]:
    """Return a study whose files go with the folder."""
    folder = tempfile.TemporaryDirectory(prefix="unit-costs-")
    return folder, study_of(sets, Path(folder.name))
