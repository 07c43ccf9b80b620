"""Law: commands hold where they were taken, however the bars around them are cut into blocks."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.record.commands import CommandRow
from bot.adapters.record.memory import MemoryRecord
from bot.app.loop.recorders import NoRecorder
from bot.app.loop.runner import Runner
from bot.app.verify.commands import ReplayedCommands
from bot.blocks import F64, I64, FeatureBlock
from bot.engine import Engine
from bot.engine_state import Activation, state_to_arrays
from bot.features.targets import target_tasks
from bot.portfolio.ledger import LedgerHash
from bot.portfolio.rules import rules_from
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.laws.conftest import World

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

FIRST = 200
SETS: list[dict[str, Any]] = [
    {"risk.max_gross": 0.3}, {"risk.max_gross": 2.0}, {"signal.threshold": 0.002},
    {"signal.threshold": 0.0}, {"risk.max_drawdown": 0.01}, {"sizing.fraction": 0.05},
]  # fmt: skip


class Drawn:
    """Forecasts of a seed, by the bar's time."""

    def __init__(self, world: World, tasks: int) -> None:
        random = np.random.default_rng(6)
        shape = (len(world.bars), len(world.symbols), tasks)
        self._value = random.normal(0.0, 0.01, shape)
        self._first = int(world.bars.open_time[0])

    def forecast(self, open_time: I64, features: FeatureBlock) -> F64:
        value = self._value[(open_time - self._first) // HOUR_MS]
        return np.where(features.ready[:, :, None], value, np.nan)

    def forecast_with_disagreement(self, open_time: I64, features: FeatureBlock) -> tuple[F64, F64]:
        raise AssertionError("nothing asks for the disagreement")

    def distance(self, features: FeatureBlock) -> F64:
        raise AssertionError("nothing asks for the distance")


def recorded(world: World, rows: list[CommandRow]) -> MemoryRecord:
    record = MemoryRecord(world.symbols, target_tasks(world.config.targets))
    for row in rows:
        record.write_command(row)
    return record


def _no_engine(count: int) -> Engine:
    raise AssertionError(f"nothing asks for an engine of {count} symbols")


def lived(
    world: World, rows: list[CommandRow], cuts: list[int], apart: set[int]
) -> tuple[str, dict[str, Any]]:
    """Step the bars with these commands, cut anywhere; some bars as the daemon does."""
    tasks = target_tasks(world.config.targets)
    engine = Engine(
        None, rules_from(world.config, world.symbols), world.config.signal, tasks,
        len(world.symbols), world.config.portfolio.initial_capital,
        {"drawn": Drawn(world, len(tasks))},
    )  # fmt: skip
    ledger = LedgerHash(world.symbols)
    runner = Runner(engine, engine.initial(), NoRecorder(), ledger)
    runner.activate(Activation(int(world.bars.open_time[0]), "drawn"), None)
    runner.warm(world.bars.rows(0, FIRST))
    commands = ReplayedCommands(recorded(world, rows), world.config, {}, lambda _: engine)
    edges = sorted({FIRST, len(world.bars), *cuts, *apart, *(i + 1 for i in apart)})
    for a, b in itertools.pairwise(edges):
        block = world.bars.rows(a, b)
        if a in apart:
            commands.open(runner, block)
        commands.step(runner, block)
    assert commands.left_over() is None
    return ledger.hexdigest(), state_to_arrays(runner.state)


@st.composite
def commands_of(draw: st.DrawFn, last: int) -> list[tuple[int, bool, str, int]]:
    one = st.tuples(
        st.integers(FIRST, last), st.booleans(),
        st.sampled_from(["pause", "flatten", "resume", "resume", "set"]),
        st.integers(0, len(SETS) - 1),
    )  # fmt: skip
    return sorted(draw(st.lists(one, max_size=25)), key=lambda each: each[:2])


def rows_of(world: World, drawn: list[tuple[int, bool, str, int]]) -> list[CommandRow]:
    return [
        CommandRow(
            f"c{k}", kind, json.dumps(SETS[which]) if kind == "set" else "{}", "ann", k,
            int(world.bars.open_time[bar]), inside=inside,
        )
        for k, (bar, inside, kind, which) in enumerate(drawn)
    ]  # fmt: skip


@settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(data=st.data())
def test_any_cuts_around_any_commands_give_the_same_ledger_and_state(
    world: World, data: st.DataObject
) -> None:
    last = len(world.bars) - 1
    rows = rows_of(world, data.draw(commands_of(last), label="commands"))
    bar = st.integers(FIRST, last)
    cuts = data.draw(st.lists(bar, max_size=40), label="cuts")
    apart = data.draw(st.sets(bar, max_size=40), label="apart")
    whole, state = lived(world, rows, [], set())
    again, its = lived(world, rows, cuts, apart)
    assert again == whole
    for name, array in state.items():
        np.testing.assert_array_equal(array, its[name], err_msg=name)


def test_a_command_changes_the_ledger_from_its_bar_on(world: World) -> None:
    """Or the law would hold of commands that nobody obeys."""
    calm, _ = lived(world, [], [], set())
    last = len(world.bars) - 1
    for kind in ("pause", "flatten"):
        found = [
            lived(world, rows_of(world, [(bar, inside, kind, 0)]), [], set())[0]
            for bar, inside in ((FIRST + 50, False), (FIRST + 50, True), (last - 30, False))
        ]
        assert calm not in found
        assert found[0] != found[2]
    for which in range(len(SETS)):
        rows = rows_of(world, [(FIRST + 50, False, "set", which)])
        if SETS[which] not in ({"signal.threshold": 0.0}, {"risk.max_gross": 2.0}):
            assert lived(world, rows, [], set())[0] != calm, SETS[which]


def test_a_command_of_no_bar_is_left_over(world: World) -> None:
    rows = rows_of(world, [(FIRST + 3, False, "pause", 0)])
    commands = ReplayedCommands(recorded(world, rows), world.config, {}, _no_engine)
    left = commands.left_over()
    assert left is not None
    assert (left.table, left.open_time) == ("commands", rows[0].open_time)


@pytest.mark.parametrize("inside", [False, True])
def test_resumed_after_a_flattening_it_holds_what_it_did_not(world: World, *, inside: bool) -> None:
    rows = rows_of(world, [(FIRST + 50, inside, "flatten", 0), (FIRST + 60, inside, "resume", 0)])
    _, state = lived(world, rows, [], set())
    assert (state["book.quantity"] != 0.0).any()
    _, state = lived(world, rows[:1], [], set())
    assert (state["book.quantity"] == 0.0).all()
