"""The runs in a folder, by id, and a mark of each that changes when something of the run does.

Rules: an id is the name of a run's folder; nothing outside the folder of runs is reached by one. A
mark is made of what the file system says, so that looking for changes reads no file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bot.app.runs.folder import RunFolder, runs_in
from bot.serve.problems import Problem

Mark = tuple[tuple[int, int, int], ...]
"""By file: its number, size and time of change; zeros where it is not there."""

_MONEY = ("journal.db", "journal.db-wal")
_PROCESS = ("status.json", "run.lock", "STOP_TRADING", "commands", "config.toml")
_LOG = ("log.jsonl",)
PARTS = {"journal": _MONEY, "process": _PROCESS, "log": _LOG}
"""What changes apart: money, the process and what is asked of it, and its log."""


@dataclass(frozen=True)
class RunsFolder:
    """A folder of runs."""

    path: Path

    def all(self) -> list[RunFolder]:
        """Return the runs there are, by name."""
        return runs_in(self.path)

    def find(self, run_id: str) -> RunFolder:
        """Return a run.

        Raises:
            Problem: there is none of this id.
        """
        folder = RunFolder(self.path / run_id)
        plain = run_id not in ("", ".", "..") and not set(run_id) & {"/", "\0"}
        # the kernel's word, not pathlib's: a name that is too long is an error to the latter
        if not plain or not os.path.isfile(folder.journal):
            raise Problem(404, f"there is no run '{run_id:.80}' here; /api/v1/runs lists them")
        return folder


def marks_of(folder: RunFolder) -> dict[str, Mark]:
    """Return the marks of a run, by part."""
    return {part: _mark(folder.path, names) for part, names in PARTS.items()}


def _mark(folder: Path, names: tuple[str, ...]) -> Mark:
    return tuple(_of_file(folder / name) for name in names)


def _of_file(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns
