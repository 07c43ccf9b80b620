"""A user's own parts: files, and modules of installed packages, that `plugins` names.

Rules: a file is loaded from the bytes that were hashed, so that a run can name the source it was made
with; a fault in it is reported by file and line, and leaves none of its parts entered. Only what this
process's own settings or command line name is run: never what a run's folder says. This is the one
place where a source is run.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.abc
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

from bot.errors import BotError, ConfigError
from bot.parts.registry import withdraw

GROUP = "mtl_paper_bot.parts"
"""The group of entry points under which an installed package names its module of parts."""

PACKAGE = "package:"
"""Before the name of an entry point, in `plugins`."""

_loaded: dict[str, tuple[Path, str]] = {}
"""Where each source that is loaded lies, and its SHA-256, by its name."""


def loaded() -> dict[str, str]:
    """Return SHA-256 of each source that is loaded in this process, by its name."""
    return {name: digest for name, (_path, digest) in sorted(_loaded.items())}


def unload(name: str) -> None:
    """Take out a source's parts, as if it had not been loaded; one that is not is left alone."""
    if name in _loaded:
        path, _digest = _loaded.pop(name)
        withdraw(str(path))


def load_plugins(given: Sequence[str]) -> None:
    """Load the sources of parts; what is loaded already, from the same bytes, is left alone.

    Args:
        given: paths of Python files, and `package:NAME` for an installed package's entry point.

    Raises:
        ConfigError: a file is missing or does not load; with its line and what was expected.
    """
    files = [name for name in given if not name.startswith(PACKAGE)]
    names = [Path(name).name for name in files]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"plugins: two files are called {', '.join(twice)}; rename one of them")
    for name in given:
        path = _module_of(name) if name.startswith(PACKAGE) else Path(name).expanduser().resolve()
        _load(name if name.startswith(PACKAGE) else path.name, path)


def names_of(given: Sequence[str]) -> list[str]:
    """Return the names under which `loaded` has the sources."""
    return [name if name.startswith(PACKAGE) else Path(name).name for name in given]


def digests_of(given: Sequence[str]) -> dict[str, str]:
    """Return SHA-256 of the sources that `plugins` names, as they are loaded."""
    return {name: _loaded[name][1] for name in names_of(given) if name in _loaded}


class _BytesLoader(importlib.abc.ExecutionLoader):
    """A module out of bytes: no file beside it is read or written."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path, self._source = path, source

    def get_source(self, fullname: str) -> str:  # noqa: ARG002 - the library's signature
        return importlib.util.decode_source(self._source)

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002
        return str(self._path)


def _module_of(name: str) -> Path:
    """Return the file of an installed package's module of parts."""
    known = {point.name: point.value for point in entry_points(group=GROUP)}
    wanted = name.removeprefix(PACKAGE)
    if wanted not in known:
        installed = ", ".join(PACKAGE + each for each in sorted(known)) or "none"
        raise ConfigError(
            f"plugins: no installed package has the parts '{wanted}'; there are: {installed}"
        )
    try:
        spec = importlib.util.find_spec(known[wanted])
    except ImportError as error:
        raise ConfigError(f"plugins: {name}: {known[wanted]} cannot be found: {error}") from None
    if spec is None or spec.origin is None:
        raise ConfigError(f"plugins: {name}: {known[wanted]} is not a Python module")
    return Path(spec.origin)


def _load(name: str, path: Path) -> None:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"plugins: cannot read {path} ({error.strerror}); give the path of a Python file, absolute "
            "or from the settings file's folder"
        ) from None
    digest = hashlib.sha256(source).hexdigest()
    if name in _loaded and _loaded[name][1] == digest:
        return
    unload(name)
    loader = _BytesLoader(path, source)
    spec = importlib.util.spec_from_loader(f"bot_parts_{digest[:12]}", loader, origin=str(path))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[spec.name] = module
    try:
        loader.exec_module(module)
    except BotError:
        withdraw(str(path))
        raise
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything
        withdraw(str(path))
        raise ConfigError(_fault_of(path, error)) from None
    _loaded[name] = (path, digest)


def _fault_of(path: Path, error: Exception) -> str:
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if isinstance(error, SyntaxError):
        lines = [error.lineno or 0]
    line = f", line {lines[-1]}" if lines else ""
    return f"{path}{line}: {type(error).__name__}: {error}; a file of parts must load by itself"
