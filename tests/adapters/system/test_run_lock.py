from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.adapters.system.run_lock import NAME, TRIES, RunLock, holder
from bot.errors import JournalError

HOLD = """
import sys
from pathlib import Path
from bot.adapters.system.run_lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_nobody_holds_a_new_folder_or_a_left_over_file(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    (tmp_path / NAME).write_text("12345\n")
    assert holder(tmp_path) is None


def test_a_second_holder_is_refused_by_number(tmp_path: Path) -> None:
    waits: list[float] = []
    with RunLock(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with (
            pytest.raises(JournalError, match=rf"runs this run \(pid {os.getpid()}\)"),
            RunLock(tmp_path, waits.append),
        ):
            pass
        assert holder(tmp_path) == os.getpid()
    assert len(waits) == TRIES - 1
    assert holder(tmp_path) is None
    with RunLock(tmp_path):
        assert holder(tmp_path) == os.getpid()


def test_asking_at_the_wrong_instant_does_not_refuse_a_start(tmp_path: Path) -> None:
    asking = RunLock(tmp_path)
    asking.__enter__()
    with RunLock(tmp_path, lambda _: asking.__exit__(None, None, None)):
        assert holder(tmp_path) == os.getpid()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    process = hold(tmp_path)
    assert holder(tmp_path) == process.pid
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / NAME).read_text() == f"{process.pid}\n"
    assert holder(tmp_path) is None


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be made"), RunLock(tmp_path / "no"):
        pass
