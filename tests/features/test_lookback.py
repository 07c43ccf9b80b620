"""Windows of a symbol's last ready bars: those of a plain loop, however the bars are cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import Windows
from bot.config import load_config
from bot.config.schema import Features
from bot.features.lookback import advance_windows, nothing_seen
from bot.features.pipeline import FeaturePipeline
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import HOUR_MS

N, S, F = 40, 3, 2


Found = dict[tuple[int, int], list[list[float]]]


def windows_in(windows: Windows, first: int = 0) -> Found:
    """Return the windows by (bar, symbol), as lists of rows."""
    return {
        (int(i) + first, int(s)): windows.rows[
            windows.last[i, s] - windows.lookback + 1 : windows.last[i, s] + 1
        ].tolist()
        for i, s in np.argwhere(windows.last >= 0)
    }


@given(
    lookback=st.integers(2, 9),
    share=st.sampled_from([0.0, 0.3, 0.8, 1.0]),
    cuts=st.lists(st.integers(0, N), max_size=8),
    seed=st.integers(0, 2**31),
)
def test_windows_are_those_of_a_plain_loop(
    lookback: int, share: float, cuts: list[int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    x, ready = random.normal(size=(N, S, F)), random.random((N, S)) < share
    expected = {}
    for s in range(S):
        seen: list[list[float]] = []
        for i in np.flatnonzero(ready[:, s]):
            seen.append(x[i, s].tolist())
            if len(seen) >= lookback:
                expected[int(i), s] = seen[-lookback:]
    carried, count = nothing_seen(S, lookback, F)
    found: Found = {}
    for a, b in pairwise([0, *sorted(cuts), N]):
        found |= windows_in(advance_windows(carried, count, x[a:b], ready[a:b]), a)
    assert found == expected
    assert count.tolist() == np.minimum(ready.sum(axis=0), lookback - 1).tolist()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_pipeline_carries_them_and_changes_no_state_it_was_given(size: int) -> None:
    config = load_config(
        None, ["synthetic.symbols=2", "synthetic.bars=100", "synthetic.missing=0.1"], {}
    )
    bars = synthetic_bars(config.synthetic, HOUR_MS)
    few = Features(names=("return_1", "rsi"))
    pipeline = FeaturePipeline(few, ["A", "B"], HOUR_MS, lookback=5)
    plain = FeaturePipeline(few, ["A", "B"], HOUR_MS)
    assert plain.advance(plain.initial(), bars)[1].windows is None
    assert set(pipeline.initial().arrays) - set(plain.initial().arrays) == {
        "window_rows", "window_count",
    }  # fmt: skip
    state, whole = pipeline.advance(pipeline.initial(), bars)
    assert whole.windows is not None
    np.testing.assert_array_equal(whole.x, plain.advance(plain.initial(), bars)[1].x)
    found: Found = {}
    again = pipeline.initial()
    for start in range(0, 100, size):
        before = {name: array.tobytes() for name, array in again.arrays.items()}
        following, part = pipeline.advance(again, bars.rows(start, min(start + size, 100)))
        assert before == {name: array.tobytes() for name, array in again.arrays.items()}
        assert part.windows is not None
        found |= windows_in(part.windows, start)
        again = following
    assert found == windows_in(whole.windows)
    for name, array in state.arrays.items():
        assert array.tobytes() == again.arrays[name].tobytes(), name
    np.testing.assert_array_equal(whole.windows.bars(10, 20).last, whole.windows.last[10:20])
