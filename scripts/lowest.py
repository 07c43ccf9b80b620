"""The lowest versions that pyproject.toml allows, as constraints for pip: `scripts/test --lowest`.

Rule: every base dependency says a lower bound; torch, which is large, stays as constraints.txt has it.
Tools for testing are left to pip, which takes the newest that go with these.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINNED = ("torch",)


def lowest(dependencies: list[str], pinned: str) -> list[str]:
    """Return a constraint for each dependency.

    Args:
        dependencies: as in pyproject.toml.
        pinned: the text of constraints.txt.

    Raises:
        ValueError: one has no lower bound.

    >>> lowest(["numpy>=2.0", "pybit>=5.17,<5.18", "torch>=2.4"], "torch==2.13.0")
    ['numpy==2.0', 'pybit==5.17', 'torch==2.13.0']
    """
    known = dict(line.split("==") for line in pinned.splitlines() if "==" in line)
    lines = []
    for dependency in dependencies:
        found = re.match(r"([\w-]+)>=([\w.]+)", dependency)
        if found is None:
            raise ValueError(
                f"pyproject.toml: '{dependency}' has no lower bound; write NAME>=VERSION"
            )
        name, version = found.groups()
        lines.append(f"{name}=={known[name] if name in PINNED else version}")
    return lines


def main() -> None:
    """Print the constraints."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    print("\n".join(lowest(project["dependencies"], (ROOT / "constraints.txt").read_text("utf-8"))))


if __name__ == "__main__":
    main()
