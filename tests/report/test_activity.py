"""A run's figures: they add up, and the counts are those of a loop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bot.report.activity import cost_waterfall, run_metrics, symbol_rows
from bot.report.inputs import RunData


def test_the_waterfall_adds_up(run: RunData) -> None:
    costs = cost_waterfall(run, run.start_index)
    paid = sum(costs[k] for k in ("fees", "spread", "slippage", "funding"))
    assert costs["gross"] - paid == pytest.approx(costs["net"])
    assert costs["net"] == pytest.approx(run.equity[-1] - 10_000.0)
    assert costs["fees"] == pytest.approx(run.fills["fee"].sum())


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
    notional = sum(abs(f["quantity"] * f["price"]) for f in run.fills)
    assert metrics["turnover"] == pytest.approx(notional / run.equity[start:].mean())


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
    metrics = run_metrics(idle, idle.start_index, trials=5)
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
