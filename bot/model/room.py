"""Where large arrays lie: in memory, or wherever the caller has room for them; and work in spans of rows.

Owns `RowRoom` and `spans`. Rule: where an array lies changes no bit of it. Must not know a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, Bool

SPAN_ROWS = 2**16
"""Rows that are worked on at a time: what is held of them is small beside a network's libraries."""

_T = TypeVar("_T", bound=np.generic)
_Shape = int | tuple[int, ...]


class RowRoom(Protocol):
    """Makes room for arrays."""

    def empty(self, shape: _Shape, dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
        """Return an array of this shape, of any content.

        Raises:
            BotError: there is no room.
        """


class InMemory:
    """Arrays in memory, like any other."""

    def empty(self, shape: _Shape, dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
        """Return an array of this shape, of any content."""
        return np.empty(shape, dtype)


IN_MEMORY = InMemory()


def spans(n: int, rows: int | None = None) -> Iterator[slice]:
    """Yield slices over n rows, at most `rows` each, or SPAN_ROWS.

    >>> list(spans(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    size = SPAN_ROWS if rows is None else rows
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def filled(
    room: RowRoom,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    rows_of: Callable[[slice], npt.ArrayLike],
) -> npt.NDArray[Any]:
    """Return an array [N, …], filled span by span by what `rows_of` gives of the rows of a span."""
    made = room.empty(shape, dtype)
    for span in spans(shape[0]):
        made[span] = rows_of(span)
    return made


def mask(room: RowRoom, n: int, holds: Callable[[slice], npt.ArrayLike]) -> Bool:
    """Return bool[n], whether something holds of each row."""
    found: Bool = filled(room, (n,), np.bool_, holds)
    return found


def chosen_of(array: npt.NDArray[_T], chosen: Bool, room: RowRoom) -> npt.NDArray[_T]:
    """Return the rows of an array [N, …] where bool[N] `chosen` holds, in their order."""
    found = room.empty((int(chosen.sum()), *array.shape[1:]), array.dtype)
    at = 0
    for span in spans(len(array)):
        part = array[span][chosen[span]]
        found[at : at + len(part)] = part
        at += len(part)
    return found


def known_of(column: F64, room: RowRoom) -> F64:
    """Return the values of float64[N] that are not NaN, in their order."""
    return chosen_of(column, mask(room, len(column), lambda span: ~np.isnan(column[span])), room)


def squares_of(values: F64, room: RowRoom, less: float = 0.0) -> F64:
    """Return (value - less)² of float64[N]."""
    found: F64 = room.empty(len(values))
    np.subtract(values, less, out=found)
    np.multiply(found, found, out=found)
    return found


def deviations(x: F64) -> F64:
    """Return x.std(axis=0) of float64[N, F], to the bit, without a copy of x.

    numpy adds rows one after the other where there are several columns; a single column it adds in pairs.
    """
    if len(x) <= SPAN_ROWS or x.shape[1] == 1:
        found: F64 = x.std(axis=0)
        return found
    mean = x.mean(axis=0)
    total: F64 = np.empty((0, x.shape[1]))
    for span in spans(len(x)):
        total = np.add.reduce(np.vstack([total, np.square(x[span] - mean)]), axis=0, keepdims=True)
    return np.asarray(np.sqrt(total[0] / len(x)))
