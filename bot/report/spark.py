"""A curve in block letters, for terminals: in one line, or as an area of several. Owns looks only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.blocks import F64

BLOCKS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], width: int) -> str:
    """Return a curve as at most `width` letters, each the last value of its stretch.

    >>> spark([1.0, 2.0, 3.0, 2.0], 4), spark([5.0, 5.0], 8), spark([], 8)
    ('▁▅█▅', '▁▁', '')
    """
    taken = _thinned(values, width)
    if not len(taken):
        return ""
    low, high = taken.min(), taken.max()
    if high == low:
        return BLOCKS[0] * len(taken)
    steps = ((taken - low) / (high - low) * (len(BLOCKS) - 1)).round().astype(int)
    return "".join(BLOCKS[k] for k in steps)


def area(values: Sequence[float], width: int, height: int) -> list[str]:
    """Return a curve as `height` lines of `width` letters, filled to its lowest value.

    A short one is stretched, in steps.

    >>> area([1.0, 2.0, 3.0], 3, 2)
    [' ▁█', '▁██']
    """
    taken = _thinned(values, width)
    if not len(taken) or height < 1:
        return []
    taken = taken[np.arange(width) * len(taken) // width]
    low, high = taken.min(), taken.max()
    most = height * len(BLOCKS)
    share = (taken - low) / (high - low) if high > low else np.zeros(len(taken))
    eighths = 1 + (share * (most - 1)).round().astype(int)
    rows = []
    for row in range(height - 1, -1, -1):
        over = np.clip(eighths - row * len(BLOCKS), 0, len(BLOCKS))
        rows.append("".join(f" {BLOCKS}"[k] for k in over))
    return rows


def _thinned(values: Sequence[float], width: int) -> F64:
    """Return at most `width` of the values, evenly taken, the first and the last among them."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known) or width < 1:
        return np.empty(0)
    ends = np.linspace(0, len(known) - 1, min(width, len(known))).round().astype(np.int64)
    return np.asarray(known[ends])
