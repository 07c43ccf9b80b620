"""The pipeline: any partition gives the same bits, the past is closed, inputs stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.blocks import BarBlock, FeatureBlock
from bot.config.schema import Features
from bot.errors import DataError
from bot.features import FeaturePipeline, FeatureState
from bot.parts.sets import CORE
from bot.timegrid import HOUR_MS

Load = Callable[..., BarBlock]
BARS = 120
SMALL = Features(names=CORE, window=5, medium_window=7, long_window=13, correlation_window=16)
PIPELINE = FeaturePipeline(SMALL, ["A", "B", "C"], HOUR_MS)
shared_fixture = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)


def advance_in(block: BarBlock, cuts: Sequence[int]) -> tuple[FeatureState, FeatureBlock]:
    state, parts = PIPELINE.initial(), []
    edges = [0, *sorted(cuts), len(block)]
    for start, stop in pairwise(edges):
        state, part = PIPELINE.advance(state, block.rows(start, stop))
        parts.append(part)
    x, ready = np.concatenate([p.x for p in parts]), np.concatenate([p.ready for p in parts])
    return state, FeatureBlock(x, ready)


def assert_same(a: tuple[FeatureState, FeatureBlock], b: tuple[FeatureState, FeatureBlock]) -> None:
    np.testing.assert_array_equal(a[1].ready, b[1].ready)
    np.testing.assert_array_equal(a[1].x.view(np.int64), b[1].x.view(np.int64))
    for name, array in a[0].arrays.items():
        assert array.tobytes() == b[0].arrays[name].tobytes(), name


@shared_fixture
@given(
    seed=st.integers(0, 10**6),
    missing=st.sampled_from([0.0, 0.05, 0.4]),
    cuts=st.lists(st.integers(0, BARS), max_size=20),
)
def test_any_partition_gives_the_same_bits(
    random_market: Load, seed: int, missing: float, cuts: list[int]
) -> None:
    block = random_market(BARS, 3, seed, missing)
    whole = advance_in(block, [])
    assert_same(whole, advance_in(block, cuts))
    assert whole[1].ready.any() or missing > 0.1


def test_single_bars_give_the_same_bits(random_market: Load) -> None:
    block = random_market(BARS, 3, seed=8, missing=0.05)
    assert_same(advance_in(block, []), advance_in(block, range(1, BARS)))


def test_real_candles_bar_by_bar(load: Load) -> None:
    block = load(["BTCUSDT", "ETHUSDT", "BNBUSDT"], "1h", 700)
    assert_same(advance_in(block, []), advance_in(block, range(1, 700)))


@shared_fixture
@given(seed=st.integers(0, 10**6), cut=st.integers(1, BARS - 1))
def test_the_future_changes_nothing(random_market: Load, seed: int, cut: int) -> None:
    block = random_market(BARS, 3, seed, missing=0.05)
    before = advance_in(block, [])[1]
    for array in (block.open, block.high, block.low, block.close, block.volume):
        array[cut:] = np.nan
    block.valid[cut:] = seed % 2 == 0
    after = advance_in(block, [])[1]
    np.testing.assert_array_equal(before.x[:cut], after.x[:cut])
    np.testing.assert_array_equal(before.ready[:cut], after.ready[:cut])


def test_the_state_that_is_given_stays_as_it_is(random_market: Load) -> None:
    block = random_market(BARS, 3, seed=5)
    state, _ = PIPELINE.advance(PIPELINE.initial(), block.rows(0, 50))
    kept = {name: array.tobytes() for name, array in state.arrays.items()}
    first = PIPELINE.advance(state, block.rows(50, BARS))
    assert kept == {name: array.tobytes() for name, array in state.arrays.items()}
    assert_same(first, PIPELINE.advance(state, block.rows(50, BARS)))


def test_a_missing_bar_leaves_its_symbol_untouched(random_market: Load) -> None:
    block = random_market(BARS, 3, seed=6)
    block.valid[60, 1] = False
    before, _ = PIPELINE.advance(PIPELINE.initial(), block.rows(0, 60))
    after, features = PIPELINE.advance(before, block.rows(60, 61))
    for name, array in before.arrays.items():
        np.testing.assert_array_equal(array[1], after.arrays[name][1])
        assert not np.array_equal(array[0], after.arrays[name][0])
    assert features.ready.tolist() == [[True, False, True]] or block.volume[60].min() == 0
    assert np.isnan(features.x[0, 1]).all()


def test_a_selection_gives_the_columns_of_the_whole(random_market: Load) -> None:
    block = random_market(BARS, 3, seed=7)
    block.volume[:] = 2.0
    few = FeaturePipeline(SMALL.model_copy(update={"names": ("rsi", "macd")}), ["A"] * 3, HOUR_MS)
    whole = advance_in(block, [])[1]
    part = few.advance(few.initial(), block)[1]
    columns = [PIPELINE.names.index("rsi"), PIPELINE.names.index("macd")]
    assert few.names == ("rsi", "macd")
    np.testing.assert_array_equal(part.x[whole.ready], whole.x[whole.ready][:, columns])


def test_the_arrays_of_a_state_keep_shape_and_type(random_market: Load) -> None:
    start = PIPELINE.initial()
    end, _ = PIPELINE.advance(start, random_market(BARS, 3, seed=1))
    for name, array in start.arrays.items():
        later = end.arrays[name]
        assert (array.shape, array.dtype) == (later.shape, later.dtype)
        assert array.flags.c_contiguous
        assert later.flags.c_contiguous


def test_blocks_that_are_views_or_read_only_or_empty(random_market: Load) -> None:
    block = random_market(BARS, 3, seed=4)
    expected = advance_in(block, [])
    for array in (block.close, block.high, block.valid, block.open_time):
        array.flags.writeable = False
    assert_same(expected, advance_in(block, [0, 30, 30]))


def test_a_block_of_other_symbols_is_refused(random_market: Load) -> None:
    with pytest.raises(DataError, match=r"2 symbols.*features of 3.*market\.symbols"):
        PIPELINE.advance(PIPELINE.initial(), random_market(10, 2, seed=1))
