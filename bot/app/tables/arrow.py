"""Columns of numpy as Arrow arrays, without pandas.

`pyarrow.array` imports pandas to see whether it was handed any of it, which is 40 MB for a command that
needs none. Rules: NaN and None are null. Must not know a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bot.blocks import F64, Bool


def numbers(values: F64) -> pa.Array:
    """Return float64 values.

    >>> numbers(np.array([1.5, np.nan])).to_pylist()
    [1.5, None]
    """
    return _of(pa.float64(), np.ascontiguousarray(values, np.float64), ~np.isnan(values))


def wholes(values: Sequence[int | None] | npt.NDArray[np.int64]) -> pa.Array:
    """Return whole numbers.

    >>> wholes([1, None]).to_pylist()
    [1, None]
    """
    if isinstance(values, np.ndarray):
        return _of(pa.int64(), np.ascontiguousarray(values, np.int64), None)
    known = np.array([value is not None for value in values], np.bool_)
    return _of(pa.int64(), np.array([value or 0 for value in values], np.int64), known)


def flags(values: Sequence[bool] | Bool) -> pa.Array:
    """Return flags.

    >>> flags([True, False]).to_pylist()
    [True, False]
    """
    column = np.asarray(values, np.bool_)
    return pa.Array.from_buffers(pa.bool_(), len(column), [None, _bits(column)])


def texts(values: Sequence[str | None] | npt.NDArray[Any]) -> pa.Array:
    """Return texts.

    >>> texts(["ä", None]).to_pylist()
    ['ä', None]
    """
    encoded = [b"" if value is None else value.encode() for value in values]
    offsets = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum([len(each) for each in encoded], out=offsets[1:])
    known = np.array([value is not None for value in values], np.bool_)
    content = [_bits(known), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), content)


def _of(kind: pa.DataType, values: npt.NDArray[Any], known: Bool | None) -> pa.Array:
    validity = None if known is None else _bits(known)
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(values)])


def _bits(column: Bool) -> pa.Buffer:
    return pa.py_buffer(np.packbits(column, bitorder="little"))
