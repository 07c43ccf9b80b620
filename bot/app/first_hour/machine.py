"""Whether this machine will do: versions, disk, memory, permissions, speed.

Rules: a check takes a second at most, writes only files that it removes, and says what to do.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bot import __version__
from bot.app.first_hour.finding import Finding, graded
from bot.compiled import CACHE, compiled_before
from bot.config import Config
from bot.wording import counted

DISK_LOW_MB, DISK_OUT_MB = 2_000.0, 300.0
MEMORY_LOW_MB, MEMORY_OUT_MB = 1_000.0, 600.0
"""A daemon of five symbols with its training takes about 900 MB."""

SLOW_COMMIT_MS, SLOW_PRODUCT_MS = 100.0, 250.0
EXTRAS = {"serve": "fastapi", "notify": "apprise", "watch": "textual", "gradients": "quadprog",
          "compare": "sklearn", "yahoo": "yfinance", "garch": "arch", "xlsx": "xlsxwriter",
          "search": "optuna", "ray": "ray"}  # fmt: skip
"""A module by which each extra is known."""


def machine_checks(config: Config) -> list[Callable[[], Finding]]:
    """Return the checks of this machine."""
    runs = Path(config.run.runs_dir)
    return [
        versions,
        extras,
        lambda: disk(runs),
        memory,
        lambda: permissions(runs),
        compiled,
        lambda: commits(runs),
        arithmetic,
    ]


def versions() -> Finding:
    """Look for the packages that the bot needs."""
    missing = []
    for line in requires("mtl-paper-bot") or [] if _is_installed() else []:
        name = line.split(";")[0].split("[")[0]
        for mark in "<>=!~ ":
            name = name.split(mark)[0]
        if "extra ==" not in line and not _version(name):
            missing.append(name)
    python = platform.python_version()
    said = (
        f"bot {__version__}, Python {python}, torch {_version('torch')}, numba {_version('numba')}"
    )
    if missing:
        said = f"{said}; missing: {', '.join(missing)}"
    return graded(
        "versions", said, fail=bool(missing) or sys.version_info < (3, 11),
        fix="install again: pip install mtl-paper-bot, or in a clone: pip install -c constraints.txt -e .",
    )  # fmt: skip


def extras() -> Finding:
    """Say which extras are there; none is needed."""
    there = [name for name, module in EXTRAS.items() if find_spec(module) is not None]
    absent = [name for name in EXTRAS if name not in there]
    said = (
        f"{', '.join(there) or 'none'}{'; not installed: ' + ', '.join(absent) if absent else ''}"
    )
    return graded("extras", said)


def disk(runs: Path) -> Finding:
    """Look how much room the runs have."""
    free_mb = shutil.disk_usage(_existing(runs)).free / 1e6
    return graded(
        "disk", f"{free_mb:,.0f} MB free for {runs}/", fail=free_mb < DISK_OUT_MB,
        warn=free_mb < DISK_LOW_MB, fix="free some, or name another folder in run.runs_dir",
    )  # fmt: skip


def memory() -> Finding:
    """Look how much memory is free, also to this group of processes."""
    free_mb = available_mb()
    if free_mb is None:
        return graded("memory", "this system does not say how much is free")
    return graded(
        "memory", f"{free_mb:,.0f} MB free", fail=free_mb < MEMORY_OUT_MB, warn=free_mb < MEMORY_LOW_MB,
        fix="a daemon of five symbols with its training takes 900 MB: free some, or trade fewer symbols",
    )  # fmt: skip


def permissions(runs: Path) -> Finding:
    """Try to write where runs, machine code and temporary files go."""
    places = {f"{runs}/": _existing(runs), "machine code": _existing(CACHE), "temporary files": Path(tempfile.gettempdir())}  # fmt: skip
    refused = {}
    for name, place in places.items():
        try:
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            refused[name] = error.strerror
    said = (
        "; ".join(f"{name}: {why}" for name, why in refused.items()) or "all that is written can be"
    )
    return graded(
        "permissions", said, fail=bool(refused),
        fix="make it writable (chown), or name another: run.runs_dir, NUMBA_CACHE_DIR, TMPDIR",
    )  # fmt: skip


def compiled() -> Finding:
    """Look whether this build's kernels are compiled."""
    if compiled_before():
        return graded("kernels", "compiled")
    return graded(
        "kernels", "not compiled yet", warn=True,
        fix="nothing to do: the first start compiles for about a minute, once",
    )  # fmt: skip


def commits(runs: Path) -> Finding:
    """Measure how long a durable write takes, of which a bar has two."""
    place = _existing(runs)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            took = []
            for _ in range(5):
                start = time.perf_counter()
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
                took.append((time.perf_counter() - start) * 1000.0)
    except OSError as error:
        return graded("disk's speed", f"cannot be measured: {error.strerror}", warn=True,
                      fix="see permissions")  # fmt: skip
    median = sorted(took)[2]
    return graded(
        "disk's speed", f"a durable write takes {median:.1f} ms", warn=median > SLOW_COMMIT_MS,
        fix="bars of a minute need a faster disk; those of an hour do not",
    )  # fmt: skip


def arithmetic() -> Finding:
    """Measure how fast numbers are multiplied, which trainings consist of."""
    a = np.random.default_rng(7).normal(size=(600, 600)).astype(np.float32)
    a @ a
    start = time.perf_counter()
    for _ in range(5):
        a @ a
    took = (time.perf_counter() - start) * 1000.0
    cores = len(os.sched_getaffinity(0))
    return graded(
        "processor", f"{counted(cores, 'core')}, five products of 600 × 600 in {took:.0f} ms",
        warn=took > SLOW_PRODUCT_MS or cores < 2,
        fix="trainings will take long, or beside the bars: fewer symbols, model.members = 1",
    )  # fmt: skip


def available_mb() -> float | None:
    """Return the memory that is free, in 10^6 bytes; None where nobody says."""
    found: list[float] = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(float(line.split()[1]) / 1000.0)
        group = Path("/sys/fs/cgroup")
        limit, used = (group / "memory.max").read_text(), (group / "memory.current").read_text()
        if limit.strip() != "max":
            found.append((float(limit) - float(used)) / 1e6)
    except (OSError, ValueError):
        pass
    return min(found, default=None)


def _existing(path: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _is_installed() -> bool:
    return bool(_version("mtl-paper-bot"))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
