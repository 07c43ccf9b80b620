"""The tables of a record beside those of its replay, in the form that the record has.

A record by row is compared row by row, one in columns column by column; rows are made of the latter only
where it differs, to name the first field that does. Rules: equal means bit for bit in both; bars are
proved before they are used: those of rows by their hashes, those of columns by the seals of their
columns, which are held against them as they are read. Must not read files.
"""

from __future__ import annotations

import numpy as np

from bot.adapters.record.column_arrays import ColumnsAsArrays
from bot.adapters.record.columns import rows_of, same_columns
from bot.adapters.record.difference import Difference
from bot.adapters.record.memory import MemoryRecord
from bot.adapters.record.reading import Record
from bot.adapters.record.tables import REPLAYED, Table, columns_of
from bot.app.verify.rows import check_bars, first_difference
from bot.blocks import I64, BarBlock


def replayed_tables(record: Record) -> tuple[Table, ...]:
    """Return the tables that a replay makes again; a record in columns has no chain of bars."""
    in_columns = isinstance(record, ColumnsAsArrays)
    return tuple(table for table in REPLAYED if not (in_columns and table == "chain"))


def memory_for(record: Record) -> MemoryRecord:
    """Return what the replay of a record is written to."""
    first = record.symbols[: record.joins.first]
    return MemoryRecord(first, record.tasks, sealed=not isinstance(record, ColumnsAsArrays))


def proved_bars(
    record: Record, after: int, to: int, times: I64
) -> tuple[BarBlock | None, Difference | None]:
    """Return the bars of a span as a block, or the first row that is not as it must be.

    Args:
        times: int64[n], the bars of the span that any symbol has a row of.
    """
    if isinstance(record, ColumnsAsArrays):
        keys = record.columns("bars", after, to, ("open_time", "symbol"))
        order = record.texts.order
        if np.array_equal(keys["open_time"], np.repeat(times, len(order))) and np.array_equal(
            keys["symbol"], np.tile(order, len(times))
        ):
            return (record.bars(after, to) if len(times) else None), None
    return check_bars(record.rows("bars", after, to), times, record.symbols)


def table_difference(
    table: Table, record: Record, replayed: MemoryRecord, after: int, to: int
) -> tuple[Difference | None, int]:
    """Return the first row and field of a span that differ, None where none does; and its rows."""
    names = columns_of(table, record.tasks)
    if isinstance(record, ColumnsAsArrays):
        texts = record.texts
        ours, theirs = record.columns(table, after, to), replayed.columns(table, texts)
        count = len(ours["open_time"])
        if same_columns(ours, theirs):
            return None, count
        rows = [rows_of(table, each, texts, record.tasks) for each in (ours, theirs)]
        return first_difference(table, names, *rows), count
    stored = record.rows(table, after, to)
    return first_difference(table, names, stored, replayed.rows(table)), len(stored)
