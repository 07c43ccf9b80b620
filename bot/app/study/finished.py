"""`bot compare --runs`: finished runs held side by side, from their records; nothing is trained or entered.

Rules: the first run is compared with each other, over the time that all of them traded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.app.runs.folder import RunFolder, config_of, find_run
from bot.app.runs.record import open_record
from bot.errors import ConfigError, DataError
from bot.report.study.paired import Curve, RunsCompared, common_span, compared
from bot.timegrid import INTERVAL_MS
from bot.timestamps import format_utc


def compare_runs(names: Sequence[str]) -> RunsCompared:
    """Return the first run's net returns less those of each other.

    Raises:
        ConfigError: fewer than two runs, or one twice.
        DataError: they traded at no time together.
    """
    folders = [find_run(name) for name in names]
    if len(folders) < 2 or len({folder.path.resolve() for folder in folders}) < len(folders):
        raise ConfigError(
            "compare --runs: give two runs or more, each once: their folders or names"
        )
    curves = [_curve(folder) for folder in folders]
    start, end = common_span(curves)
    if start >= end:
        spans = "; ".join(
            f"{c.name} {format_utc(int(c.time[0]))} to {format_utc(int(c.time[-1]))}"
            for c in curves
        )
        raise DataError(f"compare --runs: there is no time at which all of them traded: {spans}")
    return compared(curves, config_of(folders[0]).report.bootstrap_samples)


def _curve(folder: RunFolder) -> Curve:
    config = config_of(folder)
    with open_record(folder) as record:
        times, ledger = record.ledger()
    if not len(times):
        raise DataError(f"{folder.path}: the run has closed no bar yet; nothing to compare")
    closes = times + INTERVAL_MS[config.market.interval]
    equity = np.concatenate(([config.portfolio.initial_capital], ledger["equity"]))
    return Curve(str(Path(folder.path)), np.concatenate((times[:1], closes)), equity)
