"""Bars that the tests of the features share: real candles, and a small random market."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.blocks import BarBlock

Load = Callable[..., BarBlock]


@pytest.fixture
def load(data_root: Path) -> Load:
    """Read the last `bars` bars of some symbols from Bybit's candle files onto one grid."""

    def read(symbols: list[str], interval: str, bars: int) -> BarBlock:
        folder = data_root / "candles"
        files = [folder / f"bybit_linear_{symbol}_{interval}.parquet" for symbol in symbols]
        frames = [pd.read_parquet(file).set_index("timestamp") for file in files]
        grid = frames[0].index
        for frame in frames[1:]:
            grid = grid.union(frame.index)
        grid = grid[-bars:]
        columns = {
            name: np.column_stack([frame[name].reindex(grid).to_numpy() for frame in frames])
            for name in ("open", "high", "low", "close", "volume")
        }
        return BarBlock.of_candles(grid.to_numpy().astype(np.int64), **columns)

    return read


def random_bars(
    bars: int, symbols: int, seed: int, missing: float = 0.0, closed: float = 0.0
) -> BarBlock:
    """Make random bars, with a share that are missing and a share out of session."""
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, (bars, symbols)), axis=0))
    high = close * (1.0 + random.uniform(0.0, 0.01, close.shape))
    low = close * (1.0 - random.uniform(0.0, 0.01, close.shape))
    volume = random.lognormal(3.0, 1.0, close.shape) * (random.random(close.shape) > 0.02)
    in_session = random.random(close.shape) >= closed
    valid = in_session & (random.random(close.shape) >= missing)
    for array in (close, high, low, volume):
        array[~valid] = np.nan
    open_time = 1_700_000_000_000 // 3_600_000 * 3_600_000 + 3_600_000 * np.arange(bars)
    return BarBlock.of_candles(
        open_time, close.copy(), high, low, close, volume, valid=valid, in_session=in_session
    )


@pytest.fixture
def random_market() -> Load:
    """Make random bars, with a share that are missing and a share out of session."""
    return random_bars
