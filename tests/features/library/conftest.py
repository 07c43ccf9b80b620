"""A market of made bars, some of them missing, and a pipeline's features by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bot.app.parts.market import SYMBOLS, made_market
from bot.blocks import F64, BarBlock
from bot.config.schema import Features
from bot.features.pipeline import FeaturePipeline
from bot.timegrid import HOUR_MS

Compute = Callable[..., dict[str, F64]]


def market_of(n: int, interval_ms: int = HOUR_MS) -> BarBlock:
    """Make n bars of three symbols; the grid begins in the middle of a day, some bars had no trades."""
    bars = made_market(n)
    volume = np.where(np.random.default_rng(5).random(bars.volume.shape) < 0.03, 0.0, bars.volume)
    open_time = 1_700_000_000_000 // interval_ms * interval_ms + interval_ms * np.arange(n)
    due = (open_time % (8 * HOUR_MS) == 0)[:, None]
    return replace(
        bars, open_time=open_time, funding_rate=np.where(due, np.roll(bars.funding_rate, 3), 0.0),
        volume=np.where(bars.valid, volume, np.nan),
    )  # fmt: skip


def own(bars: BarBlock, s: int) -> pd.DataFrame:
    """Return the valid bars of a symbol, by their time."""
    names = ("open", "high", "low", "close", "volume")
    frame = pd.DataFrame({name: getattr(bars, name)[:, s] for name in names})
    frame.index = pd.to_datetime(bars.open_time, unit="ms")
    return frame[bars.valid[:, s]]


@pytest.fixture
def compute() -> Compute:
    """Compute features one by one, so that each is there from its own first bar on."""

    def features(
        bars: BarBlock, names: Sequence[str], interval_ms: int = HOUR_MS, **sets: int
    ) -> dict[str, F64]:
        found = {}
        for name in names:
            config = Features(names=(name,), **sets)
            pipeline = FeaturePipeline(config, SYMBOLS[: bars.n_symbols], interval_ms)
            found[name] = pipeline.advance(pipeline.initial(), bars)[1].x[:, :, 0]
        return found

    return features
