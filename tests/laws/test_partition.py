"""Law: any partition of the history into blocks gives the same ledger, bit for bit."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.app.loop.forecasters import read_forecaster
from bot.app.loop.recorders import NoRecorder
from bot.app.loop.runner import Runner
from bot.engine import Engine
from bot.engine_state import Activation
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.portfolio.ledger import LedgerHash
from bot.portfolio.rules import rules_from
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.laws.conftest import Outcome, Runs, World

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached


@pytest.mark.parametrize("block", [1, 97])
def test_block_size_changes_nothing_trainings_included(
    world: World, run: Runs, whole: Outcome, block: int
) -> None:
    again = run(world, block=block)
    assert again.models == whole.models
    np.testing.assert_array_equal(again.forecasts, whole.forecasts)
    assert again.done.ledger_sha256 == whole.done.ledger_sha256


def replay(world: World, outcome: Outcome, cuts: list[int], live: set[int]) -> str:
    """Step the run's bars again with its models, cut anywhere; some bars as the daemon does."""
    config = world.config
    lookback = config.model.bars_read
    pipeline = FeaturePipeline(config.features, world.symbols, HOUR_MS, lookback)
    tasks = target_tasks(config.targets)
    forecasters: dict[str, Any] = {}
    for model_id, _ in outcome.models:
        forecasters[model_id], _ = read_forecaster(
            outcome.folder.models, model_id, features=pipeline.names, tasks=tasks,
            lookback=lookback, symbols=tuple(world.symbols),
        )  # fmt: skip
    engine = Engine(
        pipeline, rules_from(config, world.symbols), config.signal, tasks,
        len(world.symbols), config.portfolio.initial_capital, forecasters,
    )  # fmt: skip
    ledger = LedgerHash(world.symbols)
    runner = Runner(engine, engine.initial(), NoRecorder(), ledger)
    for model_id, effective_from in outcome.models:
        runner.activate(Activation(effective_from, model_id), None)
    runner.warm(world.bars.rows(0, 200))
    edges = sorted({200, len(world.bars), *cuts, *live, *(i + 1 for i in live)})
    for a, b in itertools.pairwise(edges):
        block = world.bars.rows(a, b)
        if a in live:
            runner.open(block)
        runner.step(block)
    return ledger.hexdigest()


@settings(
    max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(data=st.data())
def test_any_cuts_and_any_bars_opened_and_closed_apart(
    world: World, whole: Outcome, data: st.DataObject
) -> None:
    last = len(world.bars) - 1
    bar = st.integers(200, last)
    cuts = data.draw(st.lists(bar, max_size=40), label="cuts")
    live = data.draw(st.sets(bar, max_size=40), label="live")
    assert replay(world, whole, cuts, live) == whole.done.ledger_sha256
