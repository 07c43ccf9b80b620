"""The document's rule: long where the signal exceeds the threshold, short below its negative.

It knows no cost and no horizon, so that it trades as often as the signal turns.
"""

from __future__ import annotations

import math

from bot.parts.registry import shipped
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.market import Market
from bot.portfolio.rules import Rules


@hot
def threshold_side(i: int, s: int, rules: Rules, market: Market) -> float:
    """Return the side of the signal, 0 within the threshold."""
    signal = market.signal[i, s]
    if not abs(signal) > rules.threshold:
        return 0.0
    return math.copysign(1.0, signal)


shipped(
    "policy", "threshold", keys=("signal.threshold",),
    doc="Long where the signal is above signal.threshold, short below its negative, else flat.",
)(threshold_side)  # fmt: skip
