"""A search as a picture: the trials in their order or by two objectives, and what mattered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bot.report.study.search import FINISHED, STOPPED, SearchTable

_DONE, _STOPPED, _FRONT, _DEFAULT = "#57606a", "#c9d1d9", "#1a7f37", "#0969da"


def draw(table: SearchTable, path: Path) -> None:
    """Write a PNG: on the left the trials, on the right the settings' importance where it is known."""
    columns = 2 if table.importance else 1
    with mpl.rc_context({"font.size": 9.0, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(6.0 * columns, 4.2), layout="constrained")
        axes = figure.subplots(1, columns, squeeze=False)[0]
        figure.suptitle(f"search {table.name}: {len(table.rows):,} trials", fontsize=11)
        if len(table.objectives) > 1:
            _by_two(axes[0], table)
        else:
            _in_order(axes[0], table)
        if table.importance:
            _importance(axes[1], table)
        figure.savefig(path, dpi=120)


def _in_order(panel: Any, t: SearchTable) -> None:
    for state, colour, name in ((FINISHED, _DONE, "all folds"), (STOPPED, _STOPPED, "stopped")):
        rows = [(k, row.values[0]) for k, row in enumerate(t.rows) if row.state == state]
        if rows:
            panel.plot(*zip(*rows, strict=True), "o", color=colour, markersize=4, label=name)
    done = [(k, row.values[0]) for k, row in enumerate(t.rows) if row.state == FINISHED]
    if done:
        best = np.minimum if t.minimised[0] else np.maximum
        at, values = zip(*done, strict=True)
        panel.step(at, best.accumulate(values), where="post", color=_FRONT, label="best so far")
    panel.set_xlabel("trial")
    panel.set_ylabel(t.objectives[0])
    _legend(panel)


def _by_two(panel: Any, t: SearchTable) -> None:
    done = [row for row in t.rows if row.state == FINISHED]
    front = [row for row in done if row.name in t.front]
    for rows, colour, name in ((done, _DONE, "trials"), (front, _FRONT, "front")):
        if rows:
            points = [row.values[:2] for row in rows]
            panel.plot(*zip(*points, strict=True), "o", color=colour, markersize=5, label=name)
    if done and done[0] is t.rows[0]:
        panel.plot(*[[value] for value in done[0].values[:2]], "x", color=_DEFAULT, markersize=9, label="defaults")  # fmt: skip
    panel.set_xlabel(t.objectives[0])
    panel.set_ylabel(t.objectives[1])
    _legend(panel)


def _legend(panel: Any) -> None:
    """Name what is drawn, where anything is."""
    if panel.get_legend_handles_labels()[0]:
        panel.legend(fontsize=8)


def _importance(panel: Any, t: SearchTable) -> None:
    names = list(t.importance)
    panel.barh(range(len(names)), [t.importance[name] for name in names], color=_DONE)
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.set_xlabel("share in what sets the best tenth apart")
