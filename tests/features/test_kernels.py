"""Every feature against an independent oracle: numpy windows, two passes, 80-bit floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from bot.blocks import F64, BarBlock, Bool, FeatureBlock
from bot.config.schema import Features
from bot.features import FeaturePipeline
from bot.parts.sets import CORE
from bot.timegrid import HOUR_MS
from tests.features.conftest import random_bars

Load = Callable[..., BarBlock]
Long = npt.NDArray[Any]  # longdouble

CONFIG = Features(names=CORE)
FIRST = CONFIG.names[:10]


def features_of(block: BarBlock, config: Features = CONFIG) -> tuple[FeatureBlock, tuple[str, ...]]:
    pipeline = FeaturePipeline(config, [f"S{s}" for s in range(block.n_symbols)], HOUR_MS)
    return pipeline.advance(pipeline.initial(), block)[1], pipeline.names


def lag(x: Long, k: int) -> Long:
    return np.concatenate([np.full(k, np.nan, dtype=x.dtype), x[:-k]])


def rolling(x: Long, w: int) -> Long:
    """Return [n, w], the window up to each value, NaN where it is not full."""
    padded = np.concatenate([np.full(w - 1, np.nan, dtype=x.dtype), x])
    return sliding_window_view(padded, w)


def mean(x: Long, w: int) -> Long:
    result: Long = rolling(x, w).mean(axis=1)
    return result


def std(x: Long, w: int) -> Long:
    windows = rolling(x, w)
    deviations = windows - windows.mean(axis=1, keepdims=True)
    result: Long = np.sqrt((deviations**2).sum(axis=1) / (w - 1))
    return result


def correlation(x: Long, y: Long, w: int) -> Long:
    a, b = rolling(x, w), rolling(y, w)
    a = a - a.mean(axis=1, keepdims=True)
    b = b - b.mean(axis=1, keepdims=True)
    sizes = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    varies = (std(x, w) >= 1e-12) & (std(y, w) >= 1e-12)
    result: Long = np.where(varies, (a * b).sum(axis=1) / np.where(varies, sizes, 1), np.nan)
    return result


def ewm(x: Long, span: int) -> Long:
    """Weigh the last 40 spans; what is older weighs less than 1e-30."""
    depth = 40 * span
    weights = np.longdouble(1 - 2 / np.longdouble(span + 1)) ** np.arange(depth)[::-1]
    padded = np.concatenate([np.zeros(depth - 1, dtype=x.dtype), x])
    there = np.concatenate([np.zeros(depth - 1), np.ones(len(x))]).astype(x.dtype)
    return np.array(
        [
            (padded[t : t + depth] * weights).sum() / (there[t : t + depth] * weights).sum()
            for t in range(len(x))
        ]
    )


def log_ratio(x: Long, base: Long) -> Long:
    """log of volume over its mean, no less than a thousandth of it; unknown without any volume."""
    fine = base > 0
    return np.where(fine, np.log(np.maximum(x / np.where(fine, base, 1), 1e-3)), np.nan)


def log_change(v: Long) -> Long:
    """log of volume over the bar before, at most a thousandfold; none of none is no change."""
    before, floored = lag(v, 1), np.where(v > 0, v, 1)
    change = np.log(floored / np.where(before > 0, before, 1))
    none, most = (v == 0, before == 0), np.log(np.longdouble(1000))
    change = np.select([none[0] & none[1], none[0], none[1]], [0, -most, most], change)
    return np.where(np.isnan(before), np.nan, np.clip(change, -most, most))


def oracle(block: BarBlock, s: int, mean_return: Long) -> dict[str, Long]:
    """Return each feature of symbol s over its valid bars; `mean_return` is on the grid."""
    bars = block.valid[:, s]
    P, high, low, v = (
        a[bars, s].astype(np.longdouble) for a in (block.close, block.high, block.low, block.volume)
    )
    w = CONFIG.window
    r1 = P / lag(P, 1) - 1
    diff = P - lag(P, 1)
    gain = mean(np.where(np.isnan(diff), np.nan, np.maximum(diff, 0)), w)
    loss = mean(np.where(np.isnan(diff), np.nan, np.maximum(-diff, 0)), w)
    stamp = pd.to_datetime(block.open_time[bars], unit="ms")
    hour, weekday = 2 * np.pi * stamp.hour / 24, 2 * np.pi * stamp.day_of_week / 7
    span = np.where(high > low, high - low, 1)
    return {
        "return_1": r1,
        "return_5": P / lag(P, 5) - 1,
        "return_10": P / lag(P, 10) - 1,
        "sma_ratio": P / mean(P, w),
        "ema_ratio": P / ewm(P, w),
        "volatility": std(r1, w),
        "momentum": P / lag(P, w) - 1,
        "rsi": 100 - 100 / (1 + gain / (loss + 1e-14 * P)),
        "macd": (ewm(P, 12) - ewm(P, 26)) / P,
        "bb_position": (P - mean(P, w)) / (2 * std(P, w) + 1e-14 * P),
        "volume_ratio": log_ratio(v, mean(v, w)),
        "volume_change": log_change(v),
        "range": (high - low) / P,
        "close_location": np.where(high > low, (P - low) / span, 0.5),
        "volatility_medium": std(r1, CONFIG.medium_window),
        "volatility_long": std(r1, CONFIG.long_window),
        "cross_correlation": correlation(r1, mean_return[bars], CONFIG.correlation_window),
        "cross_return": r1 - mean_return[bars],
        "hour_sin": np.sin(hour),
        "hour_cos": np.cos(hour),
        "weekday_sin": np.sin(weekday),
        "weekday_cos": np.cos(weekday),
    }


def cross_section(block: BarBlock) -> Long:
    """Return the mean over symbols of the return since each one's previous valid bar."""
    returns = np.full(block.close.shape, np.nan, dtype=np.longdouble)
    for s in range(block.n_symbols):
        P = block.close[block.valid[:, s], s].astype(np.longdouble)
        returns[block.valid[:, s], s] = P / lag(P, 1) - 1
    known = ~np.isnan(returns)
    total = np.where(known, returns, 0).sum(axis=1)
    result: Long = np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
    return result


