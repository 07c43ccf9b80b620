"""How many points lie in each hexagon of a picture, for as many points as there are.

matplotlib's own counting holds twenty arrays of all of them. So they are counted here span by span, as it counts them,
and it gets one point of each hexagon with how often. Must not draw.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bot.blocks import F64, I64
from bot.timegrid import spans


class Hexagons(NamedTuple):
    """float64[h] three times: a point in each hexagon that has any, and how many there are."""

    x: F64
    y: F64
    points: F64


class DrawnArea(NamedTuple):
    """What is drawn; points outside are not counted."""

    left: float
    right: float
    low: float
    high: float


def counted_hexagons(x: F64, y: F64, grid: tuple[int, int], extent: DrawnArea) -> Hexagons:
    """Count points float64[r] in a grid of so many hexagons a row and rows."""
    lattice = _Lattice(grid, extent)
    count = np.zeros(lattice.size, dtype=np.int64)
    point = np.full((2, lattice.size), np.nan)
    for at in spans(len(x), 1):
        here = lattice.places(x[at], y[at])
        places, first = np.unique(here, return_index=True)
        new = count[places] == 0
        point[:, places[new]] = x[at][first[new]], y[at][first[new]]
        count += np.bincount(here, minlength=lattice.size)
    count[0] = 0
    some = count > 0
    return Hexagons(point[0, some], point[1, some], count[some].astype(np.float64))


class _Lattice:
    """Two grids of centres, the second half a step to the side of the first; a point belongs to the nearest."""

    def __init__(self, grid: tuple[int, int], extent: DrawnArea) -> None:
        (self._nx, self._ny), padding = grid, 1e-9 * (extent.right - extent.left)
        self._origin = extent.left - padding, extent.low
        self._step = (
            (extent.right + padding - self._origin[0]) / self._nx,
            (extent.high - extent.low) / self._ny,
        )
        self._first = (self._nx + 1) * (self._ny + 1)
        self.size = 1 + self._first + self._nx * self._ny

    def places(self, x: F64, y: F64) -> I64:
        """Return int64[r], the hexagon of each point from 1, 0 for outside."""
        ix, iy = (
            (v - origin) / step
            for v, origin, step in zip((x, y), self._origin, self._step, strict=True)
        )
        ix1, iy1 = np.round(ix).astype(np.int64), np.round(iy).astype(np.int64)
        ix2, iy2 = np.floor(ix).astype(np.int64), np.floor(iy).astype(np.int64)
        nearer = (ix - ix1) ** 2 + 3.0 * (iy - iy1) ** 2 < (
            (ix - ix2 - 0.5) ** 2 + 3.0 * (iy - iy2 - 0.5) ** 2
        )
        of_first = _flat(ix1, iy1, self._nx + 1, self._ny + 1)
        of_second = _flat(ix2, iy2, self._nx, self._ny)
        of_second = np.where(of_second > 0, of_second + self._first, 0)
        return np.where(nearer, of_first, of_second)


def _flat(ix: I64, iy: I64, nx: int, ny: int) -> I64:
    inside = (ix >= 0) & (ix < nx) & (iy >= 0) & (iy < ny)
    return np.where(inside, ix * ny + iy + 1, 0)
