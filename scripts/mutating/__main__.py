"""`scripts/mutants`: put small faults into the code one at a time, and see which the tests notice.

Exit code 1 where a subject's tests notice less than `--least` of the mutations that are not listed
as equivalent, or do not pass on the code as it is; with `--equivalents`, where any that is listed
is noticed.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.mutating.covering import Covering, Recorder, read_covering
from scripts.mutating.equivalents import equivalents
from scripts.mutating.mutations import Mutation, mutations_of
from scripts.mutating.record import Record
from scripts.mutating.running import Fork, Trial, load_libraries
from scripts.mutating.subjects import SUBJECTS, Subject

LEAST = 0.97
PATIENCE = 6.0
"""A mutated run may take so many times as long as the tests did on the code as it is."""


@dataclass
class Count:
    """What became of a subject's mutations."""

    noticed: int = 0
    equivalent: int = 0
    survived: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Return the share noticed of those that are not equivalent."""
        return self.noticed / self.tried if self.tried else 1.0

    @property
    def tried(self) -> int:
        """Return how many were run."""
        return self.noticed + len(self.survived)


def main() -> None:
    """Mutate the subjects' modules and count what their tests notice."""
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=main.__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help="by default all")
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="so many a subject; 0: all"
    )
    parser.add_argument("--match", default="", metavar="TEXT", help="only those named so")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default: 1)")
    parser.add_argument(
        "--workers", type=int, default=2, help="test runs side by side (default: 2)"
    )
    parser.add_argument("--least", type=float, default=LEAST, help="share to be noticed (0.97)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep what survived")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="keep results, and go on from those kept"
    )
    parser.add_argument(
        "--equivalents", action="store_true", help="run what is listed so: none may be noticed"
    )
    parser.add_argument("--list", action="store_true", help="list the mutations, run nothing")
    asked = parser.parse_args()
    known = {subject.name: subject for subject in SUBJECTS}
    unknown = [name for name in asked.subjects if name not in known]
    if unknown:
        parser.error(f"no subject {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [known[name] for name in asked.subjects] or list(SUBJECTS)
    if asked.list:
        for subject in chosen:
            for path, mutation in _mutations(subject, asked):
                print(f"{path}:{mutation.line}: {mutation.key}")
        return
    load_libraries()
    record = Record(asked.record)
    counts = {subject.name: _count(subject, asked, record) for subject in chosen}
    _print(counts)
    if asked.json:
        asked.json.write_text(json.dumps({n: c.survived for n, c in counts.items()}, indent=1))
    shares = [count.share for count in counts.values() if count.tried]
    if any(share > 0.0 if asked.equivalents else share < asked.least for share in shares):
        raise SystemExit(1)


def _mutations(subject: Subject, asked: argparse.Namespace) -> list[tuple[str, Mutation]]:
    listed = equivalents()
    found = [
        (path, mutation)
        for path in subject.modules
        for mutation in mutations_of(Path(path).read_text(encoding="utf-8"))
        if asked.match in f"{path}:{mutation.line}: {mutation.key}"
        and (not asked.equivalents or mutation.key in listed.get(path, {}))
    ]
    if 0 < asked.sample < len(found):
        found = random.Random(asked.seed).sample(found, asked.sample)
    return found


def _count(subject: Subject, asked: argparse.Namespace, record: Record) -> Count:
    count, listed = Count(), {} if asked.equivalents else equivalents()
    todo: list[tuple[str, Mutation]] = []
    for path, mutation in _mutations(subject, asked):
        if mutation.key in listed.get(path, {}):
            count.equivalent += 1
        elif (code := record.code_of(_name(path, mutation))) is not None:
            _enter(count, path, mutation, code)
        else:
            todo.append((path, mutation))
    for path, mutation, code in _run_all(subject, todo, asked.workers):
        record.keep(_name(path, mutation), code)
        _enter(count, path, mutation, code)
        if bool(code) == asked.equivalents:  # not what it should come to
            became = "noticed" if code else "survived"
            print(f"{became}: {path}:{mutation.line}: {mutation.key}", flush=True)
    print(f"{subject.name}: {count.noticed} noticed, {len(count.survived)} survived", flush=True)
    return count


def _name(path: str, mutation: Mutation) -> str:
    return f"{path}: {mutation.key}"


def _enter(count: Count, path: str, mutation: Mutation, code: int) -> None:
    if code:
        count.noticed += 1
    else:
        count.survived.append(f"{path}:{mutation.line}: {mutation.key}")


def _run_all(
    subject: Subject, todo: list[tuple[str, Mutation]], workers: int
) -> Iterator[tuple[str, Mutation, int]]:
    """Yield each mutation with the exit code of the tests that run its function."""
    if not todo:
        return
    covering = _covered(subject)
    waiting = list(reversed(todo))
    running: list[tuple[str, Mutation, Fork]] = []
    while running or waiting:
        while waiting and len(running) < workers:
            path, mutation = waiting.pop()
            chosen = covering.of(path, mutation.function)
            limit_s = PATIENCE * sum(covering.seconds[test] for test in chosen) + 5.0
            trial = _trial(subject, path, source=mutation.source(), chosen=tuple(chosen))
            running.append((path, mutation, Fork(trial, limit_s)))
        time.sleep(0.02)
        for entry in list(running):
            code = entry[2].poll()
            if code is not None:
                running.remove(entry)
                yield entry[0], entry[1], code


def _covered(subject: Subject) -> Covering:
    """Run the tests on the code as it is, which they must pass; return what they run."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "covering.json")
        recorder = Recorder(subject.modules, file)
        fork = Fork(_trial(subject, subject.modules[0], recorder=recorder), 3600.0)
        while (code := fork.poll()) is None:
            time.sleep(0.05)
        if code:
            text = fork.output()
            raise SystemExit(f"{subject.name}: the tests fail on the code as it is:\n{text}")
        return read_covering(file)


def _trial(
    subject: Subject, path: str, *, source: str | None = None, chosen: tuple[str, ...] = (),
    recorder: Recorder | None = None,
) -> Trial:  # fmt: skip
    module = path.removesuffix(".py").replace("/", ".")
    return Trial(
        module, Path(path).resolve(), subject.tests, subject.plain, source, chosen, recorder
    )


def _print(counts: dict[str, Count]) -> None:
    print(f"\n{'subject':<14}{'noticed':>9}{'survived':>10}{'equivalent':>12}{'share':>9}")
    for name, count in counts.items():
        print(
            f"{name:<14}{count.noticed:>9}{len(count.survived):>10}{count.equivalent:>12}"
            f"{count.share:>9.1%}"
        )


if __name__ == "__main__":
    main()
