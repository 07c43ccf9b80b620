"""The edge of a side by hand and by pandas, beside what the side cost."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot.blocks import FILL
from bot.report.inputs import RunData
from bot.report.money.activity import cost_returns, run_metrics
from bot.report.money.days import days_of
from bot.report.money.edge import edge_figures
from bot.report.skill.bootstrap import interval

PAID = ("fees", "spread", "slippage", "funding")
SAMPLES = 200


def figures(run: RunData, samples: int = SAMPLES) -> dict[str, Any]:
    start = run.start_index
    return edge_figures(run, start, run_metrics(run, start), samples)


def by_day(run: RunData) -> pd.DataFrame:
    """Return each day's amounts over its opening equity, by pandas."""
    start = run.start_index
    time = pd.to_datetime(run.open_time, unit="ms")
    frame = pd.DataFrame({name: getattr(run, name) for name in PAID}, index=time)
    frame["net"] = np.diff(run.equity, prepend=run.initial_capital)
    frame["before"] = np.concatenate(([run.initial_capital], run.equity[:-1]))
    fills = pd.DataFrame({name: run.fills[name] for name in ("open_time", "quantity", "price")})
    traded = (fills["quantity"] * fills["price"]).abs()
    traded.index = pd.to_datetime(fills["open_time"], unit="ms")
    frame["traded"] = traded.groupby(level=0).sum()
    days = frame.iloc[start:].resample("1D")
    return days[[*PAID, "net", "traded"]].sum().div(days["before"].first(), axis=0)


def two_days(run_maker: Any) -> RunData:
    """Two days of 24 bars, at 1,000 and then at 500: 100 traded on the first, 50 on the second.

    Before costs the first day earned 0.3 and the second 0.05; costs were 0.2 and 0.1.
    """
    start, n = 120, 168
    equity = np.full(n, 1000.0)
    equity[start + 23 :] = 1000.1
    equity[start + 23] = equity[start + 22] + 0.1
    fees = np.zeros(n)
    fees[start + 5], fees[start + 30] = 0.2, 0.1
    equity[start + 30 :] = equity[start + 29] - 0.05
    time = run_maker(n=n).open_time
    fills = np.array(
        [(time[start + 5], 0, 1.0, 100.0, 0.2, 0, 0, 0), (time[start + 30], 1, -0.5, 100.0, 0.1, 0, 0, 0)],
        dtype=FILL,
    )  # fmt: skip
    nothing = np.zeros(n)
    made: RunData = run_maker(
        n=n, start=start, equity=equity, fees=fees, fills=fills, spread=nothing, slippage=nothing,
        funding=nothing,
    )  # fmt: skip
    return made


def test_two_days_by_hand(run_maker: Any) -> None:
    got = figures(two_days(run_maker))
    traded = 100 / 1000 + 50 / 1000.1
    assert got["edge_bps"] == pytest.approx(1e4 * (0.3 / 1000 + 0.05 / 1000.1) / traded)
    assert got["cost_bps"] == pytest.approx(1e4 * (0.2 / 1000 + 0.1 / 1000.1) / traded)
    assert got["cost_parts_bps"]["fees"] == pytest.approx(got["cost_bps"])
    assert got["edge_to_cost"] == pytest.approx(got["edge_bps"] / got["cost_bps"])
    assert got["break_even_cost_bps"] == got["edge_bps"]  # no funding
    assert got["turnover_bar"] == pytest.approx(traded / 48)
    assert got["turnover_annual"] == pytest.approx(traded / 48 * 8760)
    assert got["edge_low_bps"] is got["edge_high_bps"] is None  # two days say nothing
    assert got["warning"] == ""


def test_pandas_finds_the_same(run: RunData) -> None:
    days, got = by_day(run), figures(run)
    gross = days[[*PAID, "net"]].sum(axis=1)
    traded = days["traded"].sum()
    assert got["days"] == len(days)
    assert got["edge_bps"] == pytest.approx(1e4 * gross.sum() / traded)
    assert got["cost_bps"] == pytest.approx(1e4 * days[list(PAID)].sum().sum() / traded)
    for name in PAID:
        assert got["cost_parts_bps"][name] == pytest.approx(1e4 * days[name].sum() / traded)
    metrics = run_metrics(run, run.start_index)
    assert got["turnover_annual"] == metrics["turnover_annual"]
    assert got["turnover_bar"] * (400 - run.start_index) == pytest.approx(traded)
    assert got["bars_held"] == metrics["mean_bars_held"]
    assert got["horizon_bars"] == 3


def test_edge_less_cost_on_what_was_traded_is_the_net_return(run: RunData) -> None:
    got, traded = figures(run), days_of(run, run.start_index).notional.sum()
    net = cost_returns(run, run.start_index)["net"]
    assert (got["edge_bps"] - got["cost_bps"]) * 1e-4 * traded == pytest.approx(net)
    left = got["break_even_cost_bps"] - got["edge_bps"] + got["cost_parts_bps"]["funding"]
    assert left == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("times", [10.0, 1e-5])
