"""A run's figures: they add up, and the counts are those of a loop."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from bot.report.inputs import RunData
from bot.report.money.activity import (
    bankrupt_at,
    cost_returns,
    cost_waterfall,
    run_metrics,
    symbol_rows,
)
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
