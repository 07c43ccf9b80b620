"""Run tests on a mutated module: a fork that has loaded the libraries, and imports the bot anew.

Rules: the module is changed in memory only, the files of the tree stay as they are; kernels run as
plain Python (a compiled cache knows files, not what was changed in memory); a test run that fails,
cannot start or takes too long has noticed the mutation. POSIX only.
"""

from __future__ import annotations

import functools
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import math
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from scripts.mutating.covering import Chosen

WAITING = 20.0
"""A run that waits for something takes so many times its limit at most, by the clock."""
LIBRARIES = (
    "numpy", "pandas", "numba", "torch", "pyarrow.parquet", "scipy.stats",
    "safetensors.torch", "structlog", "pydantic_settings", "typer", "rich.table", "aiohttp",
    "apscheduler.triggers.cron", "apscheduler.triggers.interval", "matplotlib.figure", "jinja2",
    "sklearn.metrics", "pytest", "hypothesis.strategies",
)  # fmt: skip
"""What is imported once, before any fork; the bot itself is not among them."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Tests, and the new source of a module that they are to notice; without one all is as it is.

    Attributes:
        plain: whether kernels run as plain Python.
        chosen: of the tests, in the order in which they run; all where none is.
    """

    tests: tuple[str, ...]
    plain: bool
    module: str = ""
    path: Path = Path()
    source: str | None = None
    chosen: tuple[str, ...] = ()


def load_libraries() -> None:
    """Import the libraries, so that no fork has to, nor collects their garbage."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()


class Fork:
    """A job, whose result is its exit code, in a process of its own.

    Its limit is of processor time, so that other work on the machine does not end it.
    """

    def __init__(self, job: Callable[[], int], limit_s: float) -> None:
        self.output = ""  # what it printed, once it has ended
        self._ends = time.monotonic() + WAITING * limit_s
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this does
        self._pid = os.fork()
        if self._pid == 0:
            _be_the_child(job, self._log.fileno(), limit_s)

    def poll(self) -> int | None:
        """Return the exit code, None while it runs; beyond the limit it is -9."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid:
            if time.monotonic() <= self._ends:
                return None
            os.killpg(self._pid, signal.SIGKILL)
            _, status = os.waitpid(self._pid, 0)
        self._log.seek(0)
        self.output = self._log.read().decode(errors="replace")
        self._log.close()
        return os.waitstatus_to_exitcode(status)

    def wait(self) -> int:
        """Return the exit code once it is there."""
        while (code := self.poll()) is None:
            time.sleep(0.02)
        return code


def _be_the_child(job: Callable[[], int], log: int, limit_s: float) -> None:
    code = 70
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit_s),) * 2)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = job()
    except BaseException:  # noqa: BLE001 - nothing may leave a fork but its exit code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def let_compute(seconds: float) -> None:
    """End this process where it computes for more than so long from now on, or for longer than its fork may."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    until = math.ceil(time.process_time() + seconds)
    until = until if most == resource.RLIM_INFINITY else min(until, most)
    resource.setrlimit(resource.RLIMIT_CPU, (until, most))


def run_tests(trial: Trial, plugins: Sequence[object] = ()) -> int:
    """Run the tests in this process, up to the first that fails; return pytest's exit code."""
    import pytest

    if trial.source is not None:
        sys.meta_path.insert(0, _Finder(trial.module, trial.path, trial.source))
    os.environ["HYPOTHESIS_PROFILE"] = "unshrunk"  # that a test fails is all that is asked
    extra: list[str] = []
    if trial.plain:
        extra = ["-W", "ignore::RuntimeWarning"]
        _run_kernels_as_plain_python()
    quiet = ["-x", "-q", "-s", "--no-header", "--tb=line", "--assert=plain"]
    without = ["-p", "no:cacheprovider", "-p", "no:xdist"]
    files = tuple(dict.fromkeys(test.partition("::")[0] for test in trial.chosen)) or trial.tests
    more = [Chosen(trial.chosen)] if trial.chosen else []
    return int(pytest.main([*quiet, *without, *extra, *files], plugins=[*plugins, *more]))


def _run_kernels_as_plain_python() -> None:
    """Let `njit` leave functions as they are, but for records, whose fields become attributes.

    As in what numba compiles, nothing is divided by zero.
    """
    import numba
    import numpy as np

    inside = False  # another kernel

    def attributes(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.view(np.recarray) if value.dtype.names else value
        if isinstance(value, np.void):
            return value.view(np.dtype((np.record, value.dtype)))
        if isinstance(value, tuple) and hasattr(value, "_make"):
            return value._make([attributes(each) for each in value])
        return value

    def njit(*functions: Callable[..., Any], **_options: Any) -> Any:
        if not functions:
            return njit
        function = functions[0]

        @functools.wraps(function)
        def called(*args: Any) -> Any:
            nonlocal inside
            if inside:
                return function(*args)
            inside = True
            try:
                with np.errstate(divide="raise"):
                    return function(*map(attributes, args))
            finally:
                inside = False

        called.py_func = function  # type: ignore[attr-defined]
        return called

    numba.njit = njit  # type: ignore[assignment]
    numba.config.DISABLE_JIT = True  # type: ignore[attr-defined]  # tuples are handed on as they are


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType | None:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, module: str, path: Path, source: str) -> None:
        self._module, self._path, self._source = module, path, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        loader = _Loader(fullname, str(self._path), self._source)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)
