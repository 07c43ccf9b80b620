"""The synthetic market: its law, its planted signal, and the same bars in any order."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from bot.blocks import F64, BarBlock
from bot.config.schema import Synthetic
from bot.practice import synthetic_kernel as law
from bot.practice.synthetic import SyntheticMarket, symbol_names, synthetic_bars
from bot.timegrid import DAY_MS, HOUR_MS, MINUTE_MS

LONG = 60_000


def returns_of(bars: BarBlock) -> F64:
    return bars.close[1:] / bars.close[:-1] - 1.0


def correlation(a: F64, b: F64) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def ranks(a: F64) -> F64:
    return np.argsort(np.argsort(a.ravel())).astype(np.float64)


def assert_same(a: BarBlock, b: BarBlock) -> None:
    for field in fields(BarBlock):
        assert_array_equal(getattr(a, field.name), getattr(b, field.name), err_msg=field.name)


@pytest.fixture(scope="module")
def unsignalled() -> BarBlock:
    return synthetic_bars(Synthetic(bars=LONG, signal_strength=0.0), HOUR_MS)


def test_the_block_is_what_the_spec_asks_for() -> None:
    bars = synthetic_bars(Synthetic(symbols=3, bars=500), HOUR_MS)
    assert bars.close.shape == (500, 3)
    assert symbol_names(3) == ("SYN0USDT", "SYN1USDT", "SYN2USDT")
    assert bars.open_time[0] == 1_672_531_200_000
    assert set(np.diff(bars.open_time)) == {HOUR_MS}
    assert bars.valid.all()


@given(
    first=st.integers(0, 2_000),
    cuts=st.lists(st.integers(1, 400), min_size=1, max_size=5),
    backwards=st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_any_partition_gives_the_same_bars(first: int, cuts: list[int], backwards: bool) -> None:
    spec = Synthetic(symbols=128, bars=100, missing=0.1)
    whole = SyntheticMarket(spec, HOUR_MS).block(first, sum(cuts))
    market = SyntheticMarket(spec, HOUR_MS, cache_bars=0)
    starts = [first + sum(cuts[:i]) for i in range(len(cuts))]
    pieces = list(zip(starts, cuts, strict=True))
    made = [market.block(*piece) for piece in (reversed(pieces) if backwards else pieces)]
    assert_same(whole, BarBlock.concat(list(reversed(made)) if backwards else made))


def test_chunks_dropped_from_memory_come_back_the_same() -> None:
    market = SyntheticMarket(Synthetic(symbols=128, bars=100), HOUR_MS, cache_bars=0)
    first = market.block(0, 50)
    market.block(5_000, 10)
    assert_same(first, market.block(0, 50))


def test_the_stream_of_blocks_is_the_whole() -> None:
    spec = Synthetic(symbols=2, bars=40_000)
    assert_same(synthetic_bars(spec, HOUR_MS), BarBlock.concat(list(_stream(spec))))


def _stream(spec: Synthetic) -> list[BarBlock]:
    return list(SyntheticMarket(spec, HOUR_MS).blocks())


def test_a_seed_is_a_market() -> None:
    a, b = (synthetic_bars(Synthetic(bars=300, seed=7), HOUR_MS) for _ in range(2))
    assert_same(a, b)
    other = synthetic_bars(Synthetic(bars=300, seed=8), HOUR_MS)
    assert not np.any(other.close == a.close)


def test_bars_before_the_first_are_refused() -> None:
    market = SyntheticMarket(Synthetic(), HOUR_MS)
    for first, n in ((-1, 5), (0, 0)):
        with pytest.raises(ValueError, match="from bar 0 on"):
            market.block(first, n)


def test_candles_are_consistent() -> None:
    bars = synthetic_bars(Synthetic(symbols=5, bars=20_000, missing=0.05), HOUR_MS)
    seen = bars.valid
    for price in (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.turnover):
        assert np.isfinite(price[seen]).all()
        assert np.isnan(price[~seen]).all()
    assert (bars.low[seen] > 0).all()
    assert (bars.low[seen] <= np.minimum(bars.open, bars.close)[seen]).all()
    assert (bars.high[seen] >= np.maximum(bars.open, bars.close)[seen]).all()
    assert (bars.volume[seen] > 0).all()
    gap = np.abs(bars.open[1:] / bars.close[:-1] - 1.0)
    assert np.nanmax(gap) < 3e-4
    assert 0.045 < 1.0 - seen.mean() < 0.055
    assert_array_equal(bars.fillable, seen)


def test_prices_lie_on_the_tick_grid() -> None:
    market = SyntheticMarket(Synthetic(symbols=4, bars=100), HOUR_MS)
    close = market.block(0, 100).close
    for s, decimals in enumerate(market.price_decimals):
        assert [float(f"{p:.{decimals}f}") for p in close[:, s]] == close[:, s].tolist()


def test_missing_bars_do_not_disturb_the_path() -> None:
    full = synthetic_bars(Synthetic(bars=1000), HOUR_MS)
    holed = synthetic_bars(Synthetic(bars=1000, missing=0.2), HOUR_MS)
    assert_array_equal(holed.close[holed.valid], full.close[holed.valid])


def test_without_a_signal_nothing_past_tells_the_next_return(unsignalled: BarBlock) -> None:
    r = returns_of(unsignalled)
    n, S = r.shape
    assert np.all(np.abs(r.mean(axis=0)) < 3.5 * r.std(axis=0) / np.sqrt(n))
    past10 = unsignalled.close[10:-1] / unsignalled.close[:-11] - 1.0
    volume = np.log(unsignalled.volume)
    predictors = {
        "return_1": r[9:-1],
        "return_10": past10,
        "sign": np.sign(past10),
        "volume": volume[10:-1] - volume[:-11],
        "range": (unsignalled.high / unsignalled.low)[10:-1],
    }
    # symbols share a factor, so the correlation of one is judged, with a wide normal bound
    for name, x in predictors.items():
        for s in range(S):
            weight = r[10:, s] / np.abs(r[10:, s]).mean()
            assert abs(correlation(x[:, s], weight)) < 5.0 / np.sqrt(n), name


def test_momentum_has_variance_one_and_the_persistence_it_says() -> None:
    for strength in (0.0, 0.2, 0.5):
        c, phi = law.momentum_step(strength)
        assert (law.MEMORY + c * strength) ** 2 + c**2 * (1 - strength**2) == pytest.approx(1.0)
        assert 0.0 < phi < 1.0


def test_a_signal_is_as_strong_as_it_says() -> None:
    ics = []
    for strength in (0.07, 0.15, 0.3):
        market = SyntheticMarket(Synthetic(bars=LONG, signal_strength=strength), HOUR_MS)
        close = market.block(0, LONG).close
        next_bar = market.expected_return(0, LONG, 1)[200:-1]
        next_return = (close[1:] / close[:-1] - 1.0)[200:]
        assert correlation(next_bar, next_return) == pytest.approx(strength, rel=0.15)
        ahead = market.expected_return(0, LONG, 5)[200:-5]
        realised = close[205:] / close[200:-5] - 1.0
        slope = float((ahead * realised).sum() / (ahead * ahead).sum())
        assert slope == pytest.approx(1.0, abs=0.15)
        ics.append(correlation(ranks(ahead), ranks(realised)))
    assert ics[0] < ics[1] < ics[2]
    assert ics[1] == pytest.approx(0.25, abs=0.05)  # the default strength


def test_past_returns_show_the_signal() -> None:
    bars = synthetic_bars(Synthetic(bars=LONG, signal_strength=0.15), HOUR_MS)
    close = bars.close
    past = close[10:-5] / close[:-15] - 1.0
    ahead = close[15:] / close[10:-5] - 1.0
    assert correlation(ranks(past), ranks(ahead)) > 0.1


def test_volatility_is_typical_clustered_and_fat_tailed(unsignalled: BarBlock) -> None:
    r = returns_of(unsignalled)
    np.testing.assert_allclose(np.sqrt((r**2).mean(axis=0)), 0.006, rtol=0.1)
    size = np.abs(r[:, 0])
    assert correlation(size[1:], size[:-1]) > 0.12
    assert correlation(size[10:], size[:-10]) > 0.04
    kurtosis = (r**4).mean(axis=0) / (r**2).mean(axis=0) ** 2
    assert np.all((kurtosis > 4.0) & (kurtosis < 12.0))


def test_symbols_share_a_factor(unsignalled: BarBlock) -> None:
    r = returns_of(unsignalled)
    between = np.array([correlation(r[:, i], r[:, j]) for i in range(5) for j in range(i)])
    assert np.all((between > 0.2) & (between < 0.7))


def test_volume_has_a_daily_rhythm_and_goes_with_volatility(unsignalled: BarBlock) -> None:
    hour = unsignalled.open_time[1:] // HOUR_MS % 24
    size, volume = np.abs(returns_of(unsignalled)), unsignalled.volume[1:]
    by_hour = np.array([[x[hour == h].mean() for h in range(24)] for x in (volume, size)])
    assert by_hour[0].argmax() in range(12, 17)
    assert by_hour[0].max() > 2.0 * by_hour[0].min()
    assert correlation(by_hour[0], by_hour[1]) > 0.9
    noon = hour == 12
    assert correlation(np.log(volume[noon, 0]), size[noon, 0]) > 0.3


def test_funding_is_due_at_0_8_and_16_utc() -> None:
    hourly = synthetic_bars(Synthetic(bars=240), HOUR_MS)
    due = hourly.open_time // HOUR_MS % 8 == 0
    assert (hourly.funding_rate[due] != 0).all()
    assert (hourly.funding_rate[~due] == 0).all()
    daily = synthetic_bars(Synthetic(bars=100), DAY_MS)
    assert daily.funding_rate.min() > 0.5e-4
    assert daily.funding_rate.max() < 1.5e-4
    inside = daily.funding_inside / daily.open  # two more of the day, at 08 and at 16
    np.testing.assert_allclose(inside, 2.0 * daily.funding_rate)
    minutes = synthetic_bars(Synthetic(bars=961), MINUTE_MS).funding_rate[:, 0]
    assert np.flatnonzero(minutes).tolist() == [0, 480, 960]


def test_a_long_or_wild_market_stays_within_reach_of_its_first_price() -> None:
    bars = synthetic_bars(Synthetic(symbols=2, bars=300_000, volatility=0.03), HOUR_MS)
    distance = np.abs(np.log(bars.close / bars.close[0]))
    assert distance.max() < np.log(20.0) + 6.0
    wild = synthetic_bars(Synthetic(symbols=2, bars=20_000, volatility=0.1), HOUR_MS)
    assert (wild.low > 0).all()
