"""numba's decorator for every compiled function, and the folder that keeps the machine code.

numba looks at a function's own file only: a callee or a constant of another file may change, and
the old machine code would go on. So the folder is named by a digest of all sources that machine
code can come from, of the packages that make it, and of the CPU; changed sources find an empty
folder. Rules: no module but this one imports numba's decorator; children that train import this
module too, and so find the same folder. Must not decide what is compiled, or with which options.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import llvmlite
import numba
import numpy as np
from llvmlite.binding import get_host_cpu_name
from numba import cfunc, njit

__all__ = ["CACHE", "cfunc", "compiled_before", "njit", "sources_digest"]

PACKAGE = Path(__file__).parent
SOURCES = (
    "compiled.py", "parts", "app/parts", "blocks.py", "one_for_all.py", "timegrid.py", "timestamps.py", "venues.py", "features", "model", "portfolio",
    "practice/synthetic_kernel.py", "report/money/walk.py", "report/skill/conformal.py",
    "report/skill/garch_variance.py",
)  # fmt: skip
"""The files and folders that hold compiled functions, or constants that these close over."""

PREFIX = "kernels-"
KEPT_FOLDERS = 4
KEPT_S = 24 * 3600.0
"""Folders of other digests that are kept: the newest, and all that were used within a day."""


def sources_digest(parts: Sequence[str], package: Path = PACKAGE) -> str:
    """Return SHA-256 over the names and contents of the sources in these files and folders."""
    digest = hashlib.sha256()
    for path in _sources(parts, package):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def cache_key(package: Path = PACKAGE) -> str:
    """Return what names the folder: the sources, the packages that compile them, and the CPU."""
    made_of = (
        sources_digest(SOURCES, package), platform.python_version(), numba.__version__,
        llvmlite.__version__, np.__version__, get_host_cpu_name(),
    )  # fmt: skip
    return hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:16]


def cache_folder(bases: Iterator[Path], key: str) -> Path:
    """Make the folder in the first of these places that can be written; prune it of old ones."""
    for base in bases:
        folder = base / f"{PREFIX}{key}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                os.utime(folder)
        except OSError:
            continue
        _prune(base, folder)
        return folder
    return Path(tempfile.mkdtemp(prefix="mtl-paper-bot-"))


def compiled_before(folder: Path | None = None) -> bool:
    """Return whether there is machine code of this build, so that little is left to compile."""
    return any((folder or CACHE).rglob("*.nbc"))


def places() -> Iterator[Path]:
    """Yield where the folder may be: as NUMBA_CACHE_DIR says, beside the package, the user's, temporary.

    What lies there is run as it is, so a temporary place must be the user's own.
    """
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(named)
    yield PACKAGE / "__pycache__"
    with suppress(RuntimeError):  # there is no home
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        yield Path(home) / "mtl-paper-bot"
    shared = Path(tempfile.gettempdir()) / f"mtl-paper-bot-{os.getuid()}"
    with suppress(OSError):
        shared.mkdir(mode=0o700, exist_ok=True)
        found = shared.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o77:
            yield shared


def _sources(parts: Sequence[str], package: Path) -> Iterator[Path]:
    for part in parts:
        path = package / part
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _prune(base: Path, used: Path) -> None:
    """Remove what no start has used for long; a process that still does makes its folder anew."""
    with suppress(OSError):
        others = [path for path in base.glob(f"{PREFIX}*") if path != used]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in others[KEPT_FOLDERS:]:
            if time.time() - path.stat().st_mtime > KEPT_S:
                shutil.rmtree(path, ignore_errors=True)


CACHE = cache_folder(places(), cache_key())
"""Where the machine code of this process is kept."""

numba.config.CACHE_DIR = str(CACHE)  # type: ignore[attr-defined]
