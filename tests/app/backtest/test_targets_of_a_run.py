"""Runs with other targets than the default: several horizons, a decision head, helping targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.app.backtest.command import write_report
from bot.app.verify.proof import verify
from bot.portfolio.conviction import LEAST_DEVIATION

if TYPE_CHECKING:
    from tests.conftest import RunIt

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

HORIZONS = ["targets.horizons=1,4,12"]
DECISION = [
    'targets.kinds=["return", "direction", "volatility", "volume", "decision"]',
    "signal.source=decision", "signal.threshold=0.02", "targets.decision_cost=0.0005",
    "model.architecture=hierarchical",
]  # fmt: skip
HELPING = [
    'targets.kinds=["return", "direction", "volatility", "range", "skew", "trend", "regime", '
    '"barrier", "barrier_time", "imbalance", "gap", "residual"]',
]


@pytest.mark.parametrize(
    "sets", [HORIZONS, DECISION, HELPING], ids=["horizons", "decision", "more"]
)
def test_it_is_the_same_however_cut_and_proved(
    run_it: RunIt, tmp_path: Path, sets: list[str]
) -> None:
    ran = run_it(*sets)
    again = run_it(*sets, "run.block_bars=97")
    assert ran.done.ledger_sha256 == again.done.ledger_sha256
    fills = ran.reader().fills()
    assert len(fills) > 20
    assert verify(ran.folder).identical
    summary = write_report(ran.folder)
    names = [task.name for task in ran.reader().tasks]
    assert list(summary["skill"]) == names
    for head in summary["skill"].values():
        assert head["measures"]
    assert ran.folder.report.stat().st_size > 50_000


def test_several_horizons_make_one_signal(run_it: RunIt) -> None:
    ran = run_it(*HORIZONS)
    reader = ran.reader()
    value, _ = reader.forecasts(ran.market.bars.open_time)
    decisions, _ = reader.decisions(ran.market.bars.open_time)
    at = {task.name: k for k, task in enumerate(reader.tasks)}
    signal, weight = (np.zeros(value.shape[:2]) for _ in range(2))
    usual = {1: 0.7978845608028654, 4: 0.9213177319235613, 12: 0.9775593518547722}
    # by the mean sample deviation of h bars, the bar's own being 1, and at least a share of the largest
    deviations = [value[:, :, at[f"volatility_{h}"]] / usual[h] for h in usual]
    least = LEAST_DEVIATION * np.max(deviations, axis=0)
    for h in (1, 4, 12):
        r, p, v = (value[:, :, at[f"{kind}_{h}"]] for kind in ("return", "direction", "volatility"))
        v = np.maximum(v / usual[h], least)
        signal = signal + r * np.where(r < 0, 1 - p, p) / v**2
        weight = weight + h / v**2
    known = np.isfinite(decisions["signal"])
    assert known.any()
    expected = (signal / weight)[known]
    np.testing.assert_allclose(decisions["signal"][known], expected, rtol=1e-9)
    manifest = ran.manifests()[0]
    assert set(manifest["variance_scales"]) == {f"volatility_{h}" for h in (1, 4, 12)}
    json.dumps(manifest)
