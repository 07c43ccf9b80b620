"""Every way of storing a run gives the same record: what was written, in any span, as rows and arrays.

Whoever stores runs in another way adds theirs to `IMPLEMENTATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.journal.columns_reader import ColumnReader
from bot.adapters.journal.columns_writer import ColumnJournal
from bot.adapters.journal.forms import open_journal
from bot.adapters.journal.reader import JournalReader
from bot.adapters.journal.schema import JOURNAL_VERSION
from bot.adapters.journal.writer import Journal
from bot.adapters.record.chain import first_link
from bot.adapters.record.commands import CommandRow
from bot.adapters.record.contents import Span
from bot.adapters.record.memory import MemoryRecord
from bot.adapters.record.reading import Record
from bot.adapters.record.tables import Table, columns_of
from bot.app.runs.ledger_hash import stored_ledger
from bot.app.verify.chain import check_chain
from bot.blocks import BarBlock
from bot.engine import StepResult
from bot.engine_state import state_from_arrays, state_to_arrays
from bot.errors import JournalError
from bot.timegrid import HOUR_MS
from tests.adapters.written_runs import SYMBOLS, TASKS, N, S, World, make_world, write

IMPLEMENTATIONS = ("journal", "columns", "memory")
TABLES: tuple[Table, ...] = get_args(Table)
FACTS = {"mode": "test"}
OPENED = {30, 31, 77}
"""Bars that were opened and closed apart."""
START = 1_672_531_200_000
COMMANDS = [
    CommandRow(f"c{k}", kind, settings, "ann", 1000 + k, START + bar * HOUR_MS, inside=False,
               refused=refused, position=k)
    for k, (bar, kind, settings, refused) in enumerate(
        [(20, "pause", "{}", None), (50, "resume", "{}", None),
         (90, "set", '{"risk.max_gross": -1.0}', "out of bounds")], start=1,
    )
]  # fmt: skip
"""Two that hold, and one that does not."""


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def stored(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Record]]:
    """The same run as each implementation gives it."""
    path = tmp_path_factory.mktemp("record") / "journal.db"
    journal = Journal.create(path, SYMBOLS, TASKS, FACTS, durable=False)
    with JournalReader(path) as empty:
        memory = MemoryRecord(SYMBOLS, TASKS, empty.meta)
    assert int(world.bars.open_time[0]) == START
    write(world, [journal, memory], [12, 90], OPENED, COMMANDS)
    journal.close()
    beside = tmp_path_factory.mktemp("columns") / "journal.db"
    columns = ColumnJournal.create(beside, SYMBOLS, TASKS, FACTS)
    write(world, [columns], [12, 90], commands=COMMANDS)  # which takes closed bars alone
    columns.close()
    with ExitStack() as stack:
        yield {
            "journal": stack.enter_context(JournalReader(path)),
            "columns": stack.enter_context(ColumnReader(beside)),
            "memory": memory,
        }


@pytest.fixture(params=IMPLEMENTATIONS)
def record(request: pytest.FixtureRequest, stored: dict[str, Record]) -> Record:
    return stored[request.param]


@pytest.fixture(params=IMPLEMENTATIONS)
def nothing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Record]:
    """A record into which nothing has been written yet."""
    path = tmp_path / "journal.db"
    if request.param == "memory":
        yield MemoryRecord(SYMBOLS, TASKS, FACTS)
        return
    if request.param == "journal":
        Journal.create(path, SYMBOLS, TASKS, FACTS, durable=False).close()
    else:
        ColumnJournal.create(path, SYMBOLS, TASKS, FACTS).close()
    with open_journal(path) as record:
        yield record


def equal(one: Any, two: Any) -> bool:
    """Compare arrays, and what holds arrays, with NaN equal to itself."""
    if isinstance(one, np.ndarray) and one.dtype.names:
        return bool(one.dtype == two.dtype and one.tolist() == two.tolist())
    if isinstance(one, np.ndarray):
        same = np.array_equal(one, two, equal_nan=one.dtype.kind == "f")
        return bool(same and one.dtype == two.dtype)
    if isinstance(one, BarBlock):
        return all(equal(getattr(one, f.name), getattr(two, f.name)) for f in fields(BarBlock))
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(equal(one[key], two[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(two) and all(map(equal, one, two))
    return bool(one == two)


def test_everything_written_is_read_back(world: World, record: Record) -> None:
    *kept, state = write(world, [], [12, 90], OPENED, COMMANDS)
    results = [each for each in kept if isinstance(each, StepResult)]
    assert equal(record.bars(), world.bars)
    times, ledger = record.ledger()
    np.testing.assert_array_equal(times, world.bars.open_time)

    def joined(get: Callable[[StepResult], Any]) -> Any:
        return np.concatenate([get(result) for result in results])

    for name, column in ledger.items():
        np.testing.assert_array_equal(column, joined(attrgetter(f"trace.{name}")))
    np.testing.assert_array_equal(record.positions(times), joined(lambda r: r.trace.quantity))
    decisions, refusals = record.decisions(times)
    np.testing.assert_array_equal(decisions["signal"], joined(lambda r: r.signal))
    np.testing.assert_array_equal(decisions["weight"], joined(lambda r: r.trace.weight))
    np.testing.assert_array_equal(decisions["order_quantity"], joined(lambda r: r.trace.order))
    np.testing.assert_array_equal(refusals, joined(lambda r: r.trace.refusal))
    value, model = record.forecasts(times)
    np.testing.assert_array_equal(value, joined(lambda r: r.forecast.value))
    np.testing.assert_array_equal(model, joined(lambda r: r.forecast.model))
    fills = np.concatenate([e.trace.fills if isinstance(e, StepResult) else e.fills for e in kept])
    assert len(fills) > 40
    np.testing.assert_array_equal(record.fills(), fills)
    assert (record.symbols, record.tasks) == (SYMBOLS, TASKS)
    assert [(m.model_id, m.effective_from, m.due, m.late) for m in record.models()] == [
        (a.model_id, a.effective_from, a.effective_from - HOUR_MS, True) for a in world.activations
    ]
    assert record.commands() == COMMANDS
    carried = record.carried()
    assert carried is not None
    assert (carried.open_time, carried.as_packed) == (state.last_open, True)
    again = state_to_arrays(state_from_arrays(carried.arrays))
    assert equal(again, state_to_arrays(state))
    assert record.meta["mode"] == "test"


def test_how_far_it_goes(world: World, record: Record) -> None:
    times = world.bars.open_time
    first, last = int(times[0]), int(times[-1])
    extent = record.extent()
    assert extent is not None
    assert (extent.bars, extent.first, extent.last) == (N, first, last)
    assert extent.equity == record.ledger(last - 1)[1]["equity"][-1]
    assert record.span("bars") == record.span("decisions") == Span(N * S, first, last)
    assert record.span("chain").rows == (0 if isinstance(record, ColumnReader) else N)
    np.testing.assert_array_equal(record.bar_times(), times)


def test_a_record_proves_itself(record: Record) -> None:
    assert check_chain(record) is None
    assert (record.damage(), record.misshapen(), record.misnumbered()) == (None, None, None)
    [build] = record.builds()
    times, links = record.links()
    assert list(zip(times.tolist(), links, strict=True)) == list(record.rows("chain"))
    if len(times):
        assert equal(record.links(int(times[3]), int(times[8])), (times[4:9], links[4:9]))
    assert build.expected_link(first_link(record.symbols), record.meta) == build.link
    assert len(set(links)) == (0 if isinstance(record, ColumnReader) else N)
    assert record.version == JOURNAL_VERSION


def test_the_last_prices_are_those_of_the_last_valid_bars(world: World, record: Record) -> None:
    prices, bars = record.last_prices(), world.bars
    for s in range(S):
        assert prices.last[s] == bars.close[np.flatnonzero(bars.valid[:, s])[-1], s]


def test_a_command_is_in_the_link_of_its_bar_and_of_no_other(world: World, record: Record) -> None:
    """The refused one too: without it, the links before are the same, and all from it on are not."""
    if isinstance(record, ColumnReader):
        return  # a backtest has no commands, and no links of bars
    other = MemoryRecord(SYMBOLS, TASKS)
    write(world, [other], [12, 90], OPENED, COMMANDS[:2])
    mine, theirs = record.links()[1], other.links()[1]
    assert mine[:90] == theirs[:90]
    assert not set(mine[90:]) & set(theirs[90:])


def test_all_have_the_same_ledger(stored: dict[str, Record]) -> None:
    one, *others = (stored[name] for name in IMPLEMENTATIONS)
    for two in others:
        assert stored_ledger(one).hexdigest() == stored_ledger(two).hexdigest()
        assert equal(list(one.ledger_blocks(37)), list(two.ledger_blocks(37)))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(after=st.integers(-2, N + 1), length=st.integers(0, N), off=st.integers(-1, 1))
def test_any_span_is_the_same_in_all(
    world: World, stored: dict[str, Record], after: int, length: int, off: int
) -> None:
    start = int(world.bars.open_time[0])
    low, high = start + after * HOUR_MS + off, start + (after + length) * HOUR_MS
    one, *others = (stored[name] for name in IMPLEMENTATIONS)
    for two in others:
        for table in TABLES:
            if table == "chain" and isinstance(two, ColumnReader):
                continue  # its seals are of parts
            rows = list(one.rows(table, low, high))
            assert rows == list(two.rows(table, low, high)), table
            first = list(one.first_rows(table, low, high, 7))
            assert first == list(two.first_rows(table, low, high, 7)), table
            assert all(len(row) == len(columns_of(table, TASKS)) for row in rows)
            assert all(low < row[0] <= high for row in rows)
        assert equal(one.bars(low, high), two.bars(low, high))
        times, ledger = one.ledger(low, high)
        assert equal((times, ledger), two.ledger(low, high))
        assert equal(one.fills(low, high), two.fills(low, high))
        for read in ("positions", "decisions", "forecasts"):
            assert equal(getattr(one, read)(times), getattr(two, read)(times)), read


def test_rows_of_bars_that_are_not_asked_for_are_no_damage_and_those_between_are(
    record: Record,
) -> None:
    times, _ = record.ledger()
    assert equal(record.positions(times[40:50]), record.positions(times)[40:50])
    with pytest.raises(
        JournalError, match=r"table decisions has a row of .*, where there is no bar"
    ):
        record.decisions(times[[3, 7]])


def test_a_record_without_a_bar(nothing: Record) -> None:
    none = np.empty(0, dtype=np.int64)
    assert (nothing.extent(), nothing.carried(), nothing.state()) == (None, None, None)
    assert nothing.span("bars") == Span(0, None, None)
    assert len(nothing.bars()) == len(nothing.bar_times()) == len(nothing.fills()) == 0
    assert len(nothing.ledger()[0]) == len(list(nothing.ledger_blocks())) == 0
    assert nothing.positions(none).shape == nothing.decisions(none)[1].shape == (0, S)
    assert nothing.commands() == []
    assert nothing.forecasts(none)[0].shape == (0, S, len(TASKS))
    assert np.isnan(nothing.last_prices().last).all()
    assert check_chain(nothing) is None
