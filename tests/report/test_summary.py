"""The summary is strict JSON with the names that others rely on."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from bot.config.schema import Report
from bot.report.inputs import RunData
from bot.report.summary import build, targets

CONFIG = Report(bootstrap_samples=100)


def test_it_is_json_with_the_names_of_the_interface(run: RunData) -> None:
    summary = build(run, CONFIG)
    text = json.dumps(summary, allow_nan=False)
    assert json.loads(text) == json.loads(json.dumps(build(run, CONFIG)))
    assert {"metrics", "costs", "skill", "buy_and_hold", "models", "targets"} <= set(summary)
    assert {
        "total_return", "annualized_return", "sharpe_ratio", "sortino_ratio", "max_drawdown",
        "win_rate", "profit_factor", "num_trades", "sharpe_error", "probabilistic_sharpe",
    } <= set(summary["metrics"])  # fmt: skip
    assert summary["facts"]["seconds"] == 1.5
    assert summary["facts"]["from"] == "2023-01-05T04:00:00Z"
    assert summary["facts"]["fills_by_reason"] == {"signal": len(run.fills)}
    assert len(summary["models"]) == 2


def test_since_the_first_model_starts_there(run: RunData) -> None:
    early = dataclasses.replace(run, start_index=20)
    summary = build(early, CONFIG)
    assert summary["since_first_model"] is not None
    assert summary["metrics"]["bars"] == len(run.equity) - 20
    assert summary["since_first_model"]["bars"] == len(run.equity) - (run.start_index - 9)


def test_figures_that_are_not_numbers_become_null(run: RunData) -> None:
    strange = dataclasses.replace(run, facts={"speed": np.float64("nan"), "rows": np.int64(3)})
    facts = build(strange, CONFIG)["facts"]
    assert facts["speed"] is None
    assert facts["rows"] == 3


@pytest.mark.parametrize(
    ("drawdown", "sharpe", "expected"),
    [(0.1, 1.1, (True, True)), (0.2, 1.0, (False, False)), (None, None, (None, None))],
)
def test_targets_are_read_strictly(
    drawdown: float | None, sharpe: float | None, expected: tuple[bool | None, bool | None]
) -> None:
    rows = {
        t["name"]: t["met"] for t in targets({"max_drawdown": drawdown, "sharpe_ratio": sharpe})
    }
    assert (rows["max_drawdown"], rows["sharpe_ratio"]) == expected
    assert len(rows) == 5
