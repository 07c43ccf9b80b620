"""How a daemon ends, as a process of its own: by what, with which exit code, and what is left."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

TINY = [
    "run", "--practice", "--set", "synthetic.symbols=1", "--set", "data.history_bars=60",
    "--set", "training.min_rows=10", "--set", "training.epochs=1", "--set", "model.hidden=[4]",
    "--set", "retrain.trigger=every_bars", "--set", "retrain.every_bars=1000",
]  # fmt: skip


def start(run: Path, *before: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, sys.executable, "-m", "bot", *TINY, "--run-dir", str(run)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_it_outlives_who_reads_its_stderr_and_stops_when_its_terminal_ends(tmp_path: Path) -> None:
    """The window is closed: first nobody reads, then SIGHUP comes."""
    run = tmp_path / "run"
    with start(run) as process:
        assert process.stderr is not None
        while "run_started" not in process.stderr.readline():
            assert process.poll() is None
        process.stderr.close()
        process.stderr = None
        log = run / "log.jsonl"
        while log.read_text("utf-8").count('"bar_closed"') < 3:
            assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=20)
    assert process.returncode == 0
    last = json.loads(log.read_text("utf-8").splitlines()[-1])
    assert (last["event"], last["reason"]) == ("run_stopped", "asked to stop")


@pytest.mark.parametrize("most_bytes", [0, 20_000])
def test_a_disk_without_room_is_told_with_its_own_exit_code(
    tmp_path: Path, most_bytes: int
) -> None:
    """No file may grow beyond that: not even a temporary one, or not as far as a journal."""
    run = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-m", "bot", *TINY, "--run-dir", str(run)],
        capture_output=True, text=True, timeout=120, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    told = done.stderr.splitlines()[-1]
    assert told.startswith("error: ")
    assert "free disk space" in told.lower()
    assert "Traceback" not in done.stderr
    assert not (run / "journal.db").exists()
