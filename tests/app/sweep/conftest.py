"""Forecasts of a made market, and a backtest of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from bot.config import load_config
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Cli, Said

MARKET = ["data.source=synthetic", "synthetic.symbols=2", "synthetic.bars=1200"]
SETS = [
    *MARKET, "data.start=2023-01-06", "report.bootstrap_samples=100", "policy.min_calibration_days=2",
]  # fmt: skip

Backtest = Callable[..., "Said"]


@pytest.fixture
def forecasts(tmp_path: Path) -> Path:
    bars = synthetic_bars(load_config(None, MARKET, {}).synthetic, HOUR_MS)
    random = np.random.default_rng(4)
    frames = []
    for s in range(2):
        close = bars.close[:, s]
        ahead = np.append(close[5:] / close[:-5] - 1.0, np.zeros(5))
        told = 0.4 * ahead + 0.004 * random.standard_normal(len(bars))
        frames.append(
            pd.DataFrame(
                {"timestamp": bars.open_time, "symbol": f"SYN{s}USDT", "return": told,
                 "p_up": 0.5 + 0.2 * np.sign(told), "volatility": 0.01}
            )
        )  # fmt: skip
    path = tmp_path / "forecasts.csv"
    pd.concat(frames).to_csv(path, index=False)
    return path


@pytest.fixture
def backtest(cli: Cli, forecasts: Path) -> Backtest:
    def run(folder: Path, *sets: str) -> Said:
        given = (a for item in (*SETS, *sets) for a in ("--set", item))
        said = cli("backtest", *given, "--forecasts", forecasts, "--run-dir", folder, "--json")
        assert said.code == 0, said.err
        return said

    return run
