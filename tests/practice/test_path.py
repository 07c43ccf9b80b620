"""Candles cut from the path of a bar: together they are the bar, and none sees past its end."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bot.config.schema import Synthetic
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import SyntheticMarket
from bot.timegrid import HOUR_MS, MINUTE_MS

SOURCE = SyntheticMarket(Synthetic(symbols=2, bars=100, missing=0.1), HOUR_MS)
MARKET = PracticeMarket(SOURCE)


@given(bar=st.integers(0, 300), symbol=st.integers(0, 1), minutes=st.sampled_from([1, 5, 15, 30]))
def test_the_pieces_of_a_bar_are_the_bar(bar: int, symbol: int, minutes: int) -> None:
    step = minutes * MINUTE_MS
    whole, end = SOURCE.block(bar, 1, symbol), MARKET.open_time(bar + 1)
    pieces = MARKET.pieces(bar, symbol, step, end)
    assert len(pieces) == HOUR_MS // step
    assert pieces.open_time.tolist() == list(range(MARKET.open_time(bar), end, step))
    assert pieces.valid.all() == whole.valid[0, 0]
    if whole.valid[0, 0]:
        assert pieces.open[0, 0] == whole.open[0, 0]
        assert pieces.close[-1, 0] == whole.close[0, 0]
        assert pieces.high.max() == whole.high[0, 0]
        assert pieces.low.min() == whole.low[0, 0]
        np.testing.assert_array_equal(pieces.open[1:], pieces.close[:-1])
        np.testing.assert_allclose(pieces.volume.sum(), whole.volume[0, 0], rtol=1e-6)


@given(bar=st.integers(0, 300), passed_ms=st.integers(0, HOUR_MS - 1))
def test_what_has_not_begun_is_not_told_and_what_is_over_stays(bar: int, passed_ms: int) -> None:
    step, opened = 5 * MINUTE_MS, MARKET.open_time(bar)
    now, later = (
        MARKET.pieces(bar, 0, step, opened + passed_ms),
        MARKET.pieces(bar, 0, step, opened + HOUR_MS),
    )
    over = passed_ms // step
    assert len(now) == over + 1
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(
            getattr(now, name)[:over], getattr(later, name)[:over], err_msg=name
        )
    moment = MARKET.at(opened + passed_ms)
    if moment.live[0]:
        assert now.close[-1, 0] == moment.last[0]
