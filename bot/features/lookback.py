"""Windows of the last L ready bars of each symbol, carried over the edges of blocks.

Rules: a bar at which a symbol is not ready (missing, out of session, warming up) is left out, so a
window reaches as far back as it must; the rows carried are the newest L - 1 of a symbol, aligned to
the end. Any way of cutting the bars gives the same windows, bit for bit.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64, I64, Bool, Windows
from bot.compiled import njit


def nothing_seen(n_symbols: int, lookback: int, n_features: int) -> tuple[F64, I64]:
    """Return what is carried before the first bar: rows float64[S, L - 1, F] and count int64[S]."""
    return np.zeros((n_symbols, lookback - 1, n_features)), np.zeros(n_symbols, dtype=np.int64)


def advance_windows(carried: F64, count: I64, x: F64, ready: Bool) -> Windows:
    """Return the windows of a block; the carried rows and their count are brought up to its end.

    Args:
        carried: float64[S, L - 1, F], changed in place.
        count: int64[S], how many of a symbol's carried rows there are, changed in place.
        x: float64[n, S, F].
        ready: bool[n, S].
    """
    rows = np.empty((int(count.sum()) + int(ready.sum()), x.shape[2]))
    last = np.full(ready.shape, -1, dtype=np.int64)
    _advance(carried, count, x, ready, rows, last)
    return Windows(rows, last, carried.shape[1] + 1)


@njit(cache=True)
def _advance(carried: F64, count: I64, x: F64, ready: Bool, rows: F64, last: I64) -> None:
    n_symbols, room, _ = carried.shape
    at = 0
    for s in range(n_symbols):
        start = at
        for k in range(room - count[s], room):
            rows[at] = carried[s, k]
            at += 1
        for i in range(len(x)):
            if ready[i, s]:
                rows[at] = x[i, s]
                if at - start >= room:
                    last[i, s] = at
                at += 1
        kept = min(at - start, room)
        for k in range(kept):
            carried[s, room - kept + k] = rows[at - kept + k]
        count[s] = kept
