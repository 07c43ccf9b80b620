"""A wild value is forgotten as soon as it has left the windows, whatever it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import BarBlock, Task
from bot.config.schema import Features
from bot.features import FeaturePipeline
from bot.features.targets import compute_targets
from bot.parts.sets import CORE
from bot.timegrid import HOUR_MS
from tests.features.conftest import random_bars

CONFIG = Features(names=CORE, medium_window=37, long_window=90, correlation_window=60)
AVERAGES = ("ema_ratio", "macd")
AT, N = 150, 700
SETTLED = AT + 90 + 2
"""The wild bar makes two wild returns, and the longest window is of 90."""
FORGOTTEN = AT + 480
"""An exponential average of 26 bars keeps 1e-16 of a value after so many."""


def features_of(bars: BarBlock, rows: int = N) -> tuple[np.ndarray, tuple[str, ...]]:
    pipeline = FeaturePipeline(CONFIG, ["A", "B"], HOUR_MS)
    state, parts = pipeline.initial(), []
    for at in range(0, N, rows):
        state, block = pipeline.advance(state, bars.rows(at, at + rows))
        parts.append(block.x)
    return np.concatenate(parts), pipeline.names


def with_value(bars: BarBlock, price: float, volume: float, last: int = AT) -> BarBlock:
    wild = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close", "volume")}
    for name in ("open", "high", "low", "close"):
        wild[name][AT : last + 1, 0] = price
    wild["volume"][AT, 0] = volume
    return replace(bars, **wild)


def assert_forgotten(clean: BarBlock, wild: BarBlock, names_from: int) -> None:
    x, names = features_of(clean)
    y, _ = features_of(wild)
    window = [k for k, name in enumerate(names) if name not in AVERAGES]
    for of, since in ((window, SETTLED), (range(len(names)), names_from)):
        np.testing.assert_allclose(
            y[since:][:, :, of], x[since:][:, :, of], rtol=1e-9, atol=1e-9, err_msg=str(names)
        )
    assert features_of(wild, 7)[0].tobytes() == y.tobytes()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), factor=st.floats(-3.0, 3.0), traded=st.floats(0.0, 300.0))
def test_within_bounds_nothing_of_it_is_left(seed: int, factor: float, traded: float) -> None:
    clean = random_bars(N, 2, seed)
    price = float(clean.close[AT, 0]) * 10.0**factor
    assert_forgotten(clean, with_value(clean, price, 10.0**traded), FORGOTTEN)


@pytest.mark.parametrize("volume", [1e308, 1e200, 1e12])
def test_labels_forget_too_and_are_never_infinite(volume: float) -> None:
    tasks = [Task(kind, 5) for kind in ("return", "direction", "volatility", "volume")]
    clean = random_bars(N, 2, 5)
    wild = with_value(with_value(clean, 1e300, volume), float(clean.close[AT, 0]), volume)
    wild.volume[AT + 2, 0] = volume  # the sum of the two may be more than a number holds
    y, x = (compute_targets(bars, tasks, 20)[0] for bars in (wild, clean))
    assert not np.isinf(y).any()
    for part in (slice(0, AT - 5), slice(AT + 22, N)):
        np.testing.assert_allclose(y[part], x[part], rtol=1e-9)


@pytest.mark.parametrize("price", [1e308, 1e200, 1e12, 1e-12, 1e-200, 1e-308])
@pytest.mark.parametrize("bars", [1, 30])
def test_beyond_all_bounds_the_averages_begin_anew(price: float, bars: int) -> None:
    """They agree with averages that began there, which is soon with those of all time."""
    clean = random_bars(N, 2, 5)
    wild = with_value(clean, price, 1.0, AT + bars - 1)
    y, names = features_of(wild)
    window = [k for k, name in enumerate(names) if name not in AVERAGES]
    settled = SETTLED + bars
    x = features_of(clean)[0]
    np.testing.assert_allclose(
        y[settled:][:, :, window], x[settled:][:, :, window], rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(y[FORGOTTEN + bars :], x[FORGOTTEN + bars :], rtol=1e-9, atol=1e-9)
    assert np.isfinite(y[settled:]).all()
