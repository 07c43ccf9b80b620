"""What a run's numbers were made by: the code that computes them, the packages, and the CPU.

Rule: only what can change a number from the same bars, models and settings is part of it, so that a
change of a command or of the exchange's adapter begins no new stretch. Must not import the packages.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from llvmlite.binding import get_host_cpu_name

import bot
from bot.compiled import sources_digest
from bot.parts.plugins import loaded

SOURCES = (
    "parts", "blocks.py", "timegrid.py", "venues.py", "engine.py", "engine_state.py", "features",
    "model", "portfolio", "app/training/archive.py", "app/training/triggers.py",
)  # fmt: skip
PACKAGES = ("numpy", "numba", "llvmlite", "torch")


@dataclass(frozen=True)
class Build:
    """A build.

    Attributes:
        digest: SHA-256 over `made_by`, in hex.
        made_by: JSON: the bot's version, the digest of its code, the packages, the CPU.
    """

    digest: str
    made_by: str

    def __str__(self) -> str:
        return described(self.digest, self.made_by)


def present_build() -> Build:
    """Return the build of this process, with the parts of a user's own that are loaded now."""
    return _build_with(tuple(loaded().items()))


@cache
def _build_with(own: tuple[tuple[str, str], ...]) -> Build:
    parts = {
        "bot": bot.__version__,
        "code": sources_digest(SOURCES),
        "python": platform.python_version(),
        "cpu": get_host_cpu_name(),
    }
    parts |= {f"parts:{name}": digest for name, digest in own}
    made_by = json.dumps(parts | {name: _version(name) for name in PACKAGES}, sort_keys=True)
    return Build(hashlib.sha256(made_by.encode()).hexdigest(), made_by)


def described(digest: str, made_by: str) -> str:
    """Return a build as a person reads it.

    >>> described("5f" * 32, '{"bot": "0.1.0", "code": "a1b2c3d4e5", "cpu": "zen3", "numpy": "2.4"}')
    'build 5f5f5f5f5f5f (bot 0.1.0, code a1b2c3d4e5, cpu zen3, numpy 2.4)'
    """
    try:
        parts = json.loads(made_by).items()
    except (ValueError, AttributeError):
        return f"build {digest[:12]}"
    parts = ", ".join(
        f"{k} {str(v)[:12] if k == 'code' or k.startswith('parts:') else v}" for k, v in parts
    )
    return f"build {digest[:12]} ({parts})"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
