"""Hexagons counted span by span: matplotlib's own picture of the same points."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from bot import timegrid
from bot.report.page.hexagons import DrawnArea, counted_hexagons


@pytest.mark.parametrize("span", [17, 2**18])
@pytest.mark.parametrize("grid", [(44, 30), (3, 2)])
def test_each_hexagon_has_as_many_points_as_matplotlib_counts(
    span: int, grid: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timegrid, "SPAN_SYMBOL_BARS", span)
    random = np.random.default_rng(5)
    x = random.standard_normal(2_000)
    y = np.round(random.standard_normal(2_000), 1)  # many lie on one another, and on edges
    extent = DrawnArea(-2.0, 1.9, -1.5, 2.1)
    found = counted_hexagons(x, y, grid, extent)
    axes = Figure().subplots()
    theirs = axes.hexbin(x, y, gridsize=grid, extent=extent, mincnt=1)
    ours = axes.hexbin(
        found.x, found.y, C=found.points, reduce_C_function=np.sum, gridsize=grid,
        extent=extent,
    )  # fmt: skip
    assert _drawn(ours) == _drawn(theirs)
    assert found.points.sum() < len(x)  # some lie outside


def test_no_point_inside_is_no_hexagon() -> None:
    found = counted_hexagons(
        np.array([5.0]), np.array([0.0]), (4, 4), DrawnArea(-1.0, 1.0, -1.0, 1.0)
    )
    assert [len(column) for column in found] == [0, 0, 0]


def _drawn(hexagons: PolyCollection) -> list[list[float]]:
    columns = np.asarray(hexagons.get_offsets()), np.asarray(hexagons.get_array())
    drawn: list[list[float]] = np.column_stack(columns).tolist()
    return drawn
