"""Long series made small enough to draw, without losing what the eye looks for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bot.blocks import F64, I64

MOST_POINTS = 2000


def thinned(values: F64, most: int = MOST_POINTS) -> I64:
    """Return the indices of at most `most` points that keep the first, the last and every extreme.

    The series is cut into equal stretches, and each keeps its lowest and its highest point.

    >>> thinned(np.array([0.0, 5.0, 1.0, -3.0, 2.0, 2.0, 2.0]), 6).tolist()
    [0, 1, 3, 4, 6]
    """
    n = len(values)
    if n <= most:
        return np.arange(n)
    stretches = max(1, (most - 2) // 2)
    edges = np.linspace(0, n, stretches + 1).astype(np.int64)
    kept = [0, n - 1]
    for first, stop in pairwise(edges.tolist()):
        part = values[first:stop]
        kept += [first + int(np.argmin(part)), first + int(np.argmax(part))]
    return np.unique(np.array(kept, dtype=np.int64))


def bucket_means(values: F64, most: int) -> F64:
    """Return float64[min(n, most), S], the means over equal stretches of float64[n, S]."""
    n = len(values)
    edges = np.linspace(0, n, min(n, most) + 1).astype(np.int64)
    sums = np.add.reduceat(values, edges[:-1], axis=0)
    means: F64 = sums / np.diff(edges)[:, None]
    return means


def quantile_bins(x: F64, y: F64, bins: int = 10) -> tuple[F64, F64, F64, I64]:
    """Return mean x, mean y, std of y and count of each of `bins` equally full bins of x.

    Rows are in bins by the order of x; with few rows there are fewer bins.
    """
    order = np.argsort(x, kind="stable")
    parts = [p for p in np.array_split(order, bins) if len(p) > 1]
    return (
        np.array([x[p].mean() for p in parts]),
        np.array([y[p].mean() for p in parts]),
        np.array([y[p].std(ddof=1) for p in parts]),
        np.array([len(p) for p in parts], dtype=np.int64),
    )
