"""What the kernels read and what they carry from bar to bar, and how the rings are laid out.

Rules: every array has the symbol first and a shape that follows from the settings, so that a state
can be stored without knowing what is in it. Must not compute anything.
"""

from __future__ import annotations

from typing import NamedTuple

from bot.blocks import F64, I64, Bool

RECENT = 10
"""Closes kept for return_1, return_5 and return_10."""

CLOSE, CHANGE, RETURN, VOLUME = range(4)
"""What is kept of each bar of the short window; CHANGE is the difference of closes."""

N_SUMS = 9
"""Running sums a symbol: `long_windows.py` says of what."""


class CarriedArrays(NamedTuple):
    """What goes from bar to bar, per symbol.

    Attributes:
        seen: int64[S], valid bars so far.
        recent: float64[S, 10], ring of closes.
        short: float64[S, window, 4], ring of close, change, return and volume.
        averages: float64[S, 3, 2], numerator and denominator of the exponential averages.
        returns: float64[S, longest window], ring of returns; 0 before the first.
        cross: float64[S, correlation window], ring of the cross-section's mean return.
        sums: float64[S, 9, 2], running sums (`running_sums.py`).
    """

    seen: I64
    recent: F64
    short: F64
    averages: F64
    returns: F64
    cross: F64
    sums: F64


class FeatureInputs(NamedTuple):
    """The part of a block that features are made of: int64[n], float64[n, S], bool[n, S]."""

    open_time: I64
    high: F64
    low: F64
    close: F64
    volume: F64
    valid: Bool
