"""What runs on a node of a Ray cluster: one unit, after a look at whether this node computes alike.

Rules: a unit is unpickled only where the node's code and packages are those of the machine that asks; it
runs on one thread; what it refuses is returned, not raised, so that only faults look like faults. Must not import
ray: Ray finds these functions by their names in the installed package.
"""

from __future__ import annotations

import json
import os
import pickle
import platform
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite.binding import get_host_cpu_name

import bot
from bot.app.executors.units import Bytes, Work
from bot.compiled import sources_digest
from bot.errors import BotError, ConfigError
from bot.parts.plugins import digests_of, load_plugins

PACKAGES = ("numpy", "numba", "llvmlite", "torch", "torchjd", "scikit-learn", "ray")
CPU = "cpu"
"""The one thing in which nodes may differ: then the last bits of their results may."""

_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")
ONE_THREAD = dict.fromkeys((f"{name}_NUM_THREADS" for name in _LIBRARIES), "1")
"""The environment of processes that run units."""


@dataclass(frozen=True)
class Parcel:
    """A unit as it is sent: with the way to read its data, and the digests of the user's own parts."""

    unit: Work[Any, Any]
    read: Callable[[Bytes], Any]
    parts: Mapping[str, str]

    def packed(self) -> bytes:
        """Return it as bytes that are opened only on a node that computes alike."""
        return pickle.dumps(self, protocol=5)


def build_here() -> dict[str, str]:
    """Return what this machine computes with: the bot's sources, Python, the packages, the CPU."""
    return _build_of_process()


@cache
def _build_of_process() -> dict[str, str]:
    packages = {name: _version(name) for name in PACKAGES}
    return {
        "bot": bot.__version__,
        "code": sources_digest(["."]),
        "python": platform.python_version(),
        CPU: get_host_cpu_name(),
    } | packages


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def refusal(node: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> ConfigError | None:
    """Return why a node may not run units; None where it may.

    >>> refusal("10.0.0.7", {"torch": "2.9", "cpu": "zen3"}, {"torch": "2.9", "cpu": "zen4"})
    >>> print(refusal("10.0.0.7", {"torch": "2.9"}, {"torch": "2.8"}))
    --engine ray: node 10.0.0.7 has torch 2.8, and this machine torch 2.9; install the same there
    """
    other = [name for name in wanted if name != CPU and wanted[name] != found.get(name)]
    if not other:
        return None
    theirs, ours = (
        ", ".join(f"{name} {build.get(name, 'none')[:12]}" for name in other)
        for build in (found, wanted)
    )
    return ConfigError(
        f"--engine ray: node {node} has {theirs}, and this machine {ours}; install the same there"
    )


def run_parcel(build: str, parcel: bytes, content: npt.NDArray[np.uint8]) -> Any:
    """Run a unit on this node; return what it gives, or the error with which it refuses.

    Args:
        build: JSON of `build_here` where the unit comes from.
        content: the data's bytes, shared by all processes of the node.
    """
    if (error := refusal(platform.node(), json.loads(build), build_here())) is not None:
        return error
    try:
        opened: Parcel = pickle.loads(parcel)
        _check_parts(opened)
        limit_memory(opened.unit.config.training.memory_limit_mb)
        return opened.unit.run(opened.read(content))
    except BotError as error:
        return error


def _check_parts(parcel: Parcel) -> None:
    """Load the user's own parts, and refuse others than those of the machine that asks."""
    plugins = parcel.unit.config.plugins
    load_plugins(plugins)
    for name, digest in digests_of(plugins).items():
        if parcel.parts.get(name) != digest:
            raise ConfigError(
                f"--engine ray: node {platform.node()} has another {name} (plugins); copy the same there"
            )


_before: dict[str, int] = {}


def limit_memory(megabytes: int) -> None:
    """Bound what units may take beyond what Ray's own threads had taken before the first."""
    base = _before.setdefault("bytes", _data_bytes())
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = base + megabytes * 2**20
    resource.setrlimit(
        resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
    )


def _data_bytes() -> int:
    with open(f"/proc/{os.getpid()}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:"))
