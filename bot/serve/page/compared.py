"""Several runs on one axis, and the first less each other with paired intervals.

Rules: curves are of returns since each run's start; differences are those of `bot compare --runs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bot.app.runs.folder import RunFolder, config_of
from bot.errors import BotError
from bot.report.page.downsample import thinned
from bot.report.study.paired import Curve, common_span, compared
from bot.serve.feed.analysis import without_nan
from bot.serve.feed.curves import Curves, EquityCurve
from bot.serve.problems import Problem
from bot.timegrid import INTERVAL_MS

POINTS = 800
SAMPLES = 1000
"""Resamples of the bootstrap: enough for a page that is looked at."""


def runs_compared(folders: Sequence[RunFolder], curves: Curves) -> dict[str, Any]:
    """Return curves by run, and what `bot compare --runs` says of them.

    Raises:
        Problem: a run is given twice.
    """
    names = [folder.path.name for folder in folders]
    if len(set(names)) < len(names):
        raise Problem(422, "run: give each run once")
    found = {folder.path.name: curves.of(folder) for folder in folders}
    shown = {name: _drawn(curve) for name, curve in found.items() if len(curve.time)}
    whole = [_whole(folder, found[folder.path.name]) for folder in folders]
    try:
        ready = [curve for curve in whole if curve is not None]
        start, end = common_span(ready) if len(ready) > 1 else (0, 0)
        told = compared(ready, SAMPLES).as_json() if start < end else None
    except BotError:
        told = None
    note = "" if told else "There is no time at which all of them traded, so nothing to compare."
    return {"curves": shown, "compared": without_nan(told), "note": note}


def _drawn(curve: EquityCurve) -> dict[str, list[float]]:
    kept = thinned(curve.equity, POINTS)
    returns = curve.equity[kept] / curve.capital - 1.0
    return {"time": curve.time[kept].tolist(), "return": returns.tolist()}


def _whole(folder: RunFolder, curve: EquityCurve) -> Curve | None:
    if not len(curve.time):
        return None
    closes = curve.time + INTERVAL_MS[config_of(folder).market.interval]
    return Curve(
        folder.path.name,
        np.concatenate((curve.time[:1], closes)),
        np.concatenate(([curve.capital], curve.equity)),
    )
