"""Rows of arrays [n, S]: which they are, and their values one behind the other.

Rules: it goes over spans of bars, so that of what is made of a span no more is held, and what is made of all has
its place where the caller has room; sums over it are to the bit those of one array. Must not know a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64, Bool
from bot.timegrid import spans

Empty: TypeAlias = Callable[..., Any]
"""Makes an array of a shape and a type of numbers, float64 by default, where large ones have their room."""


def those_of(
    shape: tuple[int, int], of_span: Callable[[slice], npt.ArrayLike], empty: Empty = np.empty
) -> Bool:
    """Return bool[n, S], what is said of each span of bars."""
    rows: Bool = empty(shape, np.bool_)
    for at in spans(*shape):
        rows[at] = of_span(at)
    return rows


def gathered(values: npt.NDArray[Any], rows: Bool, empty: Empty = np.empty) -> Any:
    """Return the values [n, S, ...] at the rows, [r, ...]."""
    flat = empty((int(rows.sum()), *values.shape[2:]), values.dtype)
    return put_in_turn(flat, rows.shape, lambda at: values[at][rows[at]])


def put_in_turn(
    flat: npt.NDArray[Any], shape: tuple[int, ...], of_span: Callable[[slice], npt.NDArray[Any]]
) -> Any:
    """Return `flat` with what is said of each span of [n, S] in turn, cut where that ends."""
    stop = 0
    for at in spans(shape[0], shape[1]):
        part = of_span(at)
        flat[stop : stop + len(part)] = part
        stop += len(part)
    return flat[:stop]


def kept_of(flat: npt.NDArray[Any], kept: Bool, empty: Empty = np.empty) -> Any:
    """Return the values [r, ...] that are kept, bool[r]."""
    return gathered(flat[:, None], kept[:, None], empty)


class EqualParts:
    """Cut rows into parts that are as large as one another, give or take one, by the size of a value.

    Among equal values the order is that of the rows, as a stable sort has it.

    Args:
        ordered: float64[r], the values in rising order.
        n_parts: of them, the first ones larger by one where they cannot be equal.
    """

    def __init__(self, ordered: F64, n_parts: int) -> None:
        size, more = divmod(len(ordered), n_parts)
        ends = np.cumsum([size + (part < more) for part in range(n_parts)])
        self.bounds: list[tuple[int, int]] = [
            (int(end) - size - (part < more), int(end)) for part, end in enumerate(ends)
        ]
        self._cuts = [int(end) for end in ends[:-1]]
        inside = [cut for cut in self._cuts if cut < len(ordered)]
        self._values = ordered[inside]
        below = np.searchsorted(ordered, self._values, "left")
        self._equal_left = np.array(inside, dtype=np.int64) - below

    def of_next(self, values: F64) -> I64:
        """Return int64[m], the part of each of the next rows, from 0; rows are taken in order."""
        part = np.zeros(len(values), dtype=np.int64)
        for k, bound in enumerate(self._values.tolist()):
            above, equal = values > bound, values == bound
            if equal.any():
                place = np.cumsum(equal)
                above |= equal & (place > self._equal_left[k])
                self._equal_left[k] -= place[-1]
            part += above
        return part
