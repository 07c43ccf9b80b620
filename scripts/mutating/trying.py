"""Try a subject's mutations: all its tests are collected once, and each fault is a fork of that.

Rules: a mutation is shown to the tests that run its function, and is noticed when one fails or they
take too long. What cannot be put into an imported module is imported anew, with the fault in it.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

import pytest

from scripts.mutating.covering import Covering, Recorder, read_covering
from scripts.mutating.mutations import Mutation
from scripts.mutating.patching import Patch, patch_of
from scripts.mutating.running import Fork, Trial, let_compute, run_tests
from scripts.mutating.subjects import Subject

PATIENCE = 6.0
"""A mutated test may compute for so many times as long as it took on the code as it is, and all together."""
Place = tuple[str, Mutation]
Job = tuple[int, Callable[[], int], float]
"""Which mutation, its tests, and the seconds they may take."""


def try_all(subject: Subject, todo: Sequence[Place], workers: int) -> Iterator[tuple[Place, int]]:
    """Yield each mutation with the exit code of the tests that run its function.

    Raises:
        SystemExit: the tests fail on the code as it is.
    """
    if not todo:
        return
    left = dict(enumerate(todo))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "covering.json")
        read, write = os.pipe()
        collected = Fork(partial(_collect, subject, todo, workers, file, write), 86_400.0)
        os.close(write)
        with os.fdopen(read, encoding="utf-8") as results:
            for line in results:
                at, code = json.loads(line)
                yield left.pop(at), code
        if collected.wait():
            text = collected.output
            raise SystemExit(f"{subject.name}: the tests fail on the code as it is:\n{text}")
        covering = read_covering(file)
    yield from ((left[at], code) for at, code in _run(_anew(subject, left, covering), workers))


def _anew(subject: Subject, left: dict[int, Place], covering: Covering) -> Iterator[Job]:
    for at, (path, mutation) in left.items():
        chosen = covering.of(path, mutation.function)
        trial = Trial(
            subject.tests, subject.plain, _module(path), Path(path).resolve(), mutation.source(),
            tuple(chosen),
        )  # fmt: skip
        yield at, partial(run_tests, trial), _limit_s(covering, chosen)


def _collect(subject: Subject, todo: Sequence[Place], workers: int, file: Path, write: int) -> int:
    """Collect the tests, record what they run, and write the exit code of each mutation."""
    with os.fdopen(write, "w", encoding="utf-8") as results:
        recorder = Recorder(subject.modules, file)
        loop = _Loop(todo, workers, recorder, results)
        recorder.begin()
        code = run_tests(Trial(subject.tests, subject.plain), [recorder, loop])
    return code or loop.code


class _Loop:
    """A pytest plugin that runs the collected tests once, and then on each mutation."""

    def __init__(
        self, todo: Sequence[Place], workers: int, recorder: Recorder, results: TextIO
    ) -> None:
        self._todo, self._workers, self._results = todo, workers, results
        self._recorder = recorder
        self.code = 0

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's own loop."""
        recording = Fork(partial(self._record, session), 86_400.0)
        self._recorder.end()
        session.config.pluginmanager.unregister(self._recorder)
        self.code = recording.wait()
        if self.code:
            print(recording.output)
            return True
        covering = read_covering(self._recorder.file)
        for at, code in _run(self._jobs(session, covering), self._workers):
            self._results.write(json.dumps([at, code]) + "\n")
            self._results.flush()
        return True

    def _record(self, session: pytest.Session) -> int:
        code = _run_items(session, session.items)
        self._recorder.write()
        return code

    def _jobs(self, session: pytest.Session, covering: Covering) -> Iterator[Job]:
        items = {item.nodeid: item for item in session.items}
        for at, (path, mutation) in enumerate(self._todo):
            patch = patch_of(_module(path), mutation)
            if patch is None or (path, mutation.function) in covering.everywhere:
                continue
            chosen = covering.of(path, mutation.function)
            limits = [_limit_s(covering, [test]) for test in chosen]
            job = partial(_run_patched, patch, session, [items[test] for test in chosen], limits)
            yield at, job, _limit_s(covering, chosen)


def _run_patched(
    patch: Patch, session: pytest.Session, items: Sequence[pytest.Item], limits: Sequence[float]
) -> int:
    patch.put()
    return _run_items(session, items, limits)


def _run_items(
    session: pytest.Session, items: Sequence[pytest.Item], limits: Sequence[float] | None = None
) -> int:
    """Run tests up to the first that fails.

    Args:
        limits: seconds that each may compute; the process ends where one takes longer.
    """
    for k, (item, following) in enumerate(zip(items, [*items[1:], None], strict=True)):
        if limits is not None:
            let_compute(limits[k])
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return 1
    return 0


def _run(jobs: Iterator[Job], workers: int) -> Iterator[tuple[int, int]]:
    """Run jobs in forks, so many side by side, and yield their exit codes."""
    running: list[tuple[int, Fork]] = []
    following = next(jobs, None)
    while running or following is not None:
        while following is not None and len(running) < workers:
            at, job, limit_s = following
            running.append((at, Fork(job, limit_s)))
            following = next(jobs, None)
        time.sleep(0.01)
        for entry in list(running):
            code = entry[1].poll()
            if code is not None:
                running.remove(entry)
                yield entry[0], code


def _limit_s(covering: Covering, chosen: Sequence[str]) -> float:
    return PATIENCE * (sum(covering.seconds[test] for test in chosen) + covering.fixtures_s) + 5.0


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")
