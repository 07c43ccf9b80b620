"""Before a run goes on: does its journal agree with itself as far as can be seen at once?

Rules: it costs counts and sums, never a replay: `bot verify` proves, this refuses to trade on from
books that cannot be true. What it compares is the committed state with the rows that led to it.
Must not write and must not repair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bot.adapters.record.reading import Record
from bot.adapters.record.tables import Table
from bot.app.runs.folder import RunFolder
from bot.engine_state import NEVER, EngineState
from bot.errors import JournalError
from bot.wording import command_in_text

REL, ABS = 1e-9, 1e-6
"""Sums are made in another order than the book's; no row is as small as what is allowed."""


def check_resumable(
    folder: RunFolder, record: Record, state: EngineState, interval_ms: int
) -> None:
    """Compare the committed state with the rows of the journal.

    Args:
        state: as the journal holds it, or that of a new run.

    Raises:
        JournalError: they tell of different histories.
    """
    for fault in _faults(record, state, interval_ms):
        raise JournalError(
            f"{folder.journal}: {fault}. The journal is damaged or was changed; "
            f"{command_in_text('verify', folder.path)} names the first row that differs. Restore a "
            "copy, or begin a new run"
        )


def _faults(record: Record, state: EngineState, interval_ms: int) -> Iterator[str]:
    yield from _bars(record, state, interval_ms)
    yield from _ledger(record, state)
    yield from _fills(record, state)
    taken = sum(row.refused is None for row in record.commands())
    if taken != (obeyed := int(state.book.account["commands"][0])):
        yield f"table commands has {taken} that hold, the state obeys {obeyed}"
    made = [(row.model_id, row.effective_from) for row in record.models()]
    if made != [(a.model_id, a.effective_from) for a in state.schedule]:
        yield f"table models has {len(made)} activations, the state {len(state.schedule)}, or others"


def _bars(record: Record, state: EngineState, interval_ms: int) -> Iterator[str]:
    bars = record.span("bars")
    if bars.first is None or bars.last is None:
        if state.last_open != NEVER:
            yield f"table bars is empty, the state has reached bar {state.last_open}"
        return
    if bars.last != state.last_open:
        yield f"table bars ends at {bars.last}, the state at {state.last_open}"
    n, S = (bars.last - bars.first) // interval_ms + 1, len(record.symbols)
    if bars.rows != n * S:
        yield (
            f"table bars has {bars.rows} rows, expected {n * S}: one for each of {n} bars and {S} "
            "symbols"
        )


def _ledger(record: Record, state: EngineState) -> Iterator[str]:
    account = state.book.account[0]
    booked = int(account["bars"])
    expected: dict[Table, int] = {
        "ledger": booked,
        "chain": booked,
        "decisions": int(record.joins.counts(record.ledger_times()).sum()),
    }
    for table, wanted in expected.items():
        if (found := record.span(table).rows) != wanted:
            yield f"table {table} has {found} rows, the state knows of {wanted}"
    extent = record.extent()
    if extent is None:
        return
    if extent.equity != float(account["equity"]):
        yield f"the last equity is {extent.equity!r}, the state has {float(account['equity'])!r}"
    if state.opened:
        return
    times, ledger = record.ledger(extent.last - 1)
    cash = float(ledger["cash"][-1])
    if cash != float(account["cash"]):
        yield f"the last cash is {cash!r}, the state has {float(account['cash'])!r}"
    if not np.array_equal(record.positions(times)[-1], state.book.quantity):
        yield "the last positions are not those of the state"


def _fills(record: Record, state: EngineState) -> Iterator[str]:
    account, fills = state.book.account[0], record.fills()
    if len(fills) != int(account["fills"]):
        yield f"table fills has {len(fills)} rows, the state knows of {int(account['fills'])}"
    for name in ("fees", "spread", "slippage"):
        paid = math.fsum(fills["fee" if name == "fees" else name].tolist())
        if not math.isclose(paid, float(account[name]), rel_tol=REL, abs_tol=ABS):
            yield f"the {name} of the fills sum to {paid!r}, the state has {float(account[name])!r}"
    for s, symbol in enumerate(record.symbols):
        mine = fills[fills["symbol"] == s]["quantity"]
        traded = float(np.abs(mine).sum())
        held, filled = float(state.book.quantity[s]), math.fsum(mine.tolist())
        if not math.isclose(filled, held, rel_tol=REL, abs_tol=REL * (1.0 + traded)):
            yield f"the fills of {symbol} sum to {filled!r}, the state holds {held!r}"
