"""Thinned series keep what the eye looks for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bot.blocks import F64
from bot.report.page.downsample import bucket_means, quantile_bins, thinned

SERIES = arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e6, 1e6))


@given(SERIES, st.integers(4, 60))
def test_ends_and_extremes_survive(values: F64, most: int) -> None:
    at = thinned(values, most)
    assert len(at) <= most
    assert np.all(np.diff(at) > 0)
    assert at[0] == 0
    assert at[-1] == len(values) - 1
    assert values[at].max() == values.max()
    assert values[at].min() == values.min()


@given(SERIES, st.integers(1, 50))
def test_bucket_means_are_means_of_equal_stretches(values: F64, most: int) -> None:
    got = bucket_means(values[:, None], most)[:, 0]
    edges = np.linspace(0, len(values), len(got) + 1).astype(int)
    expected = [values[a:b].mean() for a, b in pairwise(edges)]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_bins_are_equally_full_and_in_order() -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal(1000)
    mean_x, mean_y, deviation, count = quantile_bins(x, 2.0 * x)
    assert count.tolist() == [100] * 10
    assert np.all(np.diff(mean_x) > 0)
    np.testing.assert_allclose(mean_y, 2.0 * mean_x)
    assert deviation[0] > 0


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=60), st.integers(0, 2**32 - 1))
def test_bins_are_those_of_a_stable_sort(values: list[int], seed: int) -> None:
    x = np.array(values, dtype=np.float64)
    y = np.random.default_rng(seed).standard_normal(len(x))
    parts = [p for p in np.array_split(np.argsort(x, kind="stable"), 10) if len(p) > 1]
    mean_x, mean_y, deviation, count = quantile_bins(x, y)
    assert count.tolist() == [len(p) for p in parts]
    assert mean_x.tolist() == [x[p].mean() for p in parts]
    assert mean_y.tolist() == [y[p].mean() for p in parts]
    assert deviation.tolist() == [y[p].std(ddof=1) for p in parts]
