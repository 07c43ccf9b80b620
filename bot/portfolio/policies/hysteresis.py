"""Two thresholds: in beyond signal.threshold, out when the signal falls to policy.exit_threshold.

With an exit threshold of 0 a side is held until the signal turns.
"""

from __future__ import annotations

import math

from bot.parts.registry import shipped
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.market import Market
from bot.portfolio.rules import Rules


@hot
def hysteresis_side(
    i: int, s: int, held: float, rules: Rules, market: Market
) -> tuple[float, bool]:
    """Return the side, and whether it is only kept."""
    signal = market.signal[i, s]
    if abs(signal) > rules.threshold:
        return math.copysign(1.0, signal), False
    if held != 0.0 and signal * held > rules.exit_threshold:
        return held, True
    return 0.0, False


shipped(
    "policy", "hysteresis", keys=("signal.threshold", "policy.exit_threshold"),
    doc="In where the signal exceeds signal.threshold, out where it falls to policy.exit_threshold "
    "of its side.",
)(hysteresis_side)  # fmt: skip
