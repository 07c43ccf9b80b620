"""What the controls trade by: costs of a side, bars that can be filled, and funding, by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from bot.blocks import FILL
from bot.report.inputs import RunData
from bot.report.money.retraced import cost_shares, legs_of_run, open_bars, tape_of


def with_fills(run: RunData, rows: list[tuple[Any, ...]], **changes: Any) -> RunData:
    return dataclasses.replace(run, fills=np.array(rows, dtype=FILL), **changes)


def test_a_side_costs_what_its_fills_have_paid_of_their_middles(run: RunData) -> None:
    """Bought 0.001 at 101 of 100, and sold 0.002 at 99, for 0.0002 a thousandth; the third was never traded."""
    time, start = run.open_time, run.start_index
    fills = [
        (time[start - 1], 0, 1.0, 100.0, 50.0, 0.0, 0.0, 0),  # before it counts
        (time[start], 0, 0.001, 101.0, 0.0002, 0.0006, 0.0004, 0),
        (time[start + 1], 0, -0.002, 99.0, 0.0004, 0.0008, 0.0012, 0),
        (time[start], 1, 3.0, 50.0, 0.3, 0.0, 0.0, 0),
    ]
    got = cost_shares(with_fills(run, fills), start)
    assert got[0] == pytest.approx((0.0006 + 0.003) / 0.3)
    assert got[1] == pytest.approx(0.3 / 150.0)
    assert got[2] == pytest.approx(0.001 + 3e-4)  # as the settings have it


@pytest.mark.parametrize("fill", ["next_open", "next_close"])
def test_an_order_is_filled_where_there_is_a_price(run: RunData, fill: Any) -> None:
    """Prices of a hundredth are prices; an open, or a close, of nothing is none."""
    start, valid, fillable = run.start_index, run.bars.valid.copy(), run.bars.fillable.copy()
    fillable[start + 11], valid[start + 12] = False, False
    bars = dataclasses.replace(run.bars, valid=valid, fillable=fillable)
    cheap = dataclasses.replace(bars, open=bars.open * 1e-4, close=bars.close * 1e-4)
    made = dataclasses.replace(run, bars=cheap, fill=fill)
    usual = bars.valid[start:] & bars.fillable[start:]
    np.testing.assert_array_equal(open_bars(made, start), usual)
    opened, closed = bars.open.copy(), bars.close.copy()
    opened[start + 5], closed[start + 7] = 0.0, 0.0
    made = dataclasses.replace(
        run, bars=dataclasses.replace(bars, open=opened, close=closed), fill=fill
    )
    expected = usual.copy()
    expected[5 if fill == "next_open" else 7] = False
    np.testing.assert_array_equal(open_bars(made, start), expected)


@pytest.mark.parametrize("fill", ["next_open", "next_close"])
def test_who_pays_no_funding_pays_none_inside_bars_either(run: RunData, fill: Any) -> None:
    """At the next close a bar's position is the one from before it, for both kinds of settlement."""
    start = run.start_index
    bars = dataclasses.replace(run.bars, funding_inside=np.full_like(run.price, 0.5))
    pays = np.array([True, False, True])
    made = dataclasses.replace(run, bars=bars, pays_funding=pays, fill=fill)
    tape = tape_of(made, start)
    before = np.where(run.bars.valid[start:], run.bars.open[start:], run.price[start - 1 : -1])
    at_open = before * bars.funding_rate[start:] * pays
    inside = np.broadcast_to(0.5 * pays, at_open.shape)
    late = fill == "next_close"
    np.testing.assert_allclose(tape.paid_before, at_open + inside * late)
    np.testing.assert_allclose(tape.paid_after, inside * (not late))


def test_a_trip_is_as_large_as_it_was_on_average(run_maker: Any) -> None:
    """2, 4 and 3 held over three bars are 3 on average, at the entry's last close, of the equity before."""
    run: RunData = run_maker(n=20, n_symbols=1, start=5, fixed=True)
    quantity = np.zeros_like(run.quantity)
    quantity[8:11, 0] = [2.0, 4.0, 3.0]
    quantity[14:16, 0] = [-1.0, -2.0]
    legs = legs_of_run(dataclasses.replace(run, quantity=quantity), 5)
    assert legs.entry[0].tolist() == [8 - 5, 14 - 5]
    assert legs.exit[0].tolist() == [11 - 5, 16 - 5]
    expected = [
        mean * run.price[at - 1, 0] / run.equity[at - 1] for mean, at in ((3.0, 8), (-1.5, 14))
    ]
    np.testing.assert_allclose(legs.size[0], expected)
