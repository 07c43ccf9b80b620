"""`bot run` is asked to stop before it has begun: at once, and well."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

READING_PACKAGES = """
import sys, time, types
slow = types.ModuleType("bot.app.live.command")
def live_command(*args, **options):
    print("begun", flush=True)
    time.sleep(60)
slow.live_command = live_command
sys.modules["bot.app.live.command"] = slow
sys.argv = ["bot", "run"]
from bot.__main__ import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_stopped_before_the_loop_runs(number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", READING_PACKAGES],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (0, "stopped before the start\n")
