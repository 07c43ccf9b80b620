"""The weights with the best balance of edge, risk and the cost of getting there (Markowitz 1952).

Over the horizon, with E the calibrated edges, Σ the covariance, w₀ what is held and c the cost of a
side, they maximise

    E'w - γ/2 · w'Σw - c'|w - w₀|

each on the side that the policy wants, up to sizing.max_weight. The problem is concave and its kinks
are separable, so that going through the weights one by one, each to its own best, finds the maximum
(Tseng 2001); the costs make a band in which nothing is traded.
"""

from __future__ import annotations

import math

from bot.blocks import F64
from bot.parts.registry import shipped
from bot.portfolio.book import Book
from bot.portfolio.costs import round_trip
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.asked import SchemeCall
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.kernel.room import Room
from bot.portfolio.market import Market
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace

SWEEPS = 1000
"""Through all weights, at most."""
SETTLED = 1e-13
"""A sweep that moves no weight by more is the last."""


@cold
def mean_variance_sizes(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, room: Room,
    scheme: SchemeCall, full: FullAccount | None,
) -> None:  # fmt: skip
    """Write the size of each symbol that is sized into the room."""
    for s in range(len(room.sized)):
        side = room.sized[s]
        room.lowest[s] = room.highest[s] = room.size[s] = room.standing[s]
        room.cost[s] = 0.0
        if side != 0.0:
            room.lowest[s] = min(side, 0.0) * rules.max_weight
            room.highest[s] = max(side, 0.0) * rules.max_weight
            room.size[s] = min(max(room.position[s], room.lowest[s]), room.highest[s])
            weight = math.copysign(rules.fraction, side)
            both = round_trip(i, s, weight, rules.half_spread, book, rules, market, scheme, full)
            room.cost[s] = 0.5 * both
    best_weights(
        room.size, trace.edge[i], room.covariance, rules.risk_aversion * rules.horizon,
        room.cost, room.position, room.lowest, room.highest,
    )  # fmt: skip
    for s in range(len(room.sized)):
        room.size[s] = abs(room.size[s]) if room.sized[s] != 0.0 else math.nan


@cold
def best_weights(
    weight: F64, edge: F64, covariance: F64, aversion: float, cost: F64, before: F64,
    lowest: F64, highest: F64,
) -> None:  # fmt: skip
    """Bring the weights to the maximum of edge'w - aversion/2 w'Cw - cost'|w - before| in the bounds.

    Args:
        weight: within the bounds; where these are equal it stays, and its edge is not read.
    """
    for _ in range(SWEEPS):
        moved = 0.0
        for s in range(len(weight)):
            curvature = aversion * covariance[s, s]
            if lowest[s] == highest[s] or not curvature > 0.0:
                continue
            gain = edge[s]
            for t in range(len(weight)):
                if t != s:
                    gain -= aversion * covariance[s, t] * weight[t]
            best = before[s]
            if gain - cost[s] > curvature * before[s]:
                best = (gain - cost[s]) / curvature
            elif gain + cost[s] < curvature * before[s]:
                best = (gain + cost[s]) / curvature
            best = min(max(best, lowest[s]), highest[s])
            moved = max(moved, abs(best - weight[s]))
            weight[s] = best
        if moved <= SETTLED:
            break


shipped(
    "sizing", "mean_variance",
    keys=("sizing.risk_aversion", "sizing.correlation_bars", "sizing.max_weight", "sizing.rebalance_band"),
    doc="The weights with the best edge less sizing.risk_aversion times risk, less the cost of trading there.",
)(mean_variance_sizes)  # fmt: skip
