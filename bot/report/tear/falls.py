"""The worst drawdowns, one by one: from which peak, how deep, and when it was made good."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.blocks import F64, I64
from bot.report.money.metrics import drawdowns
from bot.timegrid import DAY_MS


@dataclass(frozen=True, slots=True)
class Fall:
    """A stretch below a peak.

    Attributes:
        depth: the deepest fall from the peak, a positive fraction of it.
        peak_ms, valley_ms: times of the peak and of the deepest point.
        made_good_ms: when the peak was reached again; None where it never was.
        days: from the peak to there, or to the end.
    """

    depth: float
    peak_ms: int
    valley_ms: int
    made_good_ms: int | None
    days: float


def falls(time_ms: I64, curve: F64, most: int | None = 10) -> list[Fall]:
    """Return the deepest drawdowns of a curve, the deepest first.

    Args:
        time_ms: int64[n], of the curve's points.
        curve: float64[n].
        most: how many; None for all.
    """
    under = drawdowns(curve)
    edges = np.diff(np.concatenate(([False], under > 0.0, [False])).astype(np.int8))
    found = []
    for first, stop in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        valley = first + int(np.argmax(under[first:stop]))
        peak = int(time_ms[first - 1])
        made_good = int(time_ms[stop]) if stop < len(curve) else None
        end = int(time_ms[-1]) if made_good is None else made_good
        found.append(
            Fall(float(under[valley]), peak, int(time_ms[valley]), made_good, (end - peak) / DAY_MS)
        )
    found.sort(key=lambda fall: (-fall.depth, fall.peak_ms))
    return found[:most]
