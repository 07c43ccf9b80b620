"""The start group: how long a person waits before anything happens."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from scripts.benchmarks.measuring import Row, median_seconds

COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "bot --help": ("-m", "bot", "--help"),
    "bot config show": ("-m", "bot", "config", "show"),
    "import numba": ("-c", "import numba"),
    "import torch": ("-c", "import torch"),
    "import bot.engine": ("-c", "import bot.engine"),
    "import bot.app.backtest.job": ("-c", "import bot.app.backtest.job"),
}


def commands(quick: bool) -> list[Row]:
    """Measure whole processes, from start to end."""
    rows = []
    for name, arguments in COMMANDS.items():
        run = partial(
            subprocess.run, [sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True
        )
        rows.append(Row(name, median_seconds(run, 1 if quick else 5), "s"))
    return rows
