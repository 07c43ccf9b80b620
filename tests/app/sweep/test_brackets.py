"""The brackets of a run: what both readings come to, and where profit ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.app.runs.folder import RunFolder
from bot.app.sweep.brackets import brackets_of_run
from bot.app.sweep.replay import replay_of
from bot.app.sweep.source import source_of_run
from bot.portfolio.rules import with_costs
from tests.app.sweep.conftest import Backtest

if TYPE_CHECKING:
    from tests.conftest import Cli

Run = Callable[..., RunFolder]


@pytest.fixture
def run(backtest: Backtest, tmp_path: Path) -> Run:
    def make(*sets: str) -> RunFolder:
        backtest(tmp_path / "runs" / "one", "policy.kind=threshold", *sets)
        return RunFolder(tmp_path / "runs" / "one")

    return make


def test_the_bad_reading_is_the_run_itself_and_the_multiple_ends_its_profit(
    run: Run, cli: Cli
) -> None:
    folder = run()
    said = cli("report", folder.path, "--brackets", "--json").json
    bad = said["brackets"]["pessimistic"]
    assert bad["net_return"] == pytest.approx(said["metrics"]["total_return"], rel=1e-12)
    assert bad["sharpe"] == pytest.approx(said["metrics"]["sharpe_ratio"], rel=1e-9)
    multiple = said["brackets"]["cost_multiple"]
    source = source_of_run(folder)
    replay = replay_of(source)
    nets = [
        replay.tally(source.config, "", {}, partial(with_costs, multiple=m)).outcome.net_return
        for m in (multiple * 0.99, multiple * 1.01)
    ]
    assert nets[0] is not None
    assert nets[1] is not None
    assert nets[0] > 0.0 > nets[1]


def test_readings_part_where_a_bars_path_liquidates(run: Run) -> None:
    """At 50 times and half a per cent of maintenance a wick ends what its close would have kept."""
    folder = run(
        "portfolio.margin_mode=isolated", "portfolio.leverage=50", "synthetic.volatility=0.01",
        "sizing.fraction=2", "risk.max_gross=0", "risk.max_symbol_weight=0",
    )  # fmt: skip
    found = brackets_of_run(folder)
    assert found.pessimistic.fills != found.optimistic.fills
    assert found.pessimistic.net_return != found.optimistic.net_return


def test_without_trades_there_is_nothing_to_multiply(run: Run, cli: Cli) -> None:
    folder = run("signal.threshold=1")
    said = cli("report", folder.path, "--brackets")
    assert said.code == 0, said.err
    assert "nothing was traded" in said.out
    found = brackets_of_run(folder)
    assert found.cost_multiple is None
    assert found.pessimistic == found.optimistic
    assert found.pessimistic.net_return == 0.0


def test_costs_that_kill_any_profit(run: Run) -> None:
    """With a fee of a tenth the profit ends far below once its costs."""
    found = brackets_of_run(run("costs.taker_fee=0.05"))
    assert found.cost_multiple is not None
    assert 0.0 < found.cost_multiple < 1.0
    assert np.isfinite(found.cost_multiple)
