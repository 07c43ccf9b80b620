"""Rows of a series in order of time, each time once: sorted, equal rows merged, conflicts refused.

Owns what may stand in a file out of order or twice: any order is sorted, and a row that stands
there again in all its values is left out, and both are said. Two rows of one time that differ are
refused by their places: nothing tells which of them is true. Must not know what the values mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bot.blocks import F64, I64
from bot.errors import DataError
from bot.timestamps import format_utc


@dataclass(frozen=True, slots=True)
class Ordered:
    """Rows in order of time.

    Attributes:
        rows: int64[k], the index of each row that is kept, oldest first.
        notes: what was out of order or stood there twice, a sentence each.
    """

    rows: I64
    notes: tuple[str, ...]


def order_rows(time: I64, values: F64, where: str, place: Callable[[int], str]) -> Ordered:
    """Return the order of rows by time.

    Args:
        time: int64[m] ms UTC.
        values: float64[m, c]; NaN equals NaN.
        where: the file, for an error.
        place: names the place of the i-th row.

    Raises:
        DataError: two rows of one time have different values.

    >>> order_rows(np.array([2, 1, 2]), np.array([[5.0], [4.0], [5.0]]), "x", str).rows.tolist()
    [1, 0]
    """
    steps = np.diff(time)
    if np.all(steps > 0):
        return Ordered(np.arange(len(time)), ())
    order = np.argsort(time, kind="stable")
    again = np.concatenate([[False], np.diff(time[order]) == 0])
    now, before = values[order[again]], values[order[np.flatnonzero(again) - 1]]
    differ = ~((now == before) | (np.isnan(now) & np.isnan(before))).all(axis=1)
    if differ.any():
        k = int(np.flatnonzero(again)[np.argmax(differ)])
        first, second = sorted((int(order[k - 1]), int(order[k])))
        count = f" ({int(differ.sum())} such pairs)" if differ.sum() > 1 else ""
        raise DataError(
            f"{where}: {place(second)}: a second row at {format_utc(int(time[second]))}, with "
            f"other values than {place(first)}; keep the right one{count}"
        )
    return Ordered(order[~again], tuple(_notes(steps, int(again.sum()))))


def _notes(steps: I64, repeated: int) -> list[str]:
    notes = []
    if np.all(steps <= 0) and np.any(steps < 0):
        notes.append("newest first: sorted on reading")
    elif np.any(steps < 0):
        notes.append(f"out of order at {int((steps < 0).sum())} places: sorted on reading")
    if repeated:
        rows = "a row stands" if repeated == 1 else f"{repeated} rows stand"
        notes.append(f"{rows} there twice with the same values: merged")
    return notes