def assert_as_the_oracle(block: BarBlock) -> Bool:
    """Compare every feature of every symbol to 1e-9, and return which rows are ready."""
    features, names = features_of(block)
    mean_return = cross_section(block)
    for s in range(block.n_symbols):
        columns = oracle(block, s, mean_return)
        expected = np.column_stack([columns[name] for name in names])
        complete = ~np.isnan(expected).any(axis=1)
        ready = features.ready[:, s]
        np.testing.assert_array_equal(ready[block.valid[:, s]], complete)
        assert not ready[~block.valid[:, s]].any()
        np.testing.assert_allclose(
            features.x[ready, s], expected[complete].astype(np.float64), rtol=0.0, atol=1e-9
        )
    assert np.isnan(features.x[~features.ready]).all()
    return features.ready


def test_hourly_bitcoin_alone(load: Load) -> None:
    block = load(["BTCUSDT"], "1h", 3000)
    assert assert_as_the_oracle(block).sum() == len(block) - CONFIG.long_window


def test_minutes_without_volume(load: Load) -> None:
    block = load(["BNBUSDT"], "1m", 40_000)
    first = int(np.flatnonzero(block.volume[:, 0] == 0)[0])
    block = block.rows(max(first - 1000, 0), first + 1500)
    assert (block.volume == 0).sum() > 0
    ready = assert_as_the_oracle(block)
    assert ready[CONFIG.long_window :].all()


def test_several_symbols_with_missing_bars(load: Load) -> None:
    block = load(["BTCUSDT", "ETHUSDT", "BNBUSDT"], "1h", 2000)
    missing = np.random.default_rng(1).random(block.valid.shape) < 0.03
    block.valid[missing] = False
    block.close[missing] = np.nan
    assert assert_as_the_oracle(block).sum() > 0.8 * block.valid.size


def test_a_price_that_stands_still_then_moves_a_tick() -> None:
    close = np.full((600, 2), 245.35)
    close[100, 0] = 350.0  # a large value must leave nothing behind in the running sums
    close[::7, 1] += 0.01
    close[400:, 0] += np.where(np.arange(200) % 80 == 0, 1e-4, 0.0)
    volume = np.ones_like(close)
    block = BarBlock.of_candles(
        HOUR_MS * np.arange(600), close, close * 1.001, close * 0.999, close, volume
    )
    ready = assert_as_the_oracle(block)
    assert not ready[300:400, 0].any()  # the correlation of what does not vary is not known
    assert ready[500:, 1].all()


