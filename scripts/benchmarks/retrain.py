"""The retrain group: a real backtest from the command line, trainings and all.

Rules: the commands that a person would type, each in a process of its own; the engine's part is the
same backtest again with the recorded models.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.benchmarks.measuring import Row

REAL = (
    "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT,BNBUSDT", "--from", "2023-01-01", "--to", "2025-12-31",
)  # fmt: skip
SYNTHETIC = (
    "--set", "data.source=synthetic", "--set", "synthetic.symbols=4",
    "--set", "synthetic.bars=35064", "--from", "2024-01-01",
)  # fmt: skip
"""Four years of hours from 2023 on, the first for the first training."""


def three_years(quick: bool, data: str) -> list[Row]:
    """Measure four symbols over three years of hours with a training each month.

    Args:
        quick: three months only.
        data: folder with candles; empty for the synthetic market.
    """
    market: tuple[str, ...] = ("--data", data, *REAL) if data else SYNTHETIC
    if quick:
        market = (*market, "--to", "2023-03-31" if data else "2024-03-31")
    with TemporaryDirectory() as folder:
        first = Path(folder) / "first"
        whole, facts = _backtest(*market, "--run-dir", str(first))
        _, again = _backtest(
            *market, "--run-dir", str(Path(folder) / "again"), "--schedule", str(first)
        )
    same = "same" if facts["ledger_sha256"] == again["ledger_sha256"] else "ANOTHER"
    trainings = len(facts["models"])
    case = f"backtest with {trainings} trainings, {'real' if data else 'synthetic'} candles"
    note = "from the command to its printed report, two trainings side by side"
    return [
        Row(case, whole, "s", 240.0, False, note),
        Row("the run itself, without start and report", facts["seconds"], "s"),
        Row(
            "the engine's part: again with the recorded models", again["seconds"], "s", 2.0, False,
            f"journal written; {same} ledger hash",
        ),
    ]  # fmt: skip


def _backtest(*arguments: str) -> tuple[float, dict[str, Any]]:
    command = [sys.executable, "-m", "bot", "backtest", "--json", *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return time.perf_counter() - started, json.loads(done.stdout)
