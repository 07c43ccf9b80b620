"""Targets of a user's own: compiled functions over bar t and the bars to come, called by pointer.

Rules: those of `targets`: t + h counts bars in session, a bar missing among t..t+h leaves the label
undefined, nothing after bar t + h takes part, and it is known at that bar's close. Must not know
what a target computes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.blocks import F64, BarBlock, Task
from bot.features.auxiliary import Own
from bot.features.called import OF_SYMBOL, call_windows
from bot.parts.compile import COLUMNS, compiled_part, faults_of
from bot.parts.registry import part


def own_labels(bars: BarBlock, task: Task, settings: dict[str, Any]) -> F64:
    """Return float64[n, S], the labels of a task whose target is a user's own.

    Args:
        settings: the target's section.

    Raises:
        ConfigError: it does not compile, or its settings are refused.
    """
    call = compiled_part(part("target", task.kind), settings, OF_SYMBOL).call
    y = np.full(bars.valid.shape, np.nan)
    for s in range(bars.n_symbols):
        own = Own(bars, s, task.horizon, window=2)
        series = np.stack([getattr(bars, name)[own.at, s] for name in COLUMNS])
        series.flags.writeable = False
        labels = np.full(len(own.at), np.nan)
        with faults_of(call):
            call_windows(call, series, own.start, task.horizon + 1, own.start, labels)
        y[own.at, s] = labels
    return y