def test_an_account_that_shrinks_counts_each_day_alike(run: RunData, times: float) -> None:
    """Ten times the money in every amount, or next to none, equity with it, changes nothing."""
    scaled: dict[str, Any] = {
        name: times * getattr(run, name) for name in (*PAID, "equity", "cash", "quantity")
    }
    fills = run.fills.copy()
    fills["quantity"] *= times
    more = dataclasses.replace(run, fills=fills, initial_capital=1e4 * times, **scaled)
    got, usual = figures(more), figures(run)
    for name in ("edge_bps", "edge_low_bps", "edge_high_bps", "cost_bps", "turnover_annual"):
        assert got[name] == pytest.approx(usual[name]), name


@pytest.mark.parametrize(
    ("held", "days"), [(None, 1), (20.0, 1), (144.0, 6), (145.0, 7), (240.0, 10)]
)
def test_days_are_drawn_in_blocks_no_shorter_than_a_round_trip(
    run_maker: Any, held: float | None, days: int
) -> None:
    run: RunData = run_maker(n=24 * 60, start=24)
    metrics = run_metrics(run, run.start_index) | {"mean_bars_held": held}
    got = edge_figures(run, run.start_index, metrics, SAMPLES)
    of_days = days_of(run, run.start_index)
    table = np.column_stack((of_days.gross, of_days.notional.sum(axis=1)))
    found = interval(table, lambda sums: sums[..., 0] / sums[..., 1], days, SAMPLES)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert got["edge_low_bps"] == pytest.approx(1e4 * found.low)
    assert got["edge_high_bps"] == pytest.approx(1e4 * found.high)


@pytest.mark.parametrize(("cost", "times"), [(0.5, 4.0), (2.0, 1.0), (0.0, None)])
def test_how_many_times_the_edge_is_of_the_cost(
    run_maker: Any, cost: float, times: float | None
) -> None:
    got = figures(steady(run_maker, 2.0, cost))
    assert got["edge_to_cost"] == (None if times is None else pytest.approx(times, rel=1e-2))


def test_a_day_that_begins_with_nothing_is_not_counted(run: RunData) -> None:
    equity = np.where(np.arange(400) < 200, run.equity, 0.0)
    broke = dataclasses.replace(run, equity=equity)
    days = days_of(broke, run.start_index)
    assert (
        days.day.tolist() == np.unique(run.open_time[run.start_index : 201] // 86_400_000).tolist()
    )
    assert np.isfinite(days.net).all()


def steady(run_maker: Any, gross_bps: float, cost_bps: float) -> RunData:
    """Sixty days that each trade all their equity once, for about the same edge and the same cost."""
    start, n = 24, 24 * 61
    noise = 2.0 * np.random.default_rng(5).standard_normal(60)
    earned = gross_bps + noise - noise.mean()
    fees, change, fills = np.zeros(n), np.zeros(n), []
    time = run_maker(n=n).open_time
    for bps, i in zip(earned, range(start, n, 24), strict=True):
        fees[i] = cost_bps * 1e-4 * 1000.0
        change[i] = bps * 1e-4 * 1000.0 - fees[i]
        fills.append((time[i], 0, 1.0, 1000.0, fees[i], 0.0, 0.0, 0))
    nothing = np.zeros(n)
    made: RunData = run_maker(
        n=n, start=start, equity=1000.0 + np.cumsum(change), fees=fees, spread=nothing,
        slippage=nothing, funding=nothing, fills=np.array(fills, dtype=FILL), initial_capital=1000.0,
    )  # fmt: skip
    return made


@pytest.mark.parametrize(("gross", "warned"), [(2.9, True), (7.4, False), (12.0, False)])
def test_a_warning_only_where_the_upper_bound_is_below_the_cost(
    run_maker: Any, gross: float, warned: bool
) -> None:
    got = figures(steady(run_maker, gross, 7.5), 1000)
    assert got["edge_low_bps"] < got["edge_bps"] < got["edge_high_bps"]
    assert got["edge_bps"] == pytest.approx(gross, abs=0.1)
    assert bool(got["warning"]) is warned
    if warned:
        assert f"{got['edge_bps']:.1f} bp before costs" in got["warning"]
        assert f"cost {got['cost_bps']:.1f} bp" in got["warning"]


def test_without_a_fill_or_without_equity_there_is_nothing_to_say(run: RunData) -> None:
    nothing: dict[str, Any] = {name: np.zeros(len(run.equity)) for name in PAID}
    idle = dataclasses.replace(
        run,
        fills=run.fills[:0],
        quantity=np.zeros_like(run.quantity),
        equity=np.full(len(run.equity), 1e4),
        **nothing,
    )
    broke = dataclasses.replace(run, equity=np.where(np.arange(400) < 200, run.equity, -500.0))
    for strange in (idle, broke):
        got = figures(strange)
        for name in (
            "edge_bps",
            "edge_high_bps",
            "cost_bps",
            "edge_to_cost",
            "break_even_cost_bps",
        ):
            assert got[name] is None, name
        assert set(got["cost_parts_bps"].values()) == {None}
        assert got["warning"] == ""
