"""A clone on a bare machine: each Python that is here installs the base packages and trades on paper."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT = shutil.ignore_patterns(".git", ".venv", "build", "runs", "*.egg-info", ".*_cache")


def _left_out(folder: str, names: list[str]) -> set[str]:
    """Return what was made here and is no part of a clone; runs and builds lie at its top only."""
    return {"__pycache__"} | (BUILT(folder, names) if Path(folder) == ROOT else set())


@pytest.mark.long
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_a_base_install_trades_reports_and_is_proved(version: str, tmp_path: Path) -> None:
    python = shutil.which(f"python{version}")
    if python is None or not _works(python):
        pytest.skip(f"no Python {version} is here")
    clone = tmp_path / "clone"
    shutil.copytree(ROOT, clone, ignore=_left_out)
    ours = {"PYTHONPATH", "VIRTUAL_ENV", "BOT_EXTRAS", "BOT_VENV"}  # of who runs the tests
    plain = {k: v for k, v in os.environ.items() if k not in ours}
    plain |= {"PYTHON": python, "PATH": "/usr/local/bin:/usr/bin:/bin"}

    def sh(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=clone,
            env=plain,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    sh("./scripts/run --bars 5 --run-dir runs/demo")
    bot = ".venv/bin/bot"
    assert "identical" in sh(f"{bot} verify runs/demo")
    assert "demo" in sh(f"{bot} runs")
    sh(f"{bot} report runs/demo --json")
    sh(f"{bot} backtest --config configs/synthetic.toml --set training.epochs=1 --run-dir runs/b")
    assert "mypy" not in sh(".venv/bin/python -m pip list")
    assert "Installing" not in sh("./scripts/run --bars 1 --run-dir runs/again 2>&1")


def _works(python: str) -> bool:
    return not subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode
