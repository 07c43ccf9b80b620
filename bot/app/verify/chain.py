"""The hash chain of a record, made again from its own rows: no engine, no models.

It shows that rows are as they were written, whichever build wrote them; not that the engine would
write them. Must not read files.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from bot.adapters.record.chain import chain_links, first_link, rows_as_bytes
from bot.adapters.record.column_arrays import ColumnsAsArrays
from bot.adapters.record.commands import command_bytes
from bot.adapters.record.difference import MISSING, Difference
from bot.adapters.record.reading import Record
from bot.adapters.record.tables import EARLIEST, LATER_DECISION_VALUES, LATEST, Row, Table
from bot.blocks import F64, FILL, I64
from bot.portfolio.reasons import FILL_REASON_CODE, REFUSAL_CODE

SPAN_BARS = 4096
BY_BAR: tuple[Table, ...] = ("ledger", "decisions", "positions", "forecasts", "fills")


def check_chain(
    record: Record, after: int = EARLIEST, to: int = LATEST, link: bytes | None = None
) -> Difference | None:
    """Return the first closed bar whose rows do not make its link, None where all do.

    Args:
        after, to: the span of open times, from after the one to the other.
        link: that the span's first one goes on from; by default the chain's start.
    """
    if isinstance(record, ColumnsAsArrays):
        record.check_seals()  # in place of links: a column that was changed is refused
        return None
    made_with = record.symbols[: record.joins.first]
    link = first_link(made_with) if link is None else link
    seams = {row.closed: row.link for row in record.builds() if row.is_seam}
    link = seams.get(None, link) if after == EARLIEST else link
    times, links = record.links(after, to)
    stored = dict(zip(times.tolist(), links, strict=True))
    edges = {*range(0, len(times), SPAN_BARS), len(times)}
    edges |= {int(np.searchsorted(times, joined)) for joined, _ in record.joins.later}
    for start, stop in itertools.pairwise(sorted(edges)):
        part = times[start:stop]
        since = after if start == 0 else int(times[start - 1])
        try:
            made = _bytes_of(record, since, part)
        except (KeyError, ValueError, TypeError) as error:
            return Difference(
                "chain",
                "rows",
                int(part[0]),
                symbol=None,
                stored=repr(error),
                replayed="rows of a bar",
            )
        if isinstance(made, Difference):
            return made
        for time, content in zip(part.tolist(), made, strict=True):
            [link] = chain_links(link, [content])
            if stored[time] != link:
                return Difference(
                    "chain", "link", time, symbol=None, stored=stored[time], replayed=link
                )
            link = seams.get(time, link)
    return None


def _bytes_of(record: Record, after: int, times: I64) -> list[bytes] | Difference:
    """Return what each bar's link is over, or the first row that belongs to no bar of the chain."""
    to = int(times[-1])
    tables: tuple[Table, ...] = (*BY_BAR, "bars")
    rows = {table: record.rows(table, after, to) for table in tables}
    known = set(times.tolist())
    for table in BY_BAR:
        odd = [row for row in rows[table] if row[0] not in known]
        if odd:
            return Difference(
                table, "row", odd[0][0], symbol=None, stored="a row", replayed=MISSING
            )
    commands = [row for row in record.commands() if after < row.open_time <= to]
    for command in commands:
        if command.open_time not in known:
            return Difference(
                "commands", "row", command.open_time, symbol=None, stored="a row", replayed=MISSING
            )
    place = {time: i for i, time in enumerate(times.tolist())}
    there = record.symbols[: record.joins.count_at(to)]
    which = {name: s for s, name in enumerate(there)}
    n, S, K = len(times), len(which), len(record.tasks)

    def laid(found: Sequence[Row], first: int, width: int, empty: float = np.nan) -> F64:
        out = np.full((n, S, width), empty)
        for row in found:
            out[place[row[0]], which[row[1]]] = row[first : first + width]
        return out

    refusals = np.zeros((n, S), dtype=np.int64)
    for row in rows["decisions"]:
        refusals[place[row[0]], which[row[1]]] = REFUSAL_CODE[row[5]]
    hashes = np.zeros((n, S), dtype=np.int64)
    for row in rows["bars"]:
        if row[0] in place and row[1] in which:
            hashes[place[row[0]], which[row[1]]] = row[-1]
    decided = laid(rows["decisions"], 2, 3)
    later = laid(rows["decisions"], 6, len(LATER_DECISION_VALUES))
    values: list[Any] = [laid(rows["forecasts"], 3, K), decided, laid(rows["positions"], 2, 1, 0.0)]
    order = [values[0], decided[:, :, 0], decided[:, :, 1], decided[:, :, 2], values[2][:, :, 0]]
    ledger = np.array([row[1:] for row in rows["ledger"]], dtype=np.float64)
    fills = np.array(
        [(r[0], which[r[1]], *r[2:7], FILL_REASON_CODE[r[7]]) for r in rows["fills"]], dtype=FILL
    )
    return rows_as_bytes(
        times,
        hashes=hashes,
        values=np.concatenate([part.reshape(n, -1) for part in order], axis=1),
        refusals=refusals,
        ledger=ledger.reshape(n, -1),
        fills=fills,
        later=later,
        commands=command_bytes(commands),
    )
