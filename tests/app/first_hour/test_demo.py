"""bot demo: what it shows is so, and nothing of it stays behind."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from bot.app.first_hour import demo as steps
from bot.app.first_hour.telling import Telling
from bot.errors import BotError

ROOT = Path(__file__).resolve().parents[3]


def begun(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    (tmp_path / "tmp").mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "demo", *words], cwd=tmp_path, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
    )  # fmt: skip


def children_that_name(place: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(place) in words:
            found.append(words)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_broken_off_it_leaves_nothing(tmp_path: Path, number: int) -> None:
    with begun(tmp_path) as demo:
        assert demo.stdout is not None
        while "$ bot run" not in demo.stdout.readline():
            pass
        time.sleep(0.5)  # the run is being started
        assert children_that_name(tmp_path / "tmp")
        demo.send_signal(number)
        demo.communicate(timeout=30)
    assert demo.returncode == 128 + number
    assert list((tmp_path / "tmp").glob("bot-demo*")) == []
    assert children_that_name(tmp_path / "tmp") == []


def test_a_run_that_writes_much_is_not_held_up_and_its_last_line_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talkative = tmp_path / "talkative"
    talkative.write_text("#!/bin/sh\nyes | head -c 300000 >&2\necho the end >&2\nexit 3\n")
    talkative.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(talkative))
    told = Telling(Console(file=io.StringIO()), tmp_path)
    monkeypatch.setattr(steps, "TOO_LONG_S", 20.0)
    with steps.bot_process([]) as running, pytest.raises(BotError, match="exit code 3: the end"):
        steps.wait_until(told, running, lambda: False)


def test_a_folder_that_is_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with begun(tmp_path, "--keep", "runs") as demo:
        _, said = demo.communicate(timeout=60)
    assert (demo.returncode, "is there already" in said) == (2, True)


@pytest.mark.long
def test_told_to_its_end(tmp_path: Path) -> None:
    """With its own number of bars: a pipe that nobody reads fills up only with so many."""
    with begun(tmp_path, "--keep", "kept") as demo:
        out, said = demo.communicate(timeout=900)
    assert (demo.returncode, said) == (0, "")
    steps = [
        out.index(f"{k} of 5  {name}")
        for k, name in enumerate(("trade", "kill", "resume", "verify", "report"), 1)
    ]
    assert steps == sorted(steps)
    ledger, replayed = re.findall(r"(?:ledger|replayed) +([0-9a-f]{64})", out)
    assert ledger == replayed
    assert re.search(r"identical: \d\d bars", out)
    assert (tmp_path / "kept" / "report.html").is_file()
    assert children_that_name(tmp_path) == []
