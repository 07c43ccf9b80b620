"""A run's figures: they add up, and the counts are those of a loop."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from bot.portfolio.reasons import FillReason
from bot.report.inputs import RunData
from bot.report.money.activity import (
    bankrupt_at,
    cost_returns,
    cost_waterfall,
    elapsed_ms,
    exposure_figures,
    run_metrics,
    symbol_rows,
    trip_figures,
)
from bot.report.money.round_trips import Trips
from bot.report.money.trials import Tried


def test_the_waterfall_adds_up(run: RunData) -> None:
    costs = cost_waterfall(run, run.start_index)
    paid = sum(costs[k] for k in ("fees", "spread", "slippage", "funding"))
    assert costs["gross"] - paid == pytest.approx(costs["net"])
    assert costs["net"] == pytest.approx(run.equity[-1] - 10_000.0)
    assert costs["fees"] == pytest.approx(run.fills["fee"].sum())


def daily(run: RunData) -> dict[str, float]:
    """Return the waterfall on the equity of the day, by a loop over the days."""
    sums = dict.fromkeys(("fees", "spread", "slippage", "funding", "net"), 0.0)
    compounded, i, n = 1.0, run.start_index, len(run.equity)
    while i < n:
        opening, last = float(run.equity[i - 1]), i
        if opening <= 0.0:  # bankrupt: nothing to count on
            break
        while last < n and run.open_time[last] // 86_400_000 == run.open_time[i] // 86_400_000:
            last += 1
        for name in ("fees", "spread", "slippage", "funding"):
            sums[name] += float(getattr(run, name)[i:last].sum()) / opening
        sums["net"] += float(run.equity[last - 1]) / opening - 1.0
        compounded *= float(run.equity[last - 1]) / opening
        i = last
    return sums | {"gross": sum(sums.values()), "net_compounded": compounded - 1.0}


@pytest.mark.parametrize("start", [100, 96, 97, 119])
def test_the_waterfall_on_the_equity_of_the_day(run_maker: Any, start: int) -> None:
    run: RunData = run_maker(start=start)
    got = cost_returns(run, run.start_index)
    assert got == pytest.approx(daily(run), rel=1e-9)
    assert got["net_compounded"] == pytest.approx(run_metrics(run, start)["total_return"])
    paid = sum(got[k] for k in ("fees", "spread", "slippage", "funding"))
    assert got["gross"] - paid == pytest.approx(got["net"])


def test_a_shrinking_account_pays_more_of_what_it_has(run_maker: Any) -> None:
    """Two days of 24 bars at 1,000 and 100, each paying 24 in fees: 2.4 % and 24 %."""
    n, start = 400, 120
    equity, fees = np.full(n, 1000.0), np.zeros(n)
    fees[start : start + 48] = 1.0
    equity[start + 23 :] = 100.0
    made: RunData = run_maker(start=start, equity=equity, fees=fees)
    got = cost_returns(made, start)
    assert got["fees"] == pytest.approx(0.024 + 0.24)
    assert got["net"] == got["net_compounded"] == pytest.approx(-0.9)


def bankrupt(run_maker: Any) -> RunData:
    """A run whose account is at −500 at the close of bar 200, and stays there."""
    run: RunData = run_maker()
    equity = run.equity.copy()
    equity[200:] = -500.0
    return dataclasses.replace(run, equity=equity)


def test_figures_of_a_bankrupt_account(run_maker: Any) -> None:
    run = bankrupt(run_maker)
    assert bankrupt_at(run) == 200
    metrics = run_metrics(run, run.start_index)
    assert metrics["max_drawdown"] == 1.0
    for name in (
        "turnover", "turnover_annual", "sharpe_ratio", "sharpe_error", "sortino_ratio", "cagr",
        "annualized_return", "calmar_ratio", "win_rate", "profit_factor", "mean_gross_exposure",
    ):  # fmt: skip
        assert metrics[name] is None, name
    assert metrics["total_return"] == pytest.approx(-500.0 / run.equity[run.start_index - 1] - 1.0)
    assert all(v is None or math.isfinite(v) for v in metrics.values())
    for row in symbol_rows(run, run.start_index):
        assert row["turnover"] is row["weight"] is None
    returns = cost_returns(run, run.start_index)
    assert returns == pytest.approx(daily(run), rel=1e-9)
    assert returns["net_compounded"] == pytest.approx(metrics["total_return"])


@pytest.mark.parametrize(("left", "ruined"), [(0.0, 200), (0.5, None), (-0.5, 200)])
def test_an_account_is_bankrupt_that_has_nothing_left(
    run_maker: Any, left: float, ruined: int | None
) -> None:
    run: RunData = run_maker()
    equity = run.equity.copy()
    equity[200:] = left
    equity[: run.start_index] = 0.0  # before it counts
    assert bankrupt_at(dataclasses.replace(run, equity=equity)) == ruined


def test_an_account_with_exactly_nothing_left_has_no_figures_of_what_it_had(run_maker: Any) -> None:
    run: RunData = run_maker()
    equity = run.equity.copy()
    equity[-1] = 0.0
    ended = dataclasses.replace(run, equity=equity)
    metrics = run_metrics(ended, run.start_index)
    for name in ("win_rate", "profit_factor", "turnover", "mean_gross_exposure"):
        assert metrics[name] is None, name
    for row in symbol_rows(ended, run.start_index):
        assert row["turnover"] is row["weight"] is None


def test_an_account_of_a_ten_thousandth_has_the_same_figures(run: RunData) -> None:
    amounts = ("equity", "cash", "quantity", "fees", "spread", "slippage", "funding")
    small: dict[str, Any] = {name: getattr(run, name) * 1e-5 for name in amounts}
    fills = run.fills.copy()
    for name in ("quantity", "fee", "spread", "slippage"):
        fills[name] *= 1e-5
    scaled = dataclasses.replace(run, fills=fills, initial_capital=0.1, **small)
    got, usual = run_metrics(scaled, run.start_index), run_metrics(run, run.start_index)
    assert usual["win_rate"] is not None
    for name, value in usual.items():
        times = 1e-5 if name == "expectancy" else 1.0
        assert got[name] == (None if value is None else pytest.approx(value * times)), name
    for mine, theirs in zip(symbol_rows(scaled, 100), symbol_rows(run, 100), strict=True):
        assert mine["turnover"] == pytest.approx(theirs["turnover"])
        assert mine["weight"] == pytest.approx(theirs["weight"])


def test_a_sound_account_has_no_bankruptcy(run: RunData) -> None:
    assert bankrupt_at(run) is None


def test_symbols_add_up_to_the_run(run: RunData) -> None:
    rows = symbol_rows(run, run.start_index)
    metrics = run_metrics(run, run.start_index)
    costs = cost_waterfall(run, run.start_index)
    assert sum(r["pnl"] for r in rows) == pytest.approx(costs["net"])
    assert sum(r["fees"] for r in rows) == pytest.approx(costs["fees"])
    assert sum(r["funding"] for r in rows) == pytest.approx(costs["funding"])
    for name in ("fills", "trades", "turnover"):
        assert sum(r[name] for r in rows) == pytest.approx(metrics[name])
    invalid = ~run.bars.valid[run.start_index :]
    assert 0 < sum(r["missing"] for r in rows) <= invalid.sum()


def test_bars_are_counted_as_in_a_loop(run: RunData) -> None:
    start, n = run.start_index, len(run.equity)
    held = [bool(run.quantity[i].any()) for i in range(n)]
    wins, active = 0, 0
    for i in range(start, n):
        if held[i] or held[i - 1]:
            active += 1
            wins += run.equity[i] > run.equity[i - 1]
    metrics = run_metrics(run, start)
    assert metrics["num_trades"] == sum(held[start : n - 1])
    assert metrics["exposure"] == pytest.approx(sum(held[start:]) / (n - start))
    assert metrics["win_rate"] == pytest.approx(wins / active)
    traded = 0.0
    for fill in run.fills:  # each on the equity at the last close of the day before
        day = fill["open_time"] // 86_400_000 * 86_400_000
        opened = max(int(np.searchsorted(run.open_time, day)), start)
        traded += abs(fill["quantity"] * fill["price"]) / run.equity[opened - 1]
    assert metrics["turnover"] == pytest.approx(traded)


def test_a_run_that_did_nothing_has_nulls_and_no_numbers_made_up(
    run: RunData, run_maker: Any
) -> None:
    n = len(run.equity)
    nothing = np.zeros(n)
    idle: RunData = run_maker(
        equity=np.full(n, 10_000.0),
        quantity=np.zeros_like(run.quantity),
        fills=run.fills[:0],
        fees=nothing,
        funding=nothing,
        spread=nothing,
        slippage=nothing,
    )
    metrics = run_metrics(idle, idle.start_index, tried=Tried(5, 5, (), (), 0, 1, ""))
    for name in ("sharpe_ratio", "win_rate", "profit_factor", "expectancy", "sqn", "calmar_ratio"):
        assert metrics[name] is None
    assert metrics["total_return"] == 0.0
    assert metrics["trades"] == metrics["fills"] == metrics["num_trades"] == 0
    assert all(v is None or math.isfinite(v) for v in metrics.values())


def test_bars_before_a_symbol_began_are_not_missing(run_maker: Any) -> None:
    run: RunData = run_maker()
    run.bars.valid[:, 0] = True
    run.bars.valid[: run.start_index + 20, 0] = False
    run.bars.valid[run.start_index + 30, 0] = False
    assert symbol_rows(run, run.start_index)[0]["missing"] == 1


def trips_of(*rows: tuple[int, int, float, float]) -> Trips:
    """Return trips of one symbol: first bar, last bar, profit, fraction."""
    first, last, profit, fraction = (np.array([row[k] for row in rows]) for k in range(4))
    return Trips(np.zeros(len(rows), np.int64), first, last, profit, fraction)


def test_the_figures_of_three_trips_by_hand() -> None:
    got = trip_figures(trips_of((0, 2, 30.0, 0.03), (2, 5, -10.0, -0.01), (5, 12, 40.0, 0.04)))
    assert got["trades"] == 3
    assert got["expectancy"] == pytest.approx(20.0)
    assert got["expectancy_fraction"] == pytest.approx(0.02)
    deviation = math.sqrt((0.01**2 + 0.03**2 + 0.02**2) / 2.0)
    assert got["sqn"] == pytest.approx(math.sqrt(3.0) * 0.02 / deviation)
    assert got["mean_bars_held"] == pytest.approx(4.0)


def test_two_trips_have_a_deviation_and_one_has_none() -> None:
    two = trip_figures(trips_of((0, 1, 10.0, 0.01), (1, 4, 30.0, 0.03)))
    assert two["sqn"] == pytest.approx(math.sqrt(2.0) * 0.02 / (0.02 / math.sqrt(2.0)))
    one = trip_figures(trips_of((3, 7, 10.0, 0.01)))
    assert (one["sqn"], one["expectancy"], one["mean_bars_held"]) == (None, 10.0, 4.0)


def test_without_a_trip_there_is_nothing_to_tell_of_them() -> None:
    whole, none = np.zeros(0, np.int64), np.zeros(0)
    got = trip_figures(Trips(whole, whole, whole, none, none))
    assert got.pop("trades") == 0
    assert set(got.values()) == {None}


def test_what_is_held_and_traded_is_as_in_a_loop(run: RunData) -> None:
    start, n = run.start_index, len(run.equity)
    got: dict[str, Any] = dict(exposure_figures(run, start))
    gross = 0.0
    for i in range(start, n):
        gross += (
            sum(abs(q) * p for q, p in zip(run.quantity[i], run.price[i], strict=True))
            / run.equity[i]
        )
    assert got["mean_gross_exposure"] == pytest.approx(gross / (n - start))
    assert got["turnover_annual"] == pytest.approx(got["turnover"] * 8760.0 / (n - start))
    assert elapsed_ms(run, start) == (n - start) * 3_600_000
    assert got["fills"] == sum(int(f["open_time"]) >= int(run.open_time[start]) for f in run.fills)


def test_rows_of_symbols_are_as_in_a_loop(run: RunData) -> None:
    """The last fill of the second symbol is a settlement, of which a bar holds fills of others too."""
    start, fills = run.start_index, run.fills.copy()
    last = int(np.flatnonzero(fills["symbol"] == 1)[-1])
    fills["reason"][last] = FillReason.SETTLEMENT
    made = dataclasses.replace(run, fills=fills, funding_unknown={"S0USDT": 3})
    for s, row in enumerate(symbol_rows(made, start)):
        value = float(run.quantity[-1, s] * run.price[-1, s])
        assert row["position"] == run.quantity[-1, s]
        assert row["position_value"] == pytest.approx(value)
        assert row["weight"] == pytest.approx(value / run.equity[-1])
        assert row["settled"] == (1 if s == 1 else 0)
        assert row["funding_unknown"] == (3 if s == 0 else 0)
        assert row["bars"] == run.bars.valid[start:, s].sum()
        ours = [f for f in fills if f["symbol"] == s and f["open_time"] >= run.open_time[start]]
        assert row["fills"] == len(ours)


def test_a_bar_is_missing_between_the_first_known_and_the_last(run_maker: Any) -> None:
    """Known are the third bar, the fifth and the last but two; of what lacks between, one was out of session."""
    run: RunData = run_maker(n=130, start=120)
    run.bars.valid[120:, 0] = [0, 0, 1, 0, 1, 0, 0, 1, 0, 0]
    run.bars.in_session[125, 0] = False
    assert symbol_rows(run, 120)[0]["missing"] == 2
    run.bars.valid[120:, 0] = False
    assert symbol_rows(run, 120)[0]["missing"] == 0
