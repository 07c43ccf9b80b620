"""A curve in one line of block letters, for terminals. Owns looks only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BLOCKS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], width: int) -> str:
    """Return a curve as at most `width` letters, each the last value of its stretch.

    >>> spark([1.0, 2.0, 3.0, 2.0], 4), spark([5.0, 5.0], 8), spark([], 8)
    ('▁▅█▅', '▁▁', '')
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known) or width < 1:
        return ""
    ends = np.linspace(0, len(known) - 1, min(width, len(known))).round().astype(np.int64)
    taken = known[ends]
    low, high = taken.min(), taken.max()
    if high == low:
        return BLOCKS[0] * len(taken)
    steps = ((taken - low) / (high - low) * (len(BLOCKS) - 1)).round().astype(int)
    return "".join(BLOCKS[k] for k in steps)
