"""Funding rates: read them, and find when it settles.

Rules: `bar_funding` lays them on bars. A settlement whose rate is not known is NaN, never
zero. When it settles comes from the file's own times where they tell, for a contract's schedule may
change: inside the file a step longer than its neighbours is a hole; outside the file, and without
one, funding settles at 00, 08 and 16 UTC. A time within a minute of a full hour is that hour; one further off
is charged when it says, and stands for a settlement due within a quarter of an hour of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bot.adapters.files.candle_files import write_table
from bot.adapters.files.candle_tables import one_symbol
from bot.adapters.files.layouts import TableShape, columns_of
from bot.adapters.files.row_order import order_rows
from bot.adapters.files.tables import FileTable, read_table
from bot.blocks import F64, I64
from bot.errors import DataError
from bot.plausibility import MAX_FUNDING_RATE
from bot.timegrid import HOUR_MS, MINUTE_MS
from bot.timestamps import TimeReader, format_utc
from bot.wording import counted

USUAL_STEP_MS = 8 * HOUR_MS
"""The longest step of a Bybit schedule, and the usual one."""

_NEAR_MS = 15 * MINUTE_MS
"""A settlement due so close to a known one is that one, early or late."""

_NEIGHBOURS = 3
"""Steps on either side that tell what the schedule was around a step."""


@dataclass(frozen=True, slots=True)
class Funding:
    """Funding times int64[k] ms UTC, forward, and rates float64[k], NaN where not known."""

    time: I64
    rate: F64


def read_funding(path: Path) -> Funding:
    """Read a funding file of any ending: times and rates, fractions such as 0.0001.

    Raises:
        DataError: the file cannot be read, or a row is wrong; the message names file and row.
    """
    return read_funding_table(read_table(path))[0]


def read_funding_table(
    table: FileTable, reader: TimeReader | None = None
) -> tuple[Funding, tuple[str, ...]]:
    """Return the rates of a table of any layout, checked, and what was put in order, as sentences.

    Args:
        table: the rows.
        reader: of the times; by default a strict one.

    Raises:
        DataError: as `read_funding`.
    """
    path, columns = str(table.path), columns_of(TableShape.of(table), "funding")
    one_symbol(table, columns)
    reader = reader or TimeReader(daily=False)
    time = settlement_times(table.times(columns["timestamp"], reader))
    rate = table.numbers(columns["funding_rate"])
    order = order_rows(time, rate[:, np.newaxis], path, table.place)
    funding = Funding(time[order.rows], rate[order.rows])
    _check(funding, path, lambda i: table.place(int(order.rows[i])))
    return funding, order.notes


def settlement_times(time: I64) -> I64:
    """Return times of settlement, each on the full hour where it is within a minute of one.

    Exchanges settle on the hour, and some write down when they were done, milliseconds later.

    >>> settlement_times(np.array([8 * HOUR_MS + 7, 16 * HOUR_MS - 3, 5 * 60_000])).tolist()
    [28800000, 57600000, 300000]
    """
    nearest = (time + HOUR_MS // 2) // HOUR_MS * HOUR_MS
    return np.where(np.abs(time - nearest) < MINUTE_MS, nearest, time)


def write_funding(path: Path, funding: Funding, metadata: dict[str, str] | None = None) -> None:
    """Write a funding file atomically.

    Raises:
        DataError: a rate is not finite or the times do not move forward.
    """
    _check(funding, str(path), lambda i: f"row {i + 1}")
    frame = pd.DataFrame({"timestamp": funding.time, "funding_rate": funding.rate})
    write_table(path, frame, metadata)


def settlements_between(known: Funding | None, first_ms: int, stop_ms: int) -> Funding:
    """Return every known rate, and NaN at the times in first..stop-1 at which it settles at an unknown rate.

    Args:
        known: the file's rates; None without a file.
        first_ms, stop_ms: where the contract was traded; unknown times outside are left out.

    >>> hours = np.array([0, 8, 24]) * HOUR_MS
    >>> found = settlements_between(Funding(hours, np.array([1e-4, 2e-4, 3e-4])), 0, 40 * HOUR_MS)
    >>> (found.time // HOUR_MS).tolist(), np.isnan(found.rate).tolist()
    ([0, 8, 16, 24, 32], [False, False, True, False, True])
    """
    if known is None or len(known.time) == 0:
        time, unknown, rate = np.empty(0, np.int64), _usual(first_ms, stop_ms), np.empty(0)
    else:
        time, rate = known.time, known.rate
        first_known, last_known = int(time[0]), int(time[-1])
        unknown = np.concatenate(
            [
                _usual(first_ms, min(stop_ms, first_known - _NEAR_MS)),
                _holes(time),
                _usual(max(first_ms, last_known + _NEAR_MS), stop_ms),
            ]
        )
        unknown = unknown[(unknown >= first_ms) & (unknown < stop_ms)]
    merged = np.concatenate([time, unknown])
    order = np.argsort(merged, kind="stable")
    return Funding(merged[order], np.concatenate([rate, np.full(len(unknown), np.nan)])[order])


def _usual(first_ms: int, stop_ms: int) -> I64:
    start = -(-first_ms // USUAL_STEP_MS) * USUAL_STEP_MS
    return np.arange(start, max(start, stop_ms), USUAL_STEP_MS, dtype=np.int64)


def _holes(time: I64) -> I64:
    """Return the times that are missing between the known ones.

    A step of at most 8 hours that equals one of its neighbours is the schedule's. Any other may be
    a hole: the schedule around it is the shortest of the three steps on a side, on the side where
    that is longer, so that a change of the schedule is not taken for a hole.
    """
    steps = np.diff(time)
    before, after = np.roll(steps, 1), np.roll(steps, -1)
    suspects = (steps > USUAL_STEP_MS) | ((steps != before) & (steps != after))
    missing: list[int] = []
    for i in np.flatnonzero(suspects):
        sides = [steps[max(0, i - _NEIGHBOURS) : i], steps[i + 1 : i + 1 + _NEIGHBOURS]]
        usual = max(int(s.min()) if len(s) else USUAL_STEP_MS for s in sides)
        step = min(usual, USUAL_STEP_MS)
        missing.extend(range(int(time[i]) + step, int(time[i + 1]) - _NEAR_MS, step))
    return np.array(missing, dtype=np.int64)


def _check(funding: Funding, where: str, place: Callable[[int], str]) -> None:
    wrong_rate = ~(np.abs(funding.rate) <= MAX_FUNDING_RATE)
    backwards = np.concatenate([[False], np.diff(funding.time) <= 0])
    faulty = np.flatnonzero(wrong_rate | backwards)
    if len(faulty):
        i = int(faulty[0])
        what = (
            f"the rate is {funding.rate[i]}, expected a fraction such as 0.0001, at most "
            f"{MAX_FUNDING_RATE} either way"
            if wrong_rate[i]
            else f"{format_utc(int(funding.time[i]))} does not come after the row before; sort them"
        )
        count = counted(len(faulty), "faulty row")
        raise DataError(f"{where}: {count}; {place(i)}: {what}")
