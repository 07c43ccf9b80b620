"""Why a bar was traded or not, in one phrase: for the log, the status and the report.

Must not decide anything: the numbers are those that decided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bot.portfolio.reasons import REFUSAL, Refusal
from bot.wording import counted

NUMBERS = ("signal", "slope", "slope_error", "edge", "hurdle", "age")
"""What decided, as the record names it."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A symbol's decision; None where there was no such number.

    Attributes:
        why: the reason in one phrase, empty where none is to be given.
        signal: predicted return × direction factor.
        slope, slope_error: what past signals were worth, and its standard error.
        edge: the return that was expected, as the signal is calibrated.
        hurdle: what it had to exceed, a multiple of the cost.
        age: closes since the side was decided.
    """

    why: str
    signal: float | None
    slope: float | None
    slope_error: float | None
    edge: float | None
    hurdle: float | None
    age: float | None


def why(
    *, refusal: int, edge: float, hurdle: float, age: float, order: float, position: float,
    days: int = 0, days_needed: int = 0,
) -> str:  # fmt: skip
    """Return the reason of a decision; an edge is given by its size on the side that it asks for.

    Args:
        refusal: a Refusal.
        edge: the expected return, NaN where none is known.
        hurdle: what it had to exceed, NaN where it was not asked.
        age: closes since the side was decided, NaN but for the edge policy.
        order: the quantity ordered.
        position: the quantity held.
        days: scored so far, where the calibration lacks some.
        days_needed: before signals are traded.

    >>> why(refusal=13, edge=0.00031, hurdle=0.0015, age=0.0, order=0.0, position=0.0)
    'edge 3.1 bp < cost 15.0 bp'
    >>> why(refusal=0, edge=-0.0031, hurdle=0.0015, age=0.0, order=-2.0, position=0.0)
    'short edge 31.0 bp > cost 15.0 bp'
    >>> why(refusal=13, edge=0.00031, hurdle=0.0015, age=3.0, order=0.0, position=2.0)
    'edge 3.1 bp < cost 15.0 bp, held for 3 bars'
    """
    if refusal == Refusal.CALIBRATING:
        return f"calibrating: {days} of {days_needed} days" if days_needed else "calibrating"
    phrase = ""
    if math.isfinite(edge) and math.isfinite(hurdle):
        sign = ">" if abs(edge) > hurdle else "<"
        side = "short edge" if edge < 0.0 else "edge"
        phrase = f"{side} {abs(edge) * 1e4:.1f} bp {sign} cost {hurdle * 1e4:.1f} bp"
    elif refusal == Refusal.EDGE_BELOW_COST:
        phrase = "no edge"
    if refusal not in (Refusal.NONE, Refusal.EDGE_BELOW_COST):
        words = str(REFUSAL[refusal]).replace("_", " ")
        phrase = f"{phrase}, {words}" if phrase else words
    if not math.isfinite(age):
        return phrase
    if refusal == Refusal.EDGE_BELOW_COST and position and not order:
        return f"{phrase}, held for {counted(round(age), 'bar')}"
    if refusal == Refusal.EDGE_BELOW_COST and position and order:
        return f"{phrase}, closed after {counted(round(age), 'bar')}"
    return phrase
