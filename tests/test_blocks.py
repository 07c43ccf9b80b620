"""The types that flow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bot.blocks import FILL, BarBlock, Forecast, Task
from bot.one_for_all import is_one_for_all, one_for_all


def candles(n: int) -> BarBlock:
    close = np.array([[1.0, np.nan], [2.0, 5.0], [np.nan, 6.0]])[:n]
    return BarBlock.of_candles(np.arange(n, dtype=np.int64), *[close] * 5)


def test_history_is_valid_where_it_has_a_close_and_can_be_traded() -> None:
    bars = candles(3)
    assert bars.valid.tolist() == [[True, False], [True, True], [False, True]]
    assert bars.fillable.tolist() == bars.valid.tolist()
    assert bars.tradable.all()
    assert bars.in_session.all()
    assert np.isnan(bars.fill_bid).all()
    assert (bars.funding_rate == 0.0).all()
    assert (len(bars), bars.n_symbols) == (3, 2)


def test_rows_are_views_and_join_again() -> None:
    bars = candles(3)
    parts = [bars.rows(0, 1), bars.rows(1, 3)]
    assert np.shares_memory(parts[1].close, bars.close)
    again = BarBlock.concat(parts)
    for field in dataclasses.fields(BarBlock):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(bars, field.name))


def test_what_is_not_given_is_one_number_for_all() -> None:
    """Cut, narrowed and joined it stays one; beside another number it becomes a column like others."""
    bars = candles(3)
    for block in (bars.rows(1, 3), bars.symbols([1]), BarBlock.concat([bars, bars])):
        assert is_one_for_all(block.settlement_price)
        assert is_one_for_all(block.funding_inside)
        assert block.settlement_price.shape == block.close.shape
    with pytest.raises(ValueError, match="read-only"):
        bars.leaving[0, 0] = True
    left = dataclasses.replace(bars, leaving=one_for_all(np.True_, (3, 2)))
    joined = BarBlock.concat([bars, left]).leaving
    assert not is_one_for_all(joined)
    assert joined.tolist() == [[False, False]] * 3 + [[True, True]] * 3
    assert not is_one_for_all(bars.rows(0, 0).leaving)


def test_a_forecast_is_found_by_kind() -> None:
    value = np.arange(4.0).reshape(1, 2, 2)
    forecast = Forecast((Task("return", 5), Task("direction", 5)), value, np.zeros(1, np.int64))
    assert forecast.of("direction").tolist() == [[1.0, 3.0]]
    with pytest.raises(KeyError, match="volume"):
        forecast.of("volume")


def test_a_fill_is_whole_little_endian_words() -> None:
    assert FILL.itemsize == 8 * len(FILL.names or ())
    assert all(FILL[name].str in {"<i8", "<f8"} for name in FILL.names or ())
