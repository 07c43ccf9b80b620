"""Columns that hold one number for all bars and symbols, and no memory but for that.

What is not known of any bar (quotes, marks' extremes) or never happens (settlements, funding inside) is such a
column. Rules: it cannot be written to; cut and joined it stays one. Must not know which columns a block has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def one_for_all(value: np.generic, shape: tuple[int, ...]) -> Any:
    """Return an array that holds one number for all its places, and no memory but for that.

    >>> float(one_for_all(np.float64(2.0), (1000, 50)).sum())
    100000.0
    """
    return np.broadcast_to(value, shape)


def is_one_for_all(array: npt.NDArray[Any]) -> bool:
    """Tell whether an array of bars and symbols holds one number for all, and is not empty."""
    return array.ndim == 2 and array.strides == (0, 0) and array.size > 0


def chosen_of(column: npt.NDArray[Any], places: list[int]) -> npt.NDArray[Any]:
    """Return the columns of the symbols at these places."""
    if is_one_for_all(column):
        return column[:, : len(places)]
    return np.ascontiguousarray(column[:, places])


def joined(columns: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Join columns that follow one another; one number for all in each stays one."""
    first = columns[0]
    if all(map(is_one_for_all, columns)):
        values = np.array([column[0, 0] for column in columns])
        if (values == values[0]).all() or np.isnan(values).all():
            rows = sum(map(len, columns))
            return one_for_all(first[0, 0], (rows, *first.shape[1:]))  # type: ignore[no-any-return]
    return np.concatenate(columns)
