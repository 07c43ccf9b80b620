"""Rows of one series from several files, as one: equal rows once, contradictions refused.

Must not read or write files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bot.adapters.files.candles import COLUMNS, ROUNDING
from bot.blocks import F64, I64, Bool
from bot.errors import DataError
from bot.timestamps import format_utc
from bot.wording import counted

_TURNOVER = COLUMNS.index("turnover")


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """Rows of one series in order of time.

    Attributes:
        time: int64[m] ms UTC.
        values: float64[m, c]: the columns of `Candles`, or the one of funding rates.
        place: names the file and the place of the i-th row.
    """

    time: I64
    values: F64
    place: Callable[[int], str]


def merge(parts: Sequence[SeriesRows]) -> SeriesRows:
    """Return the rows of all parts in order of time, each time once.

    Equal is what differs by rounding alone (`ROUNDING`); the row of the earlier part is kept, with a
    turnover that only the other knows.

    Raises:
        DataError: two rows of one time differ; both places are named.
    """
    merged = parts[0]
    for part in parts[1:]:
        merged = _merge_two(merged, part)
    return merged


def _merge_two(left: SeriesRows, right: SeriesRows) -> SeriesRows:
    _, i, j = np.intersect1d(left.time, right.time, return_indices=True)
    mine, theirs = left.values[i], right.values[j]
    near = np.isclose(mine, theirs, rtol=ROUNDING, atol=0.0, equal_nan=True)
    same: Bool = near.astype(np.bool_)
    if mine.shape[1] > _TURNOVER:
        same[:, _TURNOVER] |= np.isnan(mine[:, _TURNOVER]) | np.isnan(theirs[:, _TURNOVER])
    if not same.all():
        _refuse_conflict(left, right, i, j, ~same)
    values = left.values.copy()
    values[i] = np.where(np.isnan(mine), theirs, mine)
    only = np.setdiff1d(np.arange(len(right.time)), j)
    time = np.concatenate([left.time, right.time[only]])
    order = np.argsort(time, kind="stable")
    count = len(left.time)

    def place(k: int) -> str:
        row = int(order[k])
        return left.place(row) if row < count else right.place(int(only[row - count]))

    return SeriesRows(time[order], np.concatenate([values, right.values[only]])[order], place)


def _refuse_conflict(left: SeriesRows, right: SeriesRows, i: I64, j: I64, differ: Bool) -> None:
    row, column = np.argwhere(differ)[0]
    rows = int(differ.any(axis=1).sum())
    name = COLUMNS[column] if left.values.shape[1] > 1 else "funding_rate"
    ours, theirs = int(i[row]), int(j[row])
    raise DataError(
        f"{right.place(theirs)}: at {format_utc(int(right.time[theirs]))} {name} is "
        f"{right.values[theirs, column]}, and {left.values[ours, column]} in {left.place(ours)}; "
        f"{counted(rows, 'row')} differ{'' if rows > 1 else 's'}, and nothing was written. "
        "The last bar of an export may have been unfinished, or the files are of different "
        "markets: delete the wrong rows, or import into another --data"
    )
