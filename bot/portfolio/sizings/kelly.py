"""A fraction of the edge over its variance, E / (σ² h): what a long-run growth rate asks for.

The whole of it (Kelly 1956) is right only where edge and variance are known; both are estimates, and
betting too much costs more than betting too little, so a fraction is taken (MacLean et al. 2010).
Each symbol by itself: `mean_variance` knows that they move together.
"""

from __future__ import annotations

from bot.parts.registry import shipped
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.rules import Rules


@hot
def kelly_size(edge: float, volatility: float, rules: Rules) -> float:
    """Return the weight of a position.

    Args:
        edge: expected return over the horizon of a position on the side wanted.
        volatility: predicted, of a bar.
    """
    if edge <= 0.0:
        return 0.0
    deviation = volatility / rules.usual_deviation
    variance = deviation * deviation * rules.horizon
    return min(rules.kelly_fraction * edge / variance, rules.max_weight)


shipped(
    "sizing", "kelly",
    keys=("sizing.kelly_fraction", "sizing.max_weight", "sizing.rebalance_band"),
    doc="sizing.kelly_fraction of the calibrated edge over the variance of the horizon's return.",
)(kelly_size)  # fmt: skip
