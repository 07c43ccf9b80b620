"""The soaks of `scripts/soak`, short enough for a coffee: kills, faults and very many bars."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
@pytest.mark.parametrize("asked", ["--kills=40", "--faults=3000", "--bars=20000"])
def test_a_soak_is_proved(asked: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.soaking", asked, "--run-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
