"""Room for what a close works out, so that nothing is allocated; nothing in it outlives the close."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bot.blocks import F64, Bool


class Room(NamedTuple):
    """S numbers of each.

    Attributes:
        side: wanted, NaN where nothing is decided.
        kept: whether the side is held already and left as it is.
        target: quantities to be held.
        wanted: whether the target is worth a trade.
    """

    side: F64
    kept: Bool
    target: F64
    wanted: Bool


def new_room(n_symbols: int) -> Room:
    """Return room for a call of the kernel."""
    flags = np.zeros((2, n_symbols), dtype=np.bool_)
    numbers = np.zeros((2, n_symbols))
    return Room(numbers[0], flags[0], numbers[1], flags[1])
