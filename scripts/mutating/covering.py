"""Which tests run which functions, so that a mutation is shown only to those that could notice it.

Rules: what runs while tests are imported, or in nobody's test, may matter to all; what a fixture runs
is credited to every later test of its file. The quickest test comes first. Must not judge tests.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

Function = tuple[str, str]
"""A module's path as the subject gives it, and the function's dotted name."""


@dataclass(frozen=True, slots=True)
class Covering:
    """Seconds each test took, the tests that run a function, what runs at import, and the seconds that all
    fixtures took, which any test may be the first to need."""

    seconds: dict[str, float]
    tests: dict[Function, frozenset[str]]
    everywhere: frozenset[Function]
    fixtures_s: float = 0.0

    def of(self, path: str, function: str) -> list[str]:
        """Return the tests to be run for a mutation of this function, the quickest first."""
        known = self.tests.get((path, function))
        of_all = known is None or (path, function) in self.everywhere
        return sorted(self.seconds if of_all else known or (), key=self.seconds.__getitem__)


class Recorder:
    """A pytest plugin that writes what each test runs of the modules to a file."""

    def __init__(self, modules: Sequence[str], file: Path) -> None:
        self.file = file
        self._paths = {str(Path(path).resolve()): path for path in modules}
        self._called: set[Function] = set()
        self._setup: dict[Path, set[Function]] = {}
        self._runs: list[tuple[str, float, list[Function]]] = []
        self._imported: list[Function] = []
        self._fixtures_s = 0.0

    def begin(self) -> None:
        """See what is called from here on."""
        threading.settrace(self._see)
        sys.settrace(self._see)

    def pytest_collection_finish(self) -> None:
        """Keep what importing the tests has run."""
        self._imported = sorted(self._called)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Keep what the fixtures run for the later tests of the file too."""
        self._called.clear()
        began = time.monotonic()
        yield
        self._fixtures_s += time.monotonic() - began
        self._setup.setdefault(item.path, set()).update(self._called)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        """Note the test with what it has run."""
        began = time.monotonic()
        self.begin()
        result = yield
        ran = self._called | self._setup.get(item.path, set())
        self._runs.append((item.nodeid, time.monotonic() - began, sorted(ran)))
        return result

    def end(self) -> None:
        """See no more calls."""
        threading.settrace(None)
        sys.settrace(None)

    def write(self) -> None:
        """Write it all."""
        self.end()
        told = [self._imported, self._runs, self._fixtures_s]
        self.file.write_text(json.dumps(told), encoding="utf-8")

    def _see(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        path = self._paths.get(code.co_filename)
        if event == "call" and path is not None:
            self._called.add((path, code.co_qualname.replace(".<locals>", "")))


def read_covering(file: Path) -> Covering:
    """Return what a `Recorder` has written."""
    imported, runs, fixtures_s = json.loads(file.read_text(encoding="utf-8"))
    tests: dict[Function, set[str]] = {}
    for test, _, called in runs:
        for path, function in called:
            tests.setdefault((path, function), set()).add(test)
    return Covering(
        {test: seconds for test, seconds, _ in runs},
        {name: frozenset(found) for name, found in tests.items()},
        frozenset((path, function) for path, function in imported),
        fixtures_s,
    )


class Chosen:
    """A pytest plugin that leaves only these tests, in this order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._place = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Choose and sort."""
        items[:] = [item for item in items if item.nodeid in self._place]
        items.sort(key=lambda item: self._place[item.nodeid])
