"""What became of mutations before, so that a run that was stopped goes on where it was.

Rules: a line holds for the very code and tests it was found with, never for others.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


class Record:
    """Exit codes of mutations, in a file of JSON lines; without a file nothing is kept."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._tree = _tree_digest() if file is not None else ""
        self._codes: dict[str, int] = {}
        if file is not None and file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                if row["tree"] == self._tree:
                    self._codes[row["mutation"]] = row["exit"]

    def code_of(self, mutation: str) -> int | None:
        """Return the exit code of the tests on this mutation, None where it was not run."""
        return self._codes.get(mutation)

    def keep(self, mutation: str, code: int) -> None:
        """Add a mutation."""
        if self._file is not None:
            row = {"tree": self._tree, "mutation": mutation, "exit": code}
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def _tree_digest() -> str:
    """Return the SHA-256 of all Python files of the bot, of its tests and of what runs them."""
    digest = hashlib.sha256()
    for root in ("bot", "tests", "scripts/mutating"):
        for path in sorted(Path(root).rglob("*.py")):
            digest.update(f"{path.as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
