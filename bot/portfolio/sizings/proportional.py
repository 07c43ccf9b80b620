"""The signal over the predicted volatility: large where a forecast stands out from the noise."""

from __future__ import annotations

from bot.parts.registry import shipped
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.rules import Rules


@hot
def proportional_size(signal: float, volatility: float, rules: Rules) -> float:
    """Return the weight of a position on this signal."""
    return min(rules.scale * abs(signal) / volatility, rules.max_weight)


shipped(
    "sizing", "proportional",
    keys=("sizing.scale", "sizing.max_weight", "sizing.rebalance_band"),
    doc="sizing.scale times the signal over the predicted volatility.",
)(proportional_size)  # fmt: skip
