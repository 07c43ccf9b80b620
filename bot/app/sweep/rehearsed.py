"""Forecasts on the bars before a run's start, which a record does not hold: its models are asked again.

Rules: each model from the bar of its activation on, as the engine asks it; a row depends on that row
or its window only, so that the numbers are the run's. Must not train.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.adapters.record.contents import ModelRow
from bot.app.loop.forecasters import read_forecaster
from bot.blocks import F64, BarBlock, Task
from bot.config import Config
from bot.features.pipeline import FeaturePipeline
from bot.timegrid import INTERVAL_MS


def rehearsed(
    config: Config, models: Path, symbols: tuple[str, ...], tasks: tuple[Task, ...],
    bars: BarBlock, schedule: Sequence[ModelRow],
) -> F64:  # fmt: skip
    """Return float64[n, S, K], what the scheduled models forecast on the n bars before the start.

    Raises:
        ModelError: a model is missing or damaged.
    """
    lookback = config.model.bars_read
    interval_ms = INTERVAL_MS[config.market.interval]
    pipeline = FeaturePipeline(config.features, symbols, interval_ms, lookback)
    state, value = pipeline.initial(), np.full((*bars.close.shape, len(tasks)), np.nan)
    begins = [int(np.searchsorted(bars.open_time, row.effective_from)) for row in schedule]
    for start, stop in itertools.pairwise(sorted({0, *begins, len(bars)})):
        row = next(
            (r for b, r in reversed(list(zip(begins, schedule, strict=True))) if b <= start), None
        )
        forecaster = None
        if row is not None:
            forecaster, _ = read_forecaster(
                models, row.model_id, features=pipeline.names, tasks=tasks, lookback=lookback,
                symbols=symbols,
            )  # fmt: skip
        for first in range(start, stop, config.run.block_bars):
            last = min(first + config.run.block_bars, stop)
            block = bars.rows(first, last)
            state, features = pipeline.advance(state, block)
            if forecaster is not None:
                value[first:last] = forecaster.forecast(block.open_time, features)
    return value
