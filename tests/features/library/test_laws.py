"""Laws of every feature to choose from: any partition, no look-ahead, first ready when it says so.

They are all that are entered in the registry, so a new one is held to these by being there.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.parts.market import SYMBOLS
from bot.blocks import F64, BarBlock
from bot.config.schema import Features
from bot.features.pipeline import FeaturePipeline, FeatureState
from bot.parts.registry import parts
from bot.parts.sets import CORE
from bot.timegrid import HOUR_MS
from tests.features.library.conftest import market_of

INTERVAL_MS = 2 * HOUR_MS
NAMES = tuple(name for name, part in parts("feature").items() if part.is_shipped)
FURTHER = [name for name in NAMES if name not in CORE]
PIPELINE = FeaturePipeline(Features(names=NAMES), SYMBOLS, INTERVAL_MS)
BARS = market_of(PIPELINE.warmup_bars + 120, INTERVAL_MS)
N = len(BARS)


def advance(bars: BarBlock, cuts: list[int]) -> tuple[FeatureState, F64]:
    state, rows = PIPELINE.initial(), []
    for start, stop in pairwise([0, *sorted(cuts), len(bars)]):
        state, block = PIPELINE.advance(state, bars.rows(start, stop))
        rows.append(block.x)
    return state, np.concatenate(rows)


WHOLE = advance(BARS, [])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, N), max_size=30), st.integers(0, N), st.integers(0, 40))
def test_any_partition_gives_the_same_bits(cuts: list[int], first: int, singles: int) -> None:
    one_by_one = [bar for bar in range(first, first + singles) if bar <= N]
    state, x = advance(BARS, [*cuts, *one_by_one])
    assert x.tobytes() == WHOLE[1].tobytes()
    for name, array in state.arrays.items():
        assert array.tobytes() == WHOLE[0].arrays[name].tobytes(), name
    assert np.isfinite(x).any()


@settings(max_examples=20, deadline=None)
@given(after=st.integers(PIPELINE.warmup_bars, N - 1), how=st.sampled_from(["other", "none"]))
def test_the_past_does_not_know_the_future(after: int, how: str) -> None:
    other = market_of(N + 50, INTERVAL_MS).rows(50, N + 50)
    future = np.arange(N)[:, None] > after
    changed = {
        name: np.where(
            future, np.nan if how == "none" else getattr(other, name), getattr(BARS, name)
        )
        for name in ("open", "high", "low", "close", "volume", "turnover", "mark", "funding_rate")
    }
    valid = np.where(future, other.valid if how == "other" else False, BARS.valid)
    _, x = advance(replace(BARS, **changed, valid=valid), [])
    assert x[: after + 1].tobytes() == WHOLE[1][: after + 1].tobytes()


@pytest.mark.parametrize("name", FURTHER)
def test_it_is_first_ready_when_its_window_is_full(name: str) -> None:
    whole = replace(
        BARS, valid=np.ones_like(BARS.valid),
        **{
            column: np.where(BARS.valid, getattr(BARS, column), np.nanmean(getattr(BARS, column)))
            for column in ("open", "high", "low", "close", "volume")
        },
    )  # fmt: skip
    pipeline = FeaturePipeline(Features(names=(name,)), SYMBOLS, INTERVAL_MS)
    ready = pipeline.advance(pipeline.initial(), whole)[1].ready
    assert not ready[: pipeline.warmup_bars - 1].any()
    assert ready[pipeline.warmup_bars - 1 :].all()


@pytest.mark.parametrize("price", [1e300, 1e-300, 1e9])
@pytest.mark.parametrize("volume", [0.0, 1e308])
def test_a_wild_bar_is_forgotten_and_meanwhile_has_numbers(price: float, volume: float) -> None:
    pipeline = FeaturePipeline(Features(names=tuple(FURTHER)), SYMBOLS, INTERVAL_MS)
    at, wild = 30, {name: getattr(BARS, name).copy() for name in ("open", "high", "low", "close")}
    for array in wild.values():
        array[at, 0] = price
    traded = BARS.volume.copy()
    traded[at, 0] = volume
    bars = replace(BARS, **wild, volume=traded)
    x, y = (pipeline.advance(pipeline.initial(), b)[1].x for b in (BARS, bars))
    since = at + pipeline.warmup_bars + 60  # bars are missing, and windows count a symbol's own
    np.testing.assert_allclose(y[since:], x[since:], rtol=1e-9, atol=1e-9)
    assert np.isfinite(y[since:]).any()
