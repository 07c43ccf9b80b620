"""The control that follows the last 30 days: its sides by pandas, its books by a loop."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot.blocks import F64
from bot.report.inputs import RunData
from bot.report.money.controls import control_figures
from bot.report.money.momentum import momentum_legs, wanted_sides
from bot.report.money.retraced import tape_of
from bot.report.money.walk import equity_curve


@pytest.fixture(scope="module")
def long_run(run_maker: Any) -> RunData:
    made: RunData = run_maker(n=1500, start=900)
    return made


def sides_by_pandas(run: RunData) -> F64:
    """Return the sign of each close against that of 720 hours before, 0 where there is none."""
    price = pd.DataFrame(run.price, index=pd.to_datetime(run.open_time, unit="ms"))
    change = price - price.shift(freq="30D").reindex(price.index)
    sides: F64 = np.sign(change.fillna(0.0).to_numpy())
    return sides


def test_sides_are_those_of_pandas(long_run: RunData) -> None:
    found = wanted_sides(long_run)
    np.testing.assert_array_equal(found, sides_by_pandas(long_run))
    assert not found[:720].any()
    assert {-1.0, 1.0} <= set(found.ravel())


def test_its_equity_is_that_of_a_loop(long_run: RunData) -> None:
    run, start = long_run, long_run.start_index
    wanted = sides_by_pandas(run)
    cost, cash, equity = 0.0013, 1e4, 1e4
    held, side, waiting = np.zeros(3), np.zeros(3), wanted[start - 1]
    for i in range(start, len(run.equity)):
        for s in range(3):
            valid = run.bars.valid[i, s]
            opened = run.bars.open[i, s] if valid else run.price[i - 1, s]
            cash -= held[s] * opened * run.bars.funding_rate[i, s]
            if valid and waiting[s] != side[s]:
                new = waiting[s] * equity / 3 / run.price[i - 1, s]
                cash -= (new - held[s]) * opened + cost * (abs(new) + abs(held[s])) * opened
                held[s], side[s] = new, waiting[s]
        equity = cash + float(held @ run.price[i])
        waiting = wanted[i]
    tape = tape_of(run, start)._replace(cost=np.full(3, cost))
    curve = equity_curve(tape, momentum_legs(run, start), 1e4)
    assert curve[-1] == pytest.approx(equity, rel=1e-9)


def test_what_may_not_be_short_is_flat_and_late_bars_change_nothing(long_run: RunData) -> None:
    spot = dataclasses.replace(long_run, allow_short=np.array([True, False, True]))
    sides = wanted_sides(spot)
    assert sides[:, 1].min() == 0.0
    assert sides[:, 0].min() == -1.0
    tradable = np.zeros(1500, dtype=np.bool_)
    tradable[899] = True
    late = dataclasses.replace(long_run, bars=dataclasses.replace(long_run.bars, tradable=tradable))
    legs = momentum_legs(late, 900)
    np.testing.assert_array_equal(legs.exit, 600)
    np.testing.assert_array_equal(np.sign(legs.size[0]), wanted_sides(long_run)[899])


def test_closed_markets_count_days_of_the_calendar(run: RunData) -> None:
    """Daily bars, five a week: 30 days ago is the last close on or before that day."""
    weekdays = pd.bdate_range("2023-01-02", periods=400)
    time = (weekdays.astype("datetime64[ns]").astype(np.int64) // 10**6).to_numpy()
    daily = dataclasses.replace(run, bars=dataclasses.replace(run.bars, open_time=time))
    price = pd.DataFrame(run.price, index=weekdays)
    before = price.reindex(weekdays - pd.Timedelta(days=30), method="ffill").to_numpy()
    expected = np.nan_to_num(np.sign(run.price - before))
    np.testing.assert_array_equal(wanted_sides(daily), expected)


def test_all_controls_stand_beside_a_run(long_run: RunData) -> None:
    held: dict[str, Any] = {"total_return": 0.5}
    got = control_figures(long_run, 900, held)
    assert list(got) == ["flat", "buy_and_hold", "momentum", "random", "funding", "missing"]
    assert got["flat"] == {"total_return": 0.0, "max_drawdown": 0.0, "trades": 0}
    assert got["missing"] == ""
    assert got["buy_and_hold"] is held
    tape, legs = tape_of(long_run, 900), momentum_legs(long_run, 900)
    grown = equity_curve(tape, legs, long_run.equity_before(900))[-1] / long_run.equity_before(900)
    assert got["momentum"]["total_return"] == pytest.approx(grown - 1.0)
    assert got["momentum"]["trades"] == legs.entry.shape[1] > 3
    assert got["random"]["draws"] == 1000
    assert got["funding"] == {"unknown": 0, "until": None}


def test_settlements_that_are_not_known_are_counted(long_run: RunData) -> None:
    rate = long_run.bars.funding_rate.copy()
    rate[880:912:8, :2] = np.nan
    inside = np.zeros_like(rate)
    inside[950, 2] = 2.0
    bars = dataclasses.replace(long_run.bars, funding_rate=rate, funding_inside_unknown=inside)
    pays = np.array([True, False, True])
    unknown = dataclasses.replace(long_run, bars=bars, pays_funding=pays)
    got = control_figures(unknown, 900, {})["funding"]
    assert got == {"unknown": 1 + 2, "until": "2023-02-09T14:00:00Z"}
    assert control_figures(dataclasses.replace(unknown, pays_funding=~pays), 900, {})["funding"] == {
        "unknown": 1, "until": "2023-02-07T16:00:00Z",
    }  # fmt: skip


def test_without_thirty_days_of_history_it_has_no_return(run_maker: Any) -> None:
    for n, start, known in (
        (720, 700, False), (721, 700, False), (722, 700, True), (722, 721, True), (722, 0, True),
    ):  # fmt: skip
        found = control_figures(run_maker(n=n, start=700), start, {})["momentum"]
        assert (found["total_return"] is not None) is known, n
        assert (found["trades"] is not None) is known, n


def test_beside_a_reference_run_momentum_and_chance_say_nothing(long_run: RunData) -> None:
    got = control_figures(dataclasses.replace(long_run, reference=True), 900, {})
    assert set(got["momentum"].values()) == {None}
    assert got["random"].pop("draws") == 1000
    assert set(got["random"]) > {"trips", "low", "high", "percentile"}
    assert set(got["random"].values()) == {None}
    assert "fixed quantity" in got["missing"]


@pytest.mark.parametrize("far", [128.0, 256.0])
@pytest.mark.parametrize("capital", [8192.0, 0.125])
def test_what_has_lost_all_stays_at_nothing(run_maker: Any, far: float, capital: float) -> None:
    """Short at 64 after a fall; at 128 all is lost, and the way back to 64 brings nothing again."""
    run: RunData = run_maker(n=760, n_symbols=1, start=730, fixed=True)
    price = np.full((760, 1), 64.0)
    price[:20], price[735:745] = 65.0, far
    opened = np.vstack((price[:1], price[:-1]))
    nothing = np.zeros((760, 1))
    bars = dataclasses.replace(
        run.bars, open=opened, high=np.maximum(opened, price), low=np.minimum(opened, price),
        close=price, funding_rate=nothing,
    )  # fmt: skip
    free: dict[str, Any] = {"taker_fee": np.zeros(1), "half_spread_bps": 0.0, "slippage_bps": 0.0}
    lost = dataclasses.replace(
        run, bars=bars, fills=run.fills[:0], equity=np.full(760, capital), quantity=nothing, **free
    )
    got = control_figures(lost, 730, {})["momentum"]
    assert got["total_return"] == -1.0
    assert got["max_drawdown"] == 1.0
