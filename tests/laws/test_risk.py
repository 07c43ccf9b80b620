"""With every limit of risk on: blocks, kills and replays change nothing, and each limit says no."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.app.verify.proof import verify
from bot.portfolio.reasons import FillReason, Refusal
from scripts.soaking.killing import Point
from scripts.soaking.rehearsal import Rehearsal
from tests.laws.killed import carried, outlived, warm_up
from tests.laws.test_kill_ways import LIVELY

if TYPE_CHECKING:
    from tests.conftest import Ran, RunIt

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

CAUTIOUS = (
    "model.members=2", "risk.max_net=0.45", "risk.max_leverage=0.5",
    "risk.cap_tolerance=0.001", "risk.cool_down_bars=4", "risk.max_losses=3", "risk.max_stale_bars=2",
    "risk.max_model_age_bars=100", "risk.max_disagreement=2", "risk.max_distance=1",
)  # fmt: skip
STAGES = ("risk.halve_drawdown=0.02", "risk.flatten_drawdown=0.04")
BACKTEST = (
    "synthetic.bars=700", "synthetic.missing=0.1", "signal.threshold=0.0003", "sizing.fraction=0.4",
    "retrain.every_bars=150", "retrain.trigger=every_bars", *CAUTIOUS, *STAGES,
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(run_it: RunIt) -> Ran:
    return run_it(*BACKTEST)


def test_every_limit_says_no_and_the_replay_agrees(whole: Ran) -> None:
    with whole.reader() as reader:
        times, _ = reader.ledger()
        _, refusals = reader.decisions(times)
        fills = reader.fills()
    said = {Refusal(code).name for code in np.unique(refusals)}
    assert said >= {
        "CAP_NET", "COOL_DOWN", "DRAWDOWN_STAGE", "STALE", "MODEL_TOO_OLD",
        "DIVIDED", "OUT_OF_RANGE",
    }  # fmt: skip
    assert (fills["reason"] == FillReason.RISK).any()
    verdict = verify(whole.folder)
    assert verdict.identical, verdict.difference


@pytest.mark.parametrize("block", [1, 97])
def test_blocks_change_nothing(whole: Ran, run_it: RunIt, block: int) -> None:
    again = run_it(*BACKTEST, f"run.block_bars={block}")
    assert again.done.ledger_sha256 == whole.done.ledger_sha256


def test_killed_four_times_nothing_changes(tmp_path: Path) -> None:
    warm_up(tmp_path / "warm")
    plan: list[tuple[Point, int]] = [
        ("after fills", 1), ("after ledger", 3), ("before state", 4), ("before COMMIT", 6),
    ]  # fmt: skip
    sets = [
        *LIVELY, *CAUTIOUS, "policy.kind=threshold", "risk.halve_drawdown=0.0005",
        "risk.flatten_drawdown=0.01", "risk.max_model_age_bars=8",
    ]  # fmt: skip
    run, killed, calm, _ = outlived(lambda f: Rehearsal.make(f, *sets), tmp_path, plan, 3)
    mine, theirs = (carried(each.folder.journal) for each in (run, calm))
    for name, array in mine.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    assert len(killed.fills) >= 3