def test_pandas_agrees_to_a_millionth(load: Load) -> None:
    block = load(["BTCUSDT", "BNBUSDT"], "1h", 20_000)
    block = block.rows(60, len(block))  # before, the fixtures' BNB is not listed yet
    features, names = features_of(block)
    P, v = pd.Series(block.close[:, 0]), pd.Series(block.volume[:, 0])
    r1, diff, w = P.pct_change(), P.diff(), CONFIG.window
    gain = diff.clip(lower=0).rolling(w).mean()
    loss = (-diff).clip(lower=0).rolling(w).mean()
    middle = (r1 + pd.Series(block.close[:, 1]).pct_change()) / 2
    expected: dict[str, Any] = {
        "return_5": P.pct_change(5),
        "sma_ratio": P / P.rolling(w).mean(),
        "ema_ratio": P / P.ewm(span=w).mean(),
        "volatility": r1.rolling(w).std(),
        "rsi": 100 - 100 / (1 + gain / (loss + 1e-10)),
        "macd": (P.ewm(span=12).mean() - P.ewm(span=26).mean()) / P,
        "bb_position": (P - P.rolling(w).mean()) / (2 * P.rolling(w).std() + 1e-10),
        "volume_ratio": np.log(v / v.rolling(w).mean()),
        "volatility_medium": r1.rolling(CONFIG.medium_window).std(),
        "volatility_long": r1.rolling(CONFIG.long_window).std(),
        "cross_correlation": r1.rolling(CONFIG.correlation_window).corr(middle),
    }
    ready = features.ready[:, 0]
    assert ready.sum() == len(block) - CONFIG.long_window
    for name, series in expected.items():
        got: F64 = features.x[ready, 0, names.index(name)]
        np.testing.assert_allclose(got, series.to_numpy()[ready], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("missing", [0, 4])
def test_the_core_set_is_ready_at_a_symbols_21st_bar(random_market: Load, missing: int) -> None:
    block = random_market(60, 1, seed=2)
    block.valid[5 : 5 + missing] = False
    features, _ = features_of(block, Features(names=FIRST))
    assert np.flatnonzero(features.ready[:, 0])[0] == 20 + missing


def priced(block: BarBlock, factor: float) -> BarBlock:
    """Return the bars with every price in another unit."""
    return BarBlock.of_candles(
        block.open_time, block.open * factor, block.high * factor, block.low * factor,
        block.close * factor, block.volume, valid=block.valid, in_session=block.in_session,
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.integers(-60, 60), st.integers(0, 99))
def test_a_price_in_another_unit_has_the_same_features(k: int, seed: int) -> None:
    """Powers of two change no bit, so no feature can look at the size of a price."""
    block = random_bars(200, 2, seed, missing=0.02)
    features, _ = features_of(block)
    scaled, _ = features_of(priced(block, 2.0**k))
    np.testing.assert_array_equal(scaled.x, features.x)
    assert features.ready[190:].any()


@pytest.mark.parametrize("factor", [1e-9, 1e-7, 3e-5, 0.7, 12.0, 1e6])
def test_a_coin_of_a_ten_millionth_has_the_features_of_one_of_a_hundred(factor: float) -> None:
    block = random_bars(300, 2, seed=4)
    features, _ = features_of(block)
    scaled, _ = features_of(priced(block, factor))
    np.testing.assert_array_equal(scaled.ready, features.ready)
    np.testing.assert_allclose(scaled.x, features.x, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("price", [25.0, 400.0, 3e3, 6e4, 1e5])
def test_at_ordinary_prices_the_documents_formula_holds_to_a_millionth(price: float) -> None:
    """The document's 1e-10 in a denominator, at hourly deviations from 0.1 to 2 percent."""
    for deviation in (0.001, 0.005, 0.02):
        steps = np.random.default_rng(8).normal(0.0, deviation, 500)
        close = (price * np.exp(np.cumsum(steps)))[:, None]
        block = BarBlock.of_candles(
            HOUR_MS * np.arange(500), close, close, close, close, np.ones_like(close)
        )
        features, _ = features_of(block, Features(names=("rsi", "bb_position")))
        P, w = close[:, 0].astype(np.longdouble), CONFIG.window
        diff = P - lag(P, 1)
        rise = np.where(np.isnan(diff), np.nan, np.maximum(diff, 0))
        gain, loss = mean(rise, w), mean(rise - diff, w)
        expected = np.column_stack(
            [
                100 - 100 / (1 + gain / (loss + 1e-10)),
                (P - mean(P, w)) / (2 * std(P, w) + 1e-10),
            ]
        )
        np.testing.assert_allclose(
            features.x[w:, 0], expected[w:].astype(np.float64), rtol=0.0, atol=1e-6
        )


def test_a_window_that_only_rises_falls_or_stands_has_the_limits_of_rsi() -> None:
    for step, limit in ((1.0, 100.0), (-1.0, 0.0), (0.0, 0.0)):
        for unit in (1e-7, 1.0, 1e5):
            close = unit * (1000.0 + step * np.arange(60.0))[:, None]
            block = BarBlock.of_candles(
                HOUR_MS * np.arange(60), close, close, close, close, np.ones_like(close)
            )
            features, _ = features_of(block, Features(names=("rsi", "bb_position")))
            assert features.ready[CONFIG.window :].all()
            np.testing.assert_allclose(features.x[CONFIG.window :, 0, 0], limit, atol=1e-6)
            if step == 0.0:
                assert (features.x[CONFIG.window :, 0, 1] == 0.0).all()


def test_a_bar_without_trades_costs_no_row() -> None:
    block = random_bars(300, 1, seed=6)
    block.volume[:] = 10.0
    block.volume[200] = 0.0
    block.volume[210:212] = 0.0
    block.volume[220] = 1e-9
    features, names = features_of(block)
    assert features.ready[CONFIG.long_window :].all()
    ratio = features.x[:, 0, names.index("volume_ratio")]
    change = features.x[:, 0, names.index("volume_change")]
    least = np.log(1e-3)
    np.testing.assert_allclose(ratio[[199, 200, 210, 220]], [0.0, least, least, least], atol=1e-12)
    np.testing.assert_allclose(
        change[[199, 200, 201, 210, 211, 212, 220, 221]],
        [0.0, least, -least, least, 0.0, -least, least, -least], atol=1e-12,
    )  # fmt: skip


def test_without_any_volume_no_row_is_ready() -> None:
    block = random_bars(300, 1, seed=6)
    block.volume[:] = 0.0
    assert not features_of(block)[0].ready.any()
    assert features_of(block, Features(names=FIRST))[0].ready[CONFIG.window :].all()
