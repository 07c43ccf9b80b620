"""Times and memory: what a row of the table is, medians, and a fresh process for each case.

Rules: wall time by perf_counter, medians over repeats after one run that is not counted; what is
compared takes turns, so that noise of the machine meets all alike. Must not import what is measured.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        case: what was measured, within its group.
        value: in `unit`; None where it could not be measured here.
        goal: the least or most that is wanted, None where there is no goal.
        at_least: the goal is a least value; else a most.
        note: what a reader must know to judge the number.
    """

    case: str
    value: float | None
    unit: str
    goal: float | None = None
    at_least: bool = True
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Tell whether the goal is met; None without one, or without a value."""
        if self.goal is None or self.value is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call; one call before is not counted."""
    return take_turns({"": work}, repeats)[""]


def take_turns(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median time of each, measured in rounds of one call each."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in times.items()}


def is_installed(package: str) -> bool:
    """Tell whether a package that only benches need can be imported."""
    return importlib.util.find_spec(package) is not None


def absent(case: str, unit: str) -> Row:
    """Return the row of a case whose package is not there; it has no value."""
    return Row(case, None, unit, note="not installed here; the extra 'bench' brings it")


def peak_mib() -> float:
    """Return the largest resident memory of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss begins at the peak of the process's parent
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def run_case(case: str, options: Mapping[str, Any]) -> list[Row]:
    """Run 'module:function' of this package in a fresh process and return its rows.

    Raises:
        RuntimeError: the process failed; its own words are on stderr.
    """
    command = [sys.executable, "-m", __name__, case, json.dumps(dict(options))]
    quiet = os.environ | {"TQDM_DISABLE": "1"}  # a rival's progress bar would cost it time
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=quiet)
    if done.returncode != 0:
        raise RuntimeError(f"the case {case} ended with exit code {done.returncode}")
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def machine_facts() -> dict[str, str | int]:
    """Return what a number depends on: cores, Python, and the versions of the libraries."""
    from platform import machine, python_version, system

    names = ("numpy", "numba", "torch", "pandas", "pyarrow", "vectorbt", "backtesting")
    return {
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 0,
        "system": f"{system()} {machine()}",
        "python": python_version(),
        **{name: _version(name) for name in names},
    }


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _main(case: str, options: str) -> None:
    module, _, function = case.partition(":")
    work = getattr(importlib.import_module(f"{__package__}.{module}"), function)
    print(json.dumps([asdict(row) for row in work(**json.loads(options))]))


if __name__ == "__main__":
    _main(*sys.argv[1:])
