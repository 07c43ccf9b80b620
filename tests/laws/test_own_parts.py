"""A daemon with parts of a user's own of every kind: killed and resumed, it is that of nobody killed.

The parts are those of examples/my_parts.py; tests/app/backtest has the backtest with them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.soaking.rehearsal import Rehearsal
from tests.laws.killed import PLAN, SETTINGS, carried, outlived
from tests.parts.conftest import nothing_loaded

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

__all__ = ["nothing_loaded"]

PARTS = Path(__file__).resolve().parents[2] / "examples" / "my_parts.py"
OWN = (
    f"plugins={PARTS}", "features.names=return_1,volatility,range,atr_14,return_rank",
    "features.settings={return_rank={bars=12}}",
    "targets.kinds=return,direction,volatility,volume,dip", "targets.settings={dip={depth=0.005}}",
    "model.encoder=gated", "training.weighting=random", "policy.kind=patient",
    "policy.settings={patient={cost_multiple=0.5,hold_bars=3}}", "costs.scheme=tiered",
    "execution.price=open", "costs.funding=false", "training.return_loss=mse", "model.dropout=0.1", "training.log_targets=false",
)  # fmt: skip


def test_killed_and_gone_on_with_the_ledger_is_the_same_and_proved(tmp_path: Path) -> None:
    """So are the numbers that policy and cost scheme carry."""
    Rehearsal.make(tmp_path / "warm", *SETTINGS, *OWN).run(14)  # children inherit what it compiles
    killed_at = [(point, count) for point, count in PLAN if "safetensors" not in point][::4]
    run, killed, calm, _ = outlived(
        lambda f: Rehearsal.make(f, *SETTINGS, *OWN), tmp_path, killed_at, 12
    )
    assert (killed.holes, killed.untrue, killed.late) == (0, 0, 0)
    assert len(killed.models) >= 2
    assert len(killed.fills) > 5
    states = [carried(each.folder.journal) for each in (run, calm)]
    assert states[0]["book.policy_state"].any()
    assert states[0].keys() == states[1].keys()
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name], states[1][name])
