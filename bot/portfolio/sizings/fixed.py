"""The same share of equity for each position, whatever the signal."""

from __future__ import annotations

from bot.parts.registry import shipped
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.rules import Rules


@hot
def fixed_size(rules: Rules) -> float:
    """Return the share of equity."""
    return rules.fraction


shipped(
    "sizing", "fixed", keys=("sizing.fraction",),
    doc="The same share of equity whatever the signal.",
)(fixed_size)  # fmt: skip
