"""What the named sets of features cost: three years of five symbols as one block, and a live bar."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bot.app.parts.market import MISSING
from bot.blocks import BarBlock
from bot.config.schema import Features, Synthetic
from bot.features.pipeline import FeaturePipeline, FeatureState
from bot.parts.sets import SETS
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS
from scripts.benchmarks.measuring import Row, median_seconds

SYMBOLS, YEARS = 5, 3
GOAL_BLOCK_S, GOAL_BAR_MS = 3.0, 1.5
REPEATS = 100


def sets(quick: bool) -> list[Row]:
    """Measure each set: a block, and a bar after those that its windows need."""
    return list(_measured(quick))


def _measured(quick: bool) -> Iterator[Row]:
    n = YEARS * 365 * 24
    bars = synthetic_bars(Synthetic(symbols=SYMBOLS, bars=n, missing=MISSING), HOUR_MS)
    for name in SETS["feature"]:
        pipeline = FeaturePipeline(Features(names=(name,)), symbol_names(SYMBOLS), HOUR_MS)
        warm = pipeline.warmup_bars + 100
        state, _ = pipeline.advance(pipeline.initial(), bars.rows(0, warm))
        one = bars.rows(warm, warm + 1)

        carried = sum(array.nbytes for array in state.arrays.values()) / 1024
        case = f"{name}, {len(pipeline.names)} features"
        yield Row(
            f"{case}: {YEARS} years of {SYMBOLS} symbols", median_seconds(partial(_block, pipeline, bars), 1 if quick else 5),
            "s", GOAL_BLOCK_S, at_least=False,
        )  # fmt: skip
        yield Row(
            f"{case}: a live bar", median_seconds(partial(_bars, pipeline, state, one), 9) * 1e3 / REPEATS, "ms",
            GOAL_BAR_MS, at_least=False, note=f"{carried:.0f} KiB carried",
        )  # fmt: skip


def _block(pipeline: FeaturePipeline, bars: BarBlock) -> None:
    pipeline.advance(pipeline.initial(), bars)


def _bars(pipeline: FeaturePipeline, state: FeatureState, one: BarBlock) -> None:
    for _ in range(REPEATS):
        pipeline.advance(state, one)
