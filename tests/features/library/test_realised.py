"""Realised volatilities against pandas; where nothing finer is known they are those of the ranges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.parts.market import SYMBOLS
from bot.blocks import F64, BarBlock
from bot.config.schema import Features
from bot.features.library.nested_windows import WINDOWS
from bot.features.library.realised import GROUP
from bot.features.pipeline import FeaturePipeline
from bot.timegrid import HOUR_MS
from tests.features.library.conftest import Compute, market_of


def with_realised(n: int, known: float = 0.8, seed: int = 3) -> BarBlock:
    bars, rng = market_of(n, HOUR_MS), np.random.default_rng(seed)
    variance = rng.exponential(1e-5, bars.close.shape)
    variance[rng.random(variance.shape) > known] = np.nan
    return replace(bars, realised_variance=variance)


def test_they_are_what_pandas_says(compute: Compute) -> None:
    bars = with_realised(800)
    found = compute(bars, GROUP.names, HOUR_MS)
    for s in range(bars.n_symbols):
        own = bars.valid[:, s]
        by_range = np.log(bars.high[own, s] / bars.low[own, s]) ** 2 / (4 * np.log(2))
        realised = pd.Series(bars.realised_variance[own, s])
        variance = realised.fillna(pd.Series(by_range))
        for window in WINDOWS:
            expected = 0.5 * np.log(variance.rolling(window).mean())
            np.testing.assert_allclose(
                found[f"log_realised_{window}"][own, s], expected, rtol=1e-9, err_msg=str(window)
            )
        assert np.isfinite(found["log_realised_720"][own, s]).any()


def test_without_shorter_candles_they_are_the_ranges(compute: Compute) -> None:
    bars = market_of(100, HOUR_MS)
    names = ["log_realised_24", "log_range_24"]
    found = compute(bars, names, HOUR_MS)
    np.testing.assert_allclose(found[names[0]], found[names[1]], rtol=1e-12)


@settings(deadline=None, max_examples=20)
@given(cuts=st.lists(st.integers(1, 59), max_size=5), after=st.integers(0, 58))
def test_any_cuts_give_the_same_and_the_future_changes_nothing(cuts: list[int], after: int) -> None:
    bars = with_realised(60)
    pipeline = FeaturePipeline(Features(names=tuple(GROUP.names)), SYMBOLS, HOUR_MS)

    def computed(block: BarBlock, edges: list[int]) -> F64:
        state, rows = pipeline.initial(), []
        for a, b in zip([0, *edges], [*edges, len(block)], strict=True):
            state, made = pipeline.advance(state, block.rows(a, b))
            rows.append(made.x)
        return np.concatenate(rows)

    whole = computed(bars, [])
    assert computed(bars, sorted(set(cuts))).tobytes() == whole.tobytes()
    later = np.array(bars.realised_variance)
    later[after + 1 :] *= 7.0
    changed = computed(replace(bars, realised_variance=later), [])
    assert changed[: after + 1].tobytes() == whole[: after + 1].tobytes()
    heard = np.isfinite(later[after + 1 :]) & bars.valid[after + 1 :]
    assert (changed[after + 1 :, :, 0] != whole[after + 1 :, :, 0])[heard].all()


@pytest.mark.parametrize("name", GROUP.names)
def test_they_are_opt_in(name: str) -> None:
    assert name not in FeaturePipeline(Features(), SYMBOLS, HOUR_MS).names
