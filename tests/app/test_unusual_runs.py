"""Runs at the edge of what the settings allow: each ends well and can be reported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bot.app.backtest_command import as_json, as_tables, write_report

if TYPE_CHECKING:
    from tests.conftest import RunIt


@pytest.mark.parametrize(
    "sets",
    [
        ["synthetic.symbols=1"],
        ["targets.kinds=return,direction", "targets.horizons=1", "model.batch_norm=false"],
        ["sizing.method=proportional", "training.weighting=uncertainty", "sizing.scale=5"],
        ["risk.max_daily_loss=0.001", "risk.max_drawdown=0.02", "portfolio.initial_capital=50"],
        ["data.start=2023-02-19T23:00"],
        ["execution.late_policy=flatten", "execution.fill=next_close", "synthetic.missing=0.4"],
        ["costs.taker_fee=0.1", "signal.threshold=0", "risk.max_gross=20", "sizing.fraction=6",
         "risk.max_symbol_weight=10"],
        ["signal.threshold=1"],
    ],
)  # fmt: skip
def test_it_runs_and_reports(run_it: RunIt, sets: list[str]) -> None:
    ran = run_it(*sets)
    summary = write_report(ran.folder)
    text = json.dumps(as_json(ran.folder, summary), allow_nan=False)
    assert ran.done.ledger_sha256 in text
    assert as_tables(summary) is not None
    assert "<html" in ran.folder.report.read_text(encoding="utf-8")
