"""A bar as the assembly closed it: a candle a symbol, or none, and when it came.

Must not decide when a bar is closed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bot.adapters.exchange import Candle
from bot.blocks import BarBlock


@dataclass(frozen=True, slots=True)
class ClosedBar:
    """A closed bar: a candle or None a symbol, and whether it came in time to decide on.

    `confirmed_ms` is when the last of its candles came, None where there is none at all.
    """

    open_time: int
    candles: tuple[Candle | None, ...]
    tradable: bool
    confirmed_ms: int | None
    closed_ms: int


def candles_of(bar: ClosedBar) -> BarBlock:
    """Return the candles of a closed bar as a block of one bar; a missing one is not valid."""
    nan = (math.nan,) * 6
    rows = [candle.values if candle is not None else nan for candle in bar.candles]
    columns = np.array(rows, dtype=np.float64).T[:, None, :]
    return BarBlock.of_candles(
        np.array([bar.open_time], dtype=np.int64), *columns[:5], turnover=columns[5]
    )
