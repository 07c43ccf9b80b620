"""Killed −9 live, each shipped policy and each sizing goes on as if nobody had killed it.

Each way of trading is tried because it is registered. The ledger is that of a daemon nobody killed, so
is all that the engine carries, and the proof replays both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.journal.forms import open_journal
from bot.app.training.rehearsal import rehearsal_bars
from bot.blocks import F64
from bot.parts.registry import parts
from bot.portfolio.policies.carried import EDGE_WIDTH, FUNDING_AT_MS, FUNDING_PER_MS
from bot.timegrid import HOUR_MS, INTERVAL_MS
from scripts.soaking.killing import Point, die
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal
from tests.laws.killed import PLAN, Daemons, carried, never, outlived, warm_up

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

POLICIES, SIZINGS = (
    [name for name, part in parts(kind).items() if part.is_shipped] for kind in ("policy", "sizing")
)
WAYS = [(policy, sizing) for policy in POLICIES for sizing in SIZINGS]
BRIEFLY = [
    ("hysteresis", "fixed"), ("momentum", "fixed"), ("edge", "mean_variance"),
    ("threshold", "proportional"), ("threshold", "volatility_target"), ("threshold", "kelly"),
]  # fmt: skip
"""Every policy and sizing; those that are calibrated rehearse first."""

BRIEF: list[tuple[Point, int]] = [
    ("after fills", 1), ("after ledger", 3), ("before state", 4), ("before COMMIT", 6),
]  # fmt: skip
WHOLE = [each for each in PLAN if each[1] > 1 and "." not in each[0]]

LIVELY = (
    "execution.price=open", "costs.funding=false", "data.history_bars=60", "retrain.every_bars=12",
    "training.min_rows=50", "policy.momentum_bars=8", "policy.confidence=0",
    "policy.cost_multiple=0.1", "policy.hold_bars=2", "signal.threshold=0.001",
    "policy.exit_threshold=0.0005", "sizing.correlation_bars=40", "sizing.rebalance_band=0.005",
    "sizing.risk_aversion=1", "costs.taker_fee=0.00005", "costs.half_spread_bps=0.2",
    "costs.slippage_bps=0.2",
)  # fmt: skip
"""So that each way trades within a few bars."""
REHEARSED = (
    "policy.min_calibration_days=2",
    "synthetic.signal_strength=0.5",
    "data.history_bars=1000",
    "retrain.every_bars=300",
)
CHARGED = (
    "costs.funding=true", "policy.cost_multiple=1.7", "costs.taker_fee=0.00055",
    "costs.half_spread_bps=1", "costs.slippage_bps=1", "costs.impact=0",
    "execution.max_participation=0",
)  # fmt: skip
"""So that some settlements find it flat, and others do not."""
SETTLES_MS = 8 * HOUR_MS


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    warm_up(tmp_path_factory.mktemp("warm") / "run")


ORDERS = {
    "stops": (
        "risk.stop_loss=0.002", "risk.take_profit=0.003", "risk.trailing_stop=0.002",
        "execution.max_participation=0.002", "execution.excess=split", "execution.split_bars=2",
        "portfolio.margin_mode=isolated", "portfolio.leverage=20", "execution.late_policy=hold",
    ),
    "limits": (
        "execution.style=limit", "execution.limit_offset_bps=1", "execution.limit_bars=2",
        "execution.limit_then=cross", "execution.max_participation=0.01", "risk.stop_loss=0.004",
    ),
}  # fmt: skip


def made(folder: Path, policy: str, sizing: str, *more: str) -> Rehearsal:
    calibrated = policy == "edge" or sizing in ("kelly", "mean_variance")
    sets = [*LIVELY, *(REHEARSED if calibrated else ()), *more]
    return Rehearsal.make(folder, *sets, f"policy.kind={policy}", f"sizing.method={sizing}")


def tried(tmp_path: Path, way: tuple[str, ...], plan: list[tuple[Point, int]]) -> Proof:
    """Hold that a run killed at all these points is the run that nobody killed; return its proof."""
    run, killed, calm, proof = outlived(lambda f: made(f, *way), tmp_path, plan, 3)
    assert killed.late == 0
    assert proof.models == killed.models
    same(*(carried(each.folder.journal) for each in (run, calm)))
    rehearsed = run.events("rehearsal_done")
    assert bool(rehearsed) == bool(rehearsal_bars(calm.config))
    return killed


def same(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert mine.keys() == theirs.keys()
    for name, array in mine.items():
        if name == "book.policy_state" and array.shape[1] == EDGE_WIDTH:
            # a rate that nobody is charged is of the moment, as quotes are
            unpaid = [FUNDING_AT_MS, FUNDING_PER_MS]
            np.testing.assert_array_equal(
                np.delete(array, unpaid, axis=1), np.delete(theirs[name], unpaid, axis=1)
            )
        else:
            np.testing.assert_array_equal(array, theirs[name], err_msg=name)


def flat_settlement(journal: Path) -> int:
    """Return the open time of a bar in which funding settles and nobody pays, before one that pays."""
    with open_journal(journal) as reader:
        times, ledger = reader.ledger()
        held = (reader.positions(times) != 0.0).any(axis=1)
    paying = np.flatnonzero(ledger["funding"])
    settles = np.flatnonzero(times % SETTLES_MS == 0)
    found = [i for i in settles if i and not held[i - 1] and not held[i] and (paying > i).any()]
    return int(times[found[0]])


def hurdles(journal: Path) -> F64:
    """Return float64[n, S], what an edge had to exceed at each close, expected funding included."""
    with open_journal(journal) as reader:
        return reader.decisions(reader.ledger()[0])[0]["hurdle"]


def test_killed_while_flat_before_a_settlement_its_rate_is_known(tmp_path: Path) -> None:
    """It pays nothing then, but its next trade is judged by that rate, and pays later ones."""

    def make(folder: Path) -> Rehearsal:
        return made(folder, "edge", "fixed", *CHARGED)

    calm = make(tmp_path / "calm")
    calm.run(26, pool=PoolHere(seconds=0.0))
    settles_ms = flat_settlement(calm.folder.journal)
    daemons = Daemons(make(tmp_path / "killed"), training_s=0.0)

    def reached(point: Point, count: int) -> None:
        if point == "after COMMIT" and daemons.time.now_ms() >= settles_ms:
            die()

    assert daemons.live(60, reached)
    run, step = daemons.rehearsal, INTERVAL_MS[calm.config.market.interval]
    with open_journal(run.folder.journal) as reader:
        closed, _ = reader.ledger()
        assert closed[-1] == settles_ms - step
    assert not daemons.live(26 - len(closed), never)
    killed, proof = (prove(each.folder, each.source) for each in (run, calm))
    rates = killed.bars.funding_rate[killed.bars.open_time == settles_ms]
    assert rates.all()
    assert np.isfinite(rates).all()
    # flat, the one goes by the announced rate, the other by the settled one
    found, expected = (hurdles(each.folder.journal) for each in (run, calm))
    np.testing.assert_allclose(found, expected, rtol=5e-3)
    assert killed.verdict.stored_sha256 == proof.verdict.stored_sha256
    same(*(carried(each.folder.journal) for each in (run, calm)))


def test_every_policy_and_sizing_is_tried() -> None:
    assert {policy for policy, _ in BRIEFLY} == set(POLICIES)
    assert {sizing for _, sizing in BRIEFLY} == set(SIZINGS)


@pytest.mark.parametrize("way", BRIEFLY, ids="-".join)
def test_killed_four_times_nothing_changes(tmp_path: Path, way: tuple[str, str]) -> None:
    assert len(tried(tmp_path, way, BRIEF).fills) >= 3


@pytest.mark.parametrize("orders", ORDERS)
def test_killed_with_orders_that_wait_nothing_changes(tmp_path: Path, orders: str) -> None:
    way = ("threshold", "fixed", *ORDERS[orders])
    assert len(tried(tmp_path, way, BRIEF).fills) >= 3


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_killed_at_every_write_nothing_changes(tmp_path: Path, way: tuple[str, str]) -> None:
    assert len(tried(tmp_path, way, WHOLE).fills) >= 5
