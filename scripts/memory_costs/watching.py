"""Run a command and look every few milliseconds at the memory of its processes.

Rules: what counts is the largest ever seen, of the command itself and of any process below it; anonymous
memory is what the machine cannot take back without swap, total is with the pages of files, which it can.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOOK_S = 0.02


@dataclass
class Peak:
    """The largest memory seen of a process, in MiB."""

    anonymous: float = 0.0
    total: float = 0.0

    def see(self, fields: Mapping[str, float]) -> None:
        """Take what /proc/PID/status says at one instant."""
        self.anonymous = max(self.anonymous, fields["RssAnon"])
        self.total = max(self.total, fields["VmRSS"], fields["VmHWM"])


@dataclass
class Watched:
    """What a command took: seconds, its own peak, and the largest of the processes below it."""

    seconds: float
    output: str
    itself: Peak = field(default_factory=Peak)
    below: Peak = field(default_factory=Peak)


def watch(command: Sequence[str], folder: Path) -> Watched:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; what it said is in the error.
    """
    started = time.perf_counter()
    with (folder / "said").open("w+", encoding="utf-8") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, cwd=folder)
        itself, below = Peak(), Peak()
        while process.poll() is None:
            for pid, fields in _tree(process.pid):
                if pid == process.pid:
                    itself.see(fields)
                elif _command(pid) != _command(process.pid):  # one that is not yet itself
                    below.see(fields)
            time.sleep(LOOK_S)
        said.seek(0)
        output = said.read()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}\n{output[-3000:]}")
    return Watched(time.perf_counter() - started, output, itself, below)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _tree(root: int) -> list[tuple[int, Mapping[str, float]]]:
    """Return the process and all below it, with their memory in MiB."""
    found: list[tuple[int, Mapping[str, float]]] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        try:
            lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            for thread in os.listdir(f"/proc/{pid}/task"):
                children = Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii")
                waiting += [int(child) for child in children.split()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        fields = dict(line.split(":", 1) for line in lines)
        if "VmRSS" in fields:
            names = ("RssAnon", "VmRSS", "VmHWM")
            found.append((pid, {name: int(fields[name].split()[0]) / 1024 for name in names}))
    return found
