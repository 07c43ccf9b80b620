"""A run's tables by page: rows as recorded, oldest first, whole bars.

Rules: a cursor is the open time of the last bar given, so that pages neither overlap nor leave out
what is written meanwhile. One page is one short read of the record.
"""

from __future__ import annotations

import math
from typing import Any

from bot.adapters.record.reading import Record
from bot.adapters.record.tables import BAR_FLAGS, Table, columns_of
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.serve.api.asked import cursor_of
from bot.serve.api.forms import Kind, RowsPage
from bot.serve.problems import Problem

MOST_ROWS = 10_000
READ_ROWS = 20_000
"""Rows that are read for one page, where only one symbol's are wanted."""
_KINDS: dict[str, Kind] = {
    "open_time": "whole", "symbol": "text", "model_id": "text", "refusal": "text", "reason": "text",
    **dict.fromkeys(BAR_FLAGS, "whole"),
}  # fmt: skip
"""Kinds of the record's columns, as stored; all others are numbers."""
_LEFT_OUT = {"row_hash"}
"""Of the record's own keeping: a number too long for JSON's readers."""


def table_page(
    folder: RunFolder, table: Table, after: int, to: int, most: int, symbol: str | None
) -> RowsPage:
    """Return the first rows of a span.

    Args:
        most: rows; a bar's own are never split, so that there can be as many as a bar has.
        symbol: only its rows.

    Raises:
        Problem: the run has no such symbol.
        JournalError: the run cannot be read.
    """
    with open_record(folder, follow=True) as record:
        names = columns_of(table, record.tasks)
        by_symbol = symbol is not None and _known(record, symbol)
        width = len(record.symbols) if by_symbol else 1
        rows = record.first_rows(table, after, to, min(most * width, READ_ROWS))
        place = rows[-1][0] if rows else None
        more = place is not None and bool(record.first_rows(table, place, to, 1))
    wanted = [row for row in rows if row[1] == symbol] if by_symbol else rows
    kept = [k for k, name in enumerate(names) if name not in _LEFT_OUT]
    return RowsPage(
        {names[k]: _KINDS.get(names[k], "number") for k in kept},
        [[finite(row[k]) for k in kept] for row in wanted],
        cursor_of(place) if more and place is not None else None,
    )


def finite(value: Any) -> Any:
    """Return a value, None for a number that JSON has no word for."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _known(record: Record, symbol: str) -> bool:
    if symbol not in record.symbols:
        raise Problem(422, f"symbol: the run has {', '.join(record.symbols)}, not '{symbol:.40}'")
    return True
