"""Round trips as rows: those of `round_trips.py`, in one stretch or in pieces."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot.blocks import BarBlock
from bot.portfolio.reasons import FillReason
from bot.report.booked import Booked
from bot.report.inputs import RunData
from bot.report.money.round_trips import profits, round_trips
from bot.report.money.trades import Trades, TradeWalk, trades_of


def frame_of(trades: Trades) -> pd.DataFrame:
    columns = {f.name: getattr(trades, f.name) for f in dataclasses.fields(trades)}
    return pd.DataFrame(columns)


def piece_of(run: Booked, first: int, stop: int) -> Booked:
    """Return the bars first..stop-1, the first of them with the last known price."""
    bars = run.bars.rows(first, stop)
    known = bars.close.copy()
    known[0] = run.price[first]
    valid = bars.valid.copy()
    valid[0] = np.isfinite(known[0])
    bars = BarBlock(**{
        **{f.name: getattr(bars, f.name) for f in dataclasses.fields(bars)},
        "close": known, "valid": valid,
    })  # fmt: skip
    inside = (run.fills["open_time"] >= bars.open_time[0]) & (
        run.fills["open_time"] <= bars.open_time[-1]
    )
    return Booked(
        symbols=run.symbols, bars=bars, start_index=0, initial_capital=run.initial_capital,
        fill=run.fill, equity=run.equity[first:stop], funding=run.funding[first:stop],
        quantity=run.quantity[first:stop], fills=run.fills[inside], inverse=run.inverse,
    )  # fmt: skip


@pytest.mark.parametrize("fixed", [False, True])
def test_trips_and_profits_are_those_of_the_report(run_maker: Any, fixed: bool) -> None:
    run: RunData = run_maker(fixed=fixed)
    start = run.start_index
    trips = round_trips(run, start, profits(run, start))
    order = np.lexsort((trips.symbol, run.open_time[trips.last]))
    got = trades_of(run, start)
    assert len(got) > 20
    np.testing.assert_array_equal(got.symbol, trips.symbol[order])
    np.testing.assert_array_equal(got.entry_ms, run.open_time[trips.first[order]])
    np.testing.assert_array_equal(got.exit_ms, run.open_time[trips.last[order]])
    np.testing.assert_array_equal(got.bars_held, (trips.last - trips.first)[order])
    np.testing.assert_allclose(got.profit, trips.profit[order], atol=1e-9)
    np.testing.assert_allclose(got.fraction, trips.fraction[order], atol=1e-12)


def test_a_trip_of_one_quantity_earns_what_its_fills_say(run_maker: Any) -> None:
    """Profit = side × quantity × (exit − entry price) − fees − funding, where nothing is flipped."""
    run: RunData = run_maker(fixed=True, n_symbols=1)
    fills = pd.DataFrame(run.fills)
    got = frame_of(trades_of(run, run.start_index))
    price = fills.groupby("open_time")["price"].mean()
    np.testing.assert_allclose(got["entry_price"], price[got["entry_ms"]])
    np.testing.assert_allclose(got["exit_price"], price[got["exit_ms"]])
    move = got["side"] * got["quantity"] * (got["exit_price"] - got["entry_price"])
    np.testing.assert_allclose(got["profit"], move - got["fees"] - got["funding"], atol=1e-9)
    after = fills["open_time"] >= got["entry_ms"].min()
    before = fills["open_time"] <= got["exit_ms"].max()
    flips_at_the_end = run.quantity[np.searchsorted(run.open_time, got["exit_ms"].max()), 0] != 0
    if not flips_at_the_end:
        assert got["fees"].sum() == pytest.approx(fills["fee"][after & before].sum())


@pytest.mark.parametrize("size", [2, 3, 7, 50, 399])
@pytest.mark.parametrize("fixed", [False, True])
def test_pieces_of_any_size_give_the_same_trips(run_maker: Any, size: int, fixed: bool) -> None:
    run: RunData = run_maker(fixed=fixed)
    walk, parts, first = TradeWalk(), [], 0
    whole = frame_of(trades_of(run, 0))
    while first < len(run.equity) - 1 or first == 0:
        stop = min(first + size, len(run.equity))
        parts.append(frame_of(walk.add(piece_of(run, first, stop), 1 if first else 0)))
        first = stop - 1
    pieces = pd.concat(parts, ignore_index=True)
    assert len(pieces) == len(whole)
    pd.testing.assert_frame_equal(pieces, whole, rtol=1e-7, atol=1e-9)


def test_the_reason_is_that_of_the_last_fill_of_the_bar(run: RunData) -> None:
    fills = run.fills.copy()
    fills["reason"] = FillReason.SIGNAL
    last = trades_of(run, run.start_index).exit_ms[-1]
    fills["reason"][fills["open_time"] == last] = FillReason.STOP_LOSS
    got = trades_of(dataclasses.replace(run, fills=fills), run.start_index)
    assert set(got.exit_reason[got.exit_ms == last]) == {FillReason.STOP_LOSS}
    assert set(got.exit_reason[got.exit_ms != last]) == {FillReason.SIGNAL}
