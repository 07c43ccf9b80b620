"""The honest bench: a planted signal is found and pays; without one nothing is, and costs are lost.

A short form of scripts/null_market, which looks at 20 markets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from bot.app.runs.results import read_run
from bot.report.summary import Summary, build

if TYPE_CHECKING:
    from tests.conftest import RunIt

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

BENCH = [
    "data.source=synthetic", "synthetic.symbols=4", "synthetic.bars=3000", "model.hidden=[32]",
    "model.head_hidden=16", "training.epochs=8", "training.batch_size=512",
    "training.learning_rate=0.003", "training.min_rows=2000", "training.window_bars=1500",
    "retrain.trigger=every_bars", "retrain.every_bars=500", "report.bootstrap_samples=300",
    "run.record=full", "policy.kind=threshold", "training.interpret=false",
]  # fmt: skip

Bench = Callable[[float, int], Summary]


@pytest.fixture(scope="module")
def bench(run_it: RunIt) -> Bench:
    def go(strength: float, seed: int) -> Summary:
        ran = run_it(f"synthetic.signal_strength={strength}", f"synthetic.seed={seed}", quick=BENCH)
        return build(read_run(ran.folder), ran.config.report)

    return go


def measures(summary: Summary) -> dict[str, dict[str, Any]]:
    return {head["kind"]: head["measures"] for head in summary["skill"].values()}


def test_a_planted_signal_is_found_and_pays_after_costs(bench: Bench) -> None:
    summary = bench(0.25, 1)
    found = measures(summary)
    assert found["return"]["rank_ic"]["low"] > 0.0
    assert found["direction"]["auc"]["low"] > 0.5
    sharpe, error = (summary["metrics"][k] for k in ("sharpe_ratio", "sharpe_error"))
    assert sharpe is not None
    assert error is not None
    assert sharpe > 2.0 * error > 0.0
    assert summary["costs"]["net"] > 0.0


def test_without_a_signal_nothing_is_found_and_the_costs_are_lost(bench: Bench) -> None:
    summaries = [bench(0.0, seed) for seed in (1, 2, 3)]
    covered = 0
    for summary in summaries:
        found = measures(summary)
        assert found["return"]["mse_skill"]["low"] <= 0.0
        for measure in (found["return"]["rank_ic"], found["direction"]["auc"]):
            covered += measure["low"] <= measure["null"] <= measure["high"]
    assert covered >= 5
    gross = sum(s["costs"]["gross"] for s in summaries)
    net = sum(s["costs"]["net"] for s in summaries)
    assert net < 0.0
    assert abs(gross) < 2.0 * (gross - net)
