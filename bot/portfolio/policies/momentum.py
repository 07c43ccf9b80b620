"""Momentum: the sign of the return of the last policy.momentum_bars bars; needs no model.

A control: what a rule without any learning earns in the same account.
"""

from __future__ import annotations

import math

import numpy as np

from bot.parts.registry import shipped
from bot.portfolio.book import Book
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.market import Market
from bot.portfolio.policies.carried import MOMENTUM_FIXED

COUNT = 0


@cold
def momentum_side(i: int, s: int, book: Book, market: Market) -> float:
    """Take in the close and return the side; NaN while there are too few.

    The closes of the symbol's own bars lie in a ring behind their count.
    """
    state = book.policy_state[s]
    n = len(state) - MOMENTUM_FIXED
    close = market.close[i, s]
    at = MOMENTUM_FIXED + int(state[COUNT]) % n
    before = state[at]
    state[at] = close
    state[COUNT] += 1.0
    if state[COUNT] <= n:
        return math.nan
    side: float = np.sign(close - before)
    return side


shipped(
    "policy", "momentum", keys=("policy.momentum_bars",), needs_forecast=False,
    doc="The sign of the return of the last policy.momentum_bars bars; needs no model.",
)(momentum_side)  # fmt: skip
