"""A sweep as a page: the surface of net returns over the two keys with most values, as a heat map.

Rules: what further keys vary is shown by its median in each cell, since one lucky cell is no surface.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import TwoSlopeNorm

from bot.blocks import F64, Bool
from bot.report.formats import percent
from bot.report.page.svg import BALANCE, look, new_figure, svg_of
from bot.report.study.sweep import NEVER_TRADED, SweepTable, verdict

MOST_WRITTEN = 400
"""Cells that have their number in them."""

_STYLE = (
    ":root{--ink:#222;--grid:#ddd;--paper:#fff}"
    "@media(prefers-color-scheme:dark){:root{--ink:#ddd;--grid:#444;--paper:#181818}}"
    "body{font:16px sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;"
    "color:var(--ink);background:var(--paper)}svg{width:100%;height:auto}"
)


def page(table: SweepTable) -> str:
    """Return the page, self-contained."""
    title = html.escape(f"Sweep of {table.source}")
    text = "".join(f"<p>{html.escape(line)}</p>" for line in verdict(table))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1>{text}{_picture(table)}</html>\n"
    )


def surface(table: SweepTable) -> tuple[tuple[int, int], F64, Bool]:
    """Return the two axes shown, float64[rows, columns] of median net returns, and which cells traded.

    NaN where no setting of a cell has a return. With one axis there is one row.
    """
    sizes = [len(values) for _, values in table.axes]
    down, across = 0, 0
    if len(sizes) > 1:
        down, across = sorted(np.argsort(sizes, kind="stable")[-2:].tolist())
    others = tuple(k for k in range(len(sizes)) if k not in (down, across))
    height = 1 if down == across else sizes[down]

    def by_cell(values: F64) -> F64:
        grid = np.moveaxis(values.reshape(sizes), others, range(len(others)))
        return grid.reshape(-1, height, sizes[across])

    cells = by_cell(
        np.array([np.nan if r.net_return is None else r.net_return for r in table.rows])
    )
    traded: Bool = by_cell(np.array([float(r.fills) for r in table.rows])).max(axis=0) > 0.0
    known = np.isfinite(cells).any(axis=0)
    filled: F64 = np.full(known.shape, np.nan)
    filled[known] = np.nanmedian(cells[:, known], axis=0)
    return (down, across), filled, traded


def _picture(table: SweepTable) -> str:
    (down, across), cells, traded = surface(table)
    bound = max(float(np.nanmax(np.abs(cells), initial=0.0)), 1e-9)
    with look():
        figure = new_figure(min(2.0 + 0.35 * len(cells), 9.0))
        axes = figure.add_subplot()
        axes.grid(visible=False)
        axes.imshow(cells, cmap=BALANCE, norm=TwoSlopeNorm(0.0, -bound, bound), aspect="auto")
        _label(axes.set_xticks, table.axes[across][1])
        axes.set_xlabel(table.axes[across][0])
        if len(table.axes) > 1:
            _label(axes.set_yticks, table.axes[down][1])
            axes.set_ylabel(table.axes[down][0])
        else:
            axes.set_yticks([])
        if cells.size <= MOST_WRITTEN and cells.shape[1] <= 14:
            for (i, j), value in np.ndenumerate(cells):
                said = "bankrupt" if np.isnan(value) else percent(value)
                axes.text(j, i, said if traded[i, j] else NEVER_TRADED, ha="center", va="center",
                          fontsize=9)  # fmt: skip
        axes.set_title(
            "Net return" + (", median over the other keys" if len(table.axes) > 2 else "")
        )
        return svg_of(figure, "Net return over the settings")


def _label(set_ticks: object, values: Sequence[str]) -> None:
    """Write the values at an axis, every so many where they are many."""
    step = -(-len(values) // 14)
    at = range(0, len(values), step)
    set_ticks(list(at), [values[k] for k in at])  # type: ignore[operator]
