"""The measured correlation against pandas' own moving averages, and where markets are odd."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import F64, BarBlock
from bot.portfolio.correlation import (
    CLOSE,
    correlation_between,
    decay_of,
    measured,
    measured_deviation,
    width_of,
)
from bot.timegrid import HOUR_MS

SPAN = 40


def begun(n_symbols: int) -> F64:
    return np.eye(n_symbols, width_of(n_symbols))


def bars_of_closes(close: F64) -> BarBlock:
    times = HOUR_MS * np.arange(len(close), dtype=np.int64)
    return BarBlock.of_candles(times, close, close, close, close, np.ones_like(close))


def walks(seed: int, n: int = 600, gaps: float = 0.0) -> F64:
    """Return the closes of three symbols, of which the first two move together."""
    rng = np.random.default_rng(seed)
    own = rng.standard_t(4, (n, 3))
    own[:, 1] = 0.8 * own[:, 0] + 0.6 * own[:, 1]
    close: F64 = 50.0 * np.exp(np.cumsum(own * [0.003, 0.01, 0.005], axis=0))
    return np.where(rng.random((n, 3)) < gaps, np.nan, close)


def matrix_of(carried: F64) -> F64:
    n = len(carried)
    return np.array([[correlation_between(carried, s, t) for t in range(n)] for s in range(n)])


def by_pandas(close: F64) -> tuple[F64, F64]:
    """Return the last correlation matrix and deviations, all from whole columns."""
    n, S = close.shape
    z, deviation = np.zeros((n, S)), np.zeros(S)
    for s in range(S):
        seen = pd.Series(close[:, s]).dropna()
        change = seen.pct_change().dropna()
        mean = (change**2).ewm(span=SPAN, adjust=True).mean()
        decay = 1.0 - 2.0 / (SPAN + 1.0)
        mass = (1.0 - decay ** np.arange(1, len(change) + 1)) / (1.0 - decay)
        known = np.concatenate([[False], (mass >= 5.0)[:-1]])
        scaled = (change / np.sqrt(mean.shift(1))).where(known, 0.0)
        z[change.index, s] = scaled.clip(-10.0, 10.0)
        deviation[s] = np.sqrt(mean.iloc[-1])
    first = np.eye(S)
    products = np.stack([first, *(np.outer(row, row) for row in z)]).reshape(n + 1, -1)
    last = pd.DataFrame(products).ewm(span=SPAN, adjust=False).mean().iloc[-1].to_numpy()
    q = last.reshape(S, S)
    scale = np.sqrt(np.diag(q))
    return q / np.outer(scale, scale), deviation


@pytest.mark.parametrize("gaps", [0.0, 0.15])
def test_it_is_what_pandas_says(gaps: float) -> None:
    close = walks(1, gaps=gaps)
    carried = measured(begun(3), bars_of_closes(close), decay_of(SPAN))
    expected, deviation = by_pandas(close)
    np.testing.assert_allclose(matrix_of(carried), expected, rtol=1e-10, atol=1e-13)
    found = [measured_deviation(carried, s) for s in range(3)]
    np.testing.assert_allclose(found, deviation, rtol=1e-10)
    assert gaps > 0.0 or 0.6 < expected[0, 1] < 0.95
    assert abs(expected[0, 2]) < 0.5


def test_few_bars_and_a_leap_are_what_pandas_says() -> None:
    """Of the first five returns none is standardised, and a leap counts as ten deviations."""
    close = walks(1, 30)
    close[25:, 0] *= 1.5
    close[26:, 1] *= 0.5
    expected, deviation = by_pandas(close)
    for scale in (1.0, 1e-4):  # a price below one is a price
        carried = measured(begun(3), bars_of_closes(scale * close), decay_of(SPAN))
        np.testing.assert_allclose(matrix_of(carried), expected, rtol=1e-9, atol=1e-12)
        found = [measured_deviation(carried, s) for s in range(3)]
        np.testing.assert_allclose(found, deviation, rtol=1e-9)


def test_what_is_not_known_is_nothing() -> None:
    assert width_of(3) == 7
    assert measured_deviation(begun(2), 0) == 0.0
    one = measured(begun(1), bars_of_closes(np.array([[100.0], [103.0]])), decay_of(SPAN))
    assert measured_deviation(one, 0) == pytest.approx(0.03, rel=1e-12)
    still = np.zeros((2, width_of(2)))  # moved so long ago that nothing is left of it
    assert correlation_between(still, 0, 1) == 0.0
    assert correlation_between(still, 1, 1) == 1.0


@given(seed=st.integers(0, 50), cuts=st.lists(st.integers(1, 199), max_size=20))
def test_any_partition_gives_the_same_bits(seed: int, cuts: Sequence[int]) -> None:
    bars = bars_of_closes(walks(seed, 200, gaps=0.1))
    whole = measured(begun(3), bars, decay_of(SPAN))
    carried = begun(3)
    for a, b in itertools.pairwise(sorted({0, *cuts, 200})):
        carried = measured(carried, bars.rows(a, b), decay_of(SPAN))
    assert carried.tobytes() == whole.tobytes()


@given(seed=st.integers(0, 200), share=st.floats(0.0, 0.95))
def test_it_is_never_indefinite_whatever_is_missing(seed: int, share: float) -> None:
    """Averages over the bars that each pair has in common would be."""
    close = walks(seed, 120, gaps=share)
    found = matrix_of(measured(begun(3), bars_of_closes(close), decay_of(20)))
    assert np.linalg.eigvalsh(found).min() >= -1e-12
    assert np.abs(found).max() <= 1.0 + 1e-12


def test_little_is_believed_of_few_bars() -> None:
    """Two symbols that are the same: 0 at first, towards 1 with the bars."""
    close = np.repeat(walks(3, 3000)[:, :1], 2, axis=1)
    found = [
        correlation_between(measured(begun(2), bars_of_closes(close[:n]), decay_of(720)), 0, 1)
        for n in (1, 50, 720, 3000)
    ]
    assert found[0] == 0.0
    assert found == sorted(found)
    assert 0.01 < found[1] < 0.4
    assert found[3] > 0.99


def test_a_price_that_stands_still_or_leaps_is_survived() -> None:
    still = np.column_stack([np.full(3000, 100.0), walks(4, 3000)[:, 0]])
    still[2990:, 0] *= 1.5
    carried = begun(2)
    for n in (2990, 2995, 3000):
        carried = measured(begun(2), bars_of_closes(still[:n]), decay_of(20))
        assert np.isfinite(carried).all()
        assert abs(correlation_between(carried, 0, 1)) <= 1.0
    assert carried[0, 2 + CLOSE] == 150.0
