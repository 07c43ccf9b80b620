"""`python -m scripts.licences`: the licence of every package that is installed, and what each extra brings.

Owns the walk over the requirements of pyproject.toml and what is demanded of their licences. Rules: what
is installed here is what counts, by the metadata of each package; a licence that is not known is a
fault, never a guess. `--extras` prints the table of extras instead.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
BASE = "base"
FREE = (BASE, "serve", "notify", "watch", "xlsx", "yahoo", "compare", "garch", "search", "ray")
"""What is installed for those who run the bot: nothing in it may be GPL, AGPL or LGPL."""

COPYLEFT = re.compile(r"\b(A|L)?GPL")
ACCEPTED_MPL = {
    "certifi": "the list of certificate authorities, used unchanged by requests; its copyleft is per file",
    "tqdm": "progress bars that optuna can draw (MIT and MPL-2.0), used unchanged; its copyleft is per file",
}  # fmt: skip
"""Packages under the MPL that are accepted in what FREE brings, each with why."""

BY_CLASSIFIER = {
    "Apache Software License": "Apache-2.0", "BSD License": "BSD", "MIT License": "MIT",
    "ISC License (ISCL)": "ISC", "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
}  # fmt: skip
BY_WORD = {"GPLv3": "GPL-3.0", "Apache 2.0": "Apache-2.0"}
READ_IN_THEIR_FILES = {
    "axe-playwright-python": "MIT, its axe.min.js MPL-2.0",
    "vectorbt": "Apache-2.0 with the Commons Clause",
}  # fmt: skip
"""Packages whose metadata say nothing; their files were read."""


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package: its name and version, its licence, and the size of its files in bytes."""

    name: str
    version: str
    licence: str
    size: int


def declared() -> dict[str, list[str]]:
    """Return the requirements of pyproject.toml: those of the base, and those of each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {BASE: project["dependencies"], **project["optional-dependencies"]}


def brought(requirements: Sequence[str]) -> dict[str, Distribution]:
    """Return what these requirements bring with all of theirs, by name; what is not installed is left out."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(text) for text in requirements]
    asked: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if (name, frozenset(wanted.extras)) in asked:
            continue
        asked.add((name, frozenset(wanted.extras)))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        waiting += _requirements(found[name], wanted.extras)
    return found


def _requirements(package: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for text in package.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": each}) for each in ("", *extras)):
            yield requirement


def licence_of(package: Distribution) -> str:
    """Return a package's licence as an SPDX expression where it is told; empty where nothing is known."""
    told = package.metadata
    classifiers = [c.rpartition(" :: ")[2] for c in told.get_all("Classifier") or () if c.startswith("License ::")]  # fmt: skip
    known = [BY_CLASSIFIER[c] for c in classifiers if c in BY_CLASSIFIER]
    free_text = "".join(told.get_all("License") or ()).strip().partition("\n")[0]
    if expressions := told.get_all("License-Expression"):
        return str(expressions[0])
    if known:
        return " OR ".join(known)
    if free_text and free_text != "UNKNOWN" and len(free_text) < 40:
        return BY_WORD.get(free_text, free_text)
    return READ_IN_THEIR_FILES.get(canonicalize_name(told["Name"]), "")


def described(package: Distribution) -> Package:
    """Return what is told of an installed package."""
    size = sum(file.size or 0 for file in package.files or ())
    return Package(package.metadata["Name"], package.version, licence_of(package), size)


def by_set() -> dict[str, dict[str, Distribution]]:
    """Return what the base brings, and what each extra adds to it."""
    sets = {name: brought(requirements) for name, requirements in declared().items()}
    base = sets[BASE]
    return {BASE: base} | {
        extra: {name: each for name, each in found.items() if name not in base}
        for extra, found in sets.items()
        if extra != BASE
    }


def faults(sets: Mapping[str, Mapping[str, Distribution]]) -> list[str]:
    """Return what is not as it must be: licences that are not known, copyleft where none may be."""
    said = []
    for name, packages in sets.items():
        for key, package in packages.items():
            licence = licence_of(package)
            if not licence:
                said.append(f"{name}: {key}: its metadata name no licence; read its files")
            elif name in FREE and COPYLEFT.search(licence):
                said.append(f"{name}: {key}: {licence}")
            elif name in FREE and "MPL" in licence and key not in ACCEPTED_MPL:
                said.append(f"{name}: {key}: {licence}, and no exception is listed")
    return said


def licence_table(sets: Mapping[str, Mapping[str, Distribution]]) -> str:
    """Return every installed package with version, licence and what brings it, as Markdown."""
    names = sorted({name for packages in sets.values() for name in packages})
    lines = ["| package | version | licence | comes with |", "|---|---|---|---|"]
    for name in names:
        by = [extra for extra, packages in sets.items() if name in packages]
        package = described(next(sets[extra][name] for extra in by))
        lines.append(
            f"| {package.name} | {package.version} | {package.licence} | {', '.join(by)} |"
        )
    return "\n".join(lines)


def extras_table(sets: Mapping[str, Mapping[str, Distribution]]) -> str:
    """Return what each extra brings beyond the base: packages, size, and licences that bind."""
    lines = ["| extra | packages beyond the base | MB | copyleft |", "|---|---|---|---|"]
    asked = declared()
    for extra, packages in sets.items():
        lacking = [r.name for r in map(Requirement, asked[extra]) if canonicalize_name(r.name) not in {*packages, *sets[BASE]}]  # fmt: skip
        every = [described(each) for each in packages.values()]
        told = ", ".join(p.name for p in sorted(every, key=lambda p: p.name.lower()))
        if extra == BASE or len(every) > 30:
            told = f"{len(every)} packages"
        if lacking:
            told = f"not installed here: {', '.join(lacking)}"
        bound = [f"{p.name} ({p.licence})" for p in every if COPYLEFT.search(p.licence) or "MPL" in p.licence]  # fmt: skip
        size = "–" if lacking else f"{sum(p.size for p in every) / 1e6:,.0f}"
        lines.append(f"| `{extra}` | {told or 'none'} | {size} | {', '.join(sorted(bound))} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table; exit 1 where a licence is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m scripts.licences", description=main.__doc__)
    parser.add_argument("--extras", action="store_true", help="what each extra brings instead")
    sets = by_set()
    print(extras_table(sets) if parser.parse_args().extras else licence_table(sets))
    wrong = faults(sets)
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
