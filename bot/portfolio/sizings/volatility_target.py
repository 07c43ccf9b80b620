"""The account's predicted volatility is brought to a target, whatever it holds.

Each position has the weight k / σ, and k is the largest at which the account, with the measured
correlation and what stands, has at most the volatility aimed at. With a covariance C of a bar's
returns, u = side / σ and the weights g that stand, it solves

    k² u'Cu + 2 k u'Cg + g'Cg = target²

No weight goes beyond sizing.max_weight; where one would, all shrink alike.
"""

from __future__ import annotations

import math

from bot.parts.registry import shipped
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.kernel.room import Room
from bot.portfolio.rules import Rules


@cold
def volatility_target_sizes(rules: Rules, room: Room) -> None:
    """Write the size of each symbol that is sized into the room."""
    n = len(room.sized)
    a = b = largest = 0.0
    c = -rules.target_deviation * rules.target_deviation
    for s in range(n):
        own = _unit(s, room)
        largest = max(largest, abs(own))
        for t in range(n):
            covariance = room.covariance[s, t]
            a += own * covariance * _unit(t, room)
            b += own * covariance * room.standing[t]
            c += room.standing[s] * covariance * room.standing[t]
    if largest > 0.0:
        k = min(largest_multiple(a, b, c), rules.max_weight / largest)
        for s in range(n):
            room.size[s] = k * abs(_unit(s, room)) if room.sized[s] != 0.0 else math.nan


@hot
def _unit(s: int, room: Room) -> float:
    """Return u of a symbol, 0 where it is not sized."""
    if room.sized[s] == 0.0:
        return 0.0
    unit: float = room.sized[s] / room.deviation[s]
    return unit


@cold
def largest_multiple(a: float, b: float, c: float) -> float:
    """Return the largest k of 0 or more with a k² + 2 b k + c at most 0; 0 where there is none."""
    if not a > 0.0:
        return math.inf if c <= 0.0 else 0.0
    square = b * b - a * c
    if square < 0.0:
        return 0.0
    root = math.sqrt(square)
    if b > 0.0:
        return max(0.0, -c / (b + root))  # the other form would cancel
    return max(0.0, (root - b) / a)


shipped(
    "sizing", "volatility_target",
    keys=("sizing.volatility_target", "sizing.correlation_bars", "sizing.max_weight", "sizing.rebalance_band"),
    doc="All positions by 1/volatility, to sizing.volatility_target a year for the whole account.",
)(volatility_target_sizes)  # fmt: skip
