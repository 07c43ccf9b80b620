"""Calling a user's function over windows of one symbol's bars: the way of features and of targets.

Rule: a window is cut here, so that a function sees the bars it is given and no other. Must not know
whether they are bars before a moment or after it.
"""

from __future__ import annotations

from typing import Any

from bot.blocks import F64, I64
from bot.compiled import njit
from bot.parts.compile import COLUMNS, NUMBER, ROW, Signature

OF_SYMBOL = Signature(COLUMNS, (ROW,) * len(COLUMNS), NUMBER)
"""Six arrays of a symbol's bars, oldest first, to a number."""


@njit(cache=True)
def call_windows(call: Any, series: F64, starts: I64, length: int, places: I64, out: F64) -> None:
    """Write to out[places[k]] what the function says of the `length` bars from starts[k] on.

    Args:
        series: float64[6, m], C-contiguous and read-only.
    """
    for k in range(len(starts)):
        a = starts[k]
        b = a + length
        out[places[k]] = call(
            series[0, a:b], series[1, a:b], series[2, a:b],
            series[3, a:b], series[4, a:b], series[5, a:b],
        )  # fmt: skip
