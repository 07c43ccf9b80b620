"""Long series made small enough to draw, without losing what the eye looks for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bot.blocks import F64, I64
from bot.report.skill.chosen_rows import Empty, EqualParts, kept_of, those_of
from bot.timegrid import spans

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


def quantile_bins(
    x: F64, y: F64, bins: int = 10, empty: Empty = np.empty
) -> tuple[F64, F64, F64, I64]:
    """Return mean x, mean y, std of y and count of each of `bins` equally full bins of x.

    Rows are in bins by the order of x; with few rows there are fewer bins.

    Args:
        empty: makes arrays of so many rows.
    """
    ordered = empty(x.shape)
    ordered[...] = x
    ordered.sort()
    parts, bin_of = EqualParts(ordered, bins), empty(x.shape, np.int8)
    for at in spans(len(x), 1):
        bin_of[at] = parts.of_next(x[at])
    full = [(k, first, stop) for k, (first, stop) in enumerate(parts.bounds) if stop - first > 1]
    sides = [_in_order(x, y, bin_of, k, empty) for k, _, _ in full]
    return (
        np.array([ordered[first:stop].mean() for _, first, stop in full]),
        np.array([mean for mean, _ in sides]),
        np.array([deviation for _, deviation in sides]),
        np.array([stop - first for _, first, stop in full], dtype=np.int64),
    )


def _in_order(x: F64, y: F64, bin_of: I64, k: int, empty: Empty) -> tuple[float, float]:
    """Return mean and deviation of y in a bin, added in the order of x."""
    inside = those_of((len(x), 1), lambda at: bin_of[at, None] == k, empty)[:, 0]
    own, placed = kept_of(y, inside, empty), empty(int(inside.sum()))
    order = np.argsort(kept_of(x, inside, empty), kind="stable")
    np.take(own, order, out=placed, mode="clip")  # with "raise" it would be copied
    del order
    return float(placed.mean()), float(placed.std(ddof=1))
