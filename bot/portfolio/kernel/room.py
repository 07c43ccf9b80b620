"""Room for what a close works out, so that nothing is allocated; nothing in it outlives the close."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bot.blocks import F64, Bool


class Room(NamedTuple):
    """S numbers of each; all below `entered` are for sizings of the whole account.

    Attributes:
        side: wanted, NaN where nothing is decided.
        kept: whether the side is held already and left as it is.
        target: quantities to be held.
        wanted: whether the target is worth a trade.
        first_limit, first_need, all_first: as `first_tiers.py` notes them.
        at_most: two numbers, no less than the value of all positions and of the largest; not known, infinite.
        entered: whether a limit order has opened or increased the position inside this bar.
        size: of the position, a weight; NaN where it is not sized.
        sized: the side of a symbol that is sized, 0 of one that is not.
        position: the weight held and on order.
        standing: the weight of what is not sized, 0 of what is.
        deviation: of a bar's return.
        cost: of trading a side, of its notional.
        lowest, highest: bounds of the weight.
        covariance: S × S, of a bar's returns; 0 × 0 where no sizing asks for it.
    """

    side: F64
    kept: Bool
    target: F64
    wanted: Bool
    first_limit: F64
    first_need: F64
    all_first: F64
    at_most: F64
    entered: Bool
    size: F64
    sized: F64
    position: F64
    standing: F64
    deviation: F64
    cost: F64
    lowest: F64
    highest: F64
    covariance: F64


def new_room(n_symbols: int, *, sizes_account: bool = False) -> Room:
    """Return room for a call of the kernel."""
    flags = np.zeros((3, n_symbols), dtype=np.bool_)
    numbers = np.zeros((12, n_symbols))
    pairs = n_symbols if sizes_account else 0
    return Room._make(
        [
            numbers[0],
            flags[0],
            numbers[1],
            flags[1],
            numbers[2],
            numbers[3],
            np.zeros(2),
            np.full(2, np.inf),
            flags[2],
            *numbers[4:],
            np.zeros((pairs, pairs)),
        ]
    )
