"""The side of each symbol at a close, whichever policy is in force.

Rules: all but the threshold's rule are asked once a close and symbol with a bar, also where nothing
can be done with the answer, so that what they carry depends on bars only. A side that a stop has closed
counts as held until the policy itself would close it. Must not size or order.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F64, Bool
from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.asked import SchemeCall
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.market import Market
from bot.portfolio.policies.carried import PolicyKind
from bot.portfolio.policies.edge import edge_of, edge_side, grow_older
from bot.portfolio.policies.hysteresis import hysteresis_side
from bot.portfolio.policies.momentum import momentum_side
from bot.portfolio.policies.threshold import threshold_side
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace

THRESHOLD, EDGE = int(PolicyKind.THRESHOLD), int(PolicyKind.EDGE)
HYSTERESIS, MOMENTUM = int(PolicyKind.HYSTERESIS), int(PolicyKind.MOMENTUM)


@hot
def is_decided(i: int, s: int, rules: Rules, market: Market, side: F64) -> bool:
    """Tell whether there is a bar and an answer for it."""
    if rules.policy_kind == THRESHOLD:
        return not math.isnan(market.signal[i, s]) and market.valid[i, s]
    return not math.isnan(side[s])


@hot
def side_wanted(i: int, s: int, rules: Rules, market: Market, side: F64) -> float:
    """Return the side, -1 to 1."""
    if rules.policy_kind == THRESHOLD:
        return threshold_side(i, s, rules, market)
    wanted: float = side[s]
    return wanted


@cold
def choose_sides(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, side: F64, kept: Bool,
    scheme: SchemeCall, full: FullAccount | None,
) -> None:  # fmt: skip
    """Ask the shipped policy about every symbol.

    Args:
        side: room for S: the answers, NaN where nothing is decided.
        kept: room for S: whether the side is held already and left as it is.
    """
    for s in range(len(side)):
        side[s] = math.nan
        kept[s] = False
        held = np.sign(book.quantity[s] + book.pending[s])
        if full is not None and held == 0.0:
            held = book.holding[s].stopped
        if rules.policy_kind == EDGE:
            grow_older(i, s, held, book, rules, market)
        if not market.valid[i, s]:
            continue
        if rules.policy_kind == EDGE:
            side[s], kept[s] = edge_side(i, s, held, book, rules, market, trace, scheme, full)
        elif rules.policy_kind == MOMENTUM:
            side[s] = momentum_side(i, s, book, market)
        elif not math.isnan(market.signal[i, s]):
            side[s], kept[s] = hysteresis_side(i, s, held, rules, market)


@cold
def note_edges(i: int, rules: Rules, market: Market, trace: Trace) -> None:
    """Note what each signal is expected to return, for policy and sizing."""
    for s in range(market.signal.shape[1]):
        if market.valid[i, s]:
            trace.edge[i, s] = edge_of(i, s, rules, market)
