"""Funding rates: read them, and find when funding was due.

Rules: `bar_funding` lays them on bars. A time at which funding was due and whose rate is not known is NaN, never
zero. When it was due comes from the file's own times where they tell, for a contract's schedule may
change: inside the file a step longer than its neighbours is a hole; outside the file, and without
one, funding is due at 00, 08 and 16 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bot.adapters.candle_files import write_table
from bot.adapters.csv_formats import numbers, read_table, resolve_columns, times
from bot.adapters.timestamps import format_utc
from bot.blocks import F64, I64
from bot.errors import DataError
from bot.timegrid import HOUR_MS

USUAL_STEP_MS = 8 * HOUR_MS
"""The longest step of a Bybit schedule, and the usual one."""

_NEIGHBOURS = 3
"""Steps on either side that tell what the schedule was around a step."""


@dataclass(frozen=True, slots=True)
class Funding:
    """Funding times int64[k] ms UTC, forward, and rates float64[k], NaN where not known."""

    time: I64
    rate: F64


def read_funding(path: Path) -> Funding:
    """Read a funding file: `timestamp` int64 ms UTC and `funding_rate`, a fraction.

    Raises:
        DataError: the file cannot be read, or a row is wrong; the message names file and row.
    """
    if path.suffix == ".csv":
        table, first_line = read_table(path)
        names = resolve_columns(table.columns, ["funding_rate"], path)
        time = times(table[names["timestamp"]], path, first_line, daily=False)
        rate = numbers(table[names["funding_rate"]], path, first_line)
        word = "line"
    else:
        time, rate = _read_parquet(path)
        word, first_line = "row", 1
    funding = Funding(time, rate)
    _check(funding, path, word, first_line)
    return funding


def write_funding(path: Path, funding: Funding, metadata: dict[str, str] | None = None) -> None:
    """Write a funding file atomically.

    Raises:
        DataError: a rate is not finite or the times do not move forward.
    """
    _check(funding, path, "row", 1)
    frame = pd.DataFrame({"timestamp": funding.time, "funding_rate": funding.rate})
    write_table(path, frame, metadata)


def due_between(known: Funding | None, first_ms: int, stop_ms: int) -> Funding:
    """Return every known rate, and NaN at the times in first..stop-1 whose rate is due and unknown.

    Args:
        known: the file's rates; None without a file.
        first_ms, stop_ms: where the contract was traded; unknown times outside are left out.

    >>> hours = np.array([0, 8, 24]) * HOUR_MS
    >>> due = due_between(Funding(hours, np.array([1e-4, 2e-4, 3e-4])), 0, 40 * HOUR_MS)
    >>> (due.time // HOUR_MS).tolist(), np.isnan(due.rate).tolist()
    ([0, 8, 16, 24, 32], [False, False, True, False, True])
    """
    if known is None or len(known.time) == 0:
        time, unknown, rate = np.empty(0, np.int64), _usual(first_ms, stop_ms), np.empty(0)
    else:
        time, rate = known.time, known.rate
        first_known, last_known = int(time[0]), int(time[-1])
        unknown = np.concatenate(
            [
                _usual(first_ms, min(stop_ms, first_known)),
                _holes(time),
                _usual(max(first_ms, last_known + 1), stop_ms),
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
        missing.extend(range(int(time[i]) + step, int(time[i + 1]), step))
    return np.array(missing, dtype=np.int64)


def _read_parquet(path: Path) -> tuple[I64, F64]:
    try:
        table = pq.read_table(path, partitioning=None)
        names = resolve_columns(table.column_names, ["funding_rate"], path)
        time = table.column(names["timestamp"]).cast(pa.int64())
        rate = table.column(names["funding_rate"]).cast(pa.float64())
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a readable funding file: {error}") from None
    if time.null_count:
        raise DataError(f"{path}: a row has no timestamp; delete it, or fetch the file again")
    return np.asarray(time.to_numpy(), np.int64), np.asarray(rate.to_numpy(), np.float64)


def _check(funding: Funding, path: Path, word: str, first_row: int) -> None:
    wrong_rate = ~(np.abs(funding.rate) <= 1.0)
    backwards = np.concatenate([[False], np.diff(funding.time) <= 0])
    faulty = np.flatnonzero(wrong_rate | backwards)
    if len(faulty):
        i = int(faulty[0])
        what = (
            f"the rate is {funding.rate[i]}, expected a fraction such as 0.0001"
            if wrong_rate[i]
            else f"{format_utc(int(funding.time[i]))} does not come after the row before; sort them"
        )
        raise DataError(f"{path}: {len(faulty)} faulty rows; {word} {first_row + i}: {what}")
