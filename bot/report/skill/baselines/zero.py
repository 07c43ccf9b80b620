"""Return by zero: a price goes nowhere that can be known."""

from __future__ import annotations

from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Fit, Head, always


@shipped("baseline", "zero", heads=("return",), label="zero", words="zero")
def zero(_run: Judged, _head: Head) -> Fit:
    """Zero."""
    return lambda _: always(0.0)
