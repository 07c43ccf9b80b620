"""`scripts/mutants`: put small faults into the code one at a time, and see which the tests notice.

Exit code 1 where a subject's tests notice less than `--least` of the mutations that are not listed
as equivalent, or do not pass on the code as it is; with `--equivalents`, where any that is listed
is noticed.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass, field
from pathlib import Path

from scripts.mutating.equivalents import equivalents
from scripts.mutating.mutations import Mutation, mutations_of
from scripts.mutating.record import Record
from scripts.mutating.running import load_libraries
from scripts.mutating.subjects import SUBJECTS, Subject
from scripts.mutating.trying import try_all

LEAST = 0.97


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
    for (path, mutation), code in try_all(subject, todo, asked.workers):
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


def _print(counts: dict[str, Count]) -> None:
    print(f"\n{'subject':<14}{'noticed':>9}{'survived':>10}{'equivalent':>12}{'share':>9}")
    for name, count in counts.items():
        print(
            f"{name:<14}{count.noticed:>9}{len(count.survived):>10}{count.equivalent:>12}"
            f"{count.share:>9.1%}"
        )


if __name__ == "__main__":
    main()
