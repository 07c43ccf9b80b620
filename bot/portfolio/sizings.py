"""Sizings: how large a position is, whatever its side.

Rules: a size is a weight, 0 or more, before the caps; NaN where it cannot be known. Must not know
sides, prices or what is held.
"""

from __future__ import annotations

import math

from bot.parts.registry import shipped
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.rules import Rules, SizingMethod

FIXED = int(SizingMethod.FIXED)


@hot
def size_of(signal: float, volatility: float, rules: Rules) -> float:
    """Return the weight of a position on this signal; NaN without the volatility that it needs."""
    if rules.method == FIXED:
        return rules.fraction
    if volatility > 0.0:
        return min(rules.scale * abs(signal) / volatility, rules.max_weight)
    return math.nan


shipped(
    "sizing",
    "fixed",
    keys=("sizing.fraction",),
    doc="The same share of equity whatever the signal.",
)(size_of)
shipped(
    "sizing", "proportional",
    keys=("sizing.scale", "sizing.max_weight", "sizing.rebalance_band"),
    doc="sizing.scale times the signal over the predicted volatility.",
)(size_of)  # fmt: skip


@hot
def is_worth_a_trade(weight: float, held: float, price: float, equity: float, rules: Rules) -> bool:
    """Tell whether the weight differs enough from what is held and pending."""
    if rules.method == FIXED or weight == 0.0:
        return (weight > 0.0) != (held > 0.0) or (weight < 0.0) != (held < 0.0)
    return abs(weight * equity - held * price) > rules.band * equity
