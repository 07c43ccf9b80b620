"""Targets of a user's own: compiled functions over bar t and the bars to come, called by pointer.

Rules: those of `targets`: t + h counts bars in session, a bar missing among t..t+h leaves the label
undefined, nothing after bar t + h takes part, and it is known at that bar's close. Must not know
what a target computes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.blocks import F64, I64, BarBlock, Task
from bot.compiled import njit
from bot.features.auxiliary import Own
from bot.parts.compile import COLUMNS, NUMBER, ROW, Signature, compiled_part, faults_of
from bot.parts.registry import part

SIGNATURE = Signature(COLUMNS, (ROW,) * len(COLUMNS), NUMBER)


def own_labels(bars: BarBlock, task: Task, settings: dict[str, Any]) -> F64:
    """Return float64[n, S], the labels of a task whose target is a user's own.

    Args:
        settings: the target's section.

    Raises:
        ConfigError: it does not compile, or its settings are refused.
    """
    call = compiled_part(part("target", task.kind), settings, SIGNATURE).call
    y = np.full(bars.valid.shape, np.nan)
    for s in range(bars.n_symbols):
        own = Own(bars, s, task.horizon, window=2)
        series = np.stack([getattr(bars, name)[own.at, s] for name in COLUMNS])
        series.flags.writeable = False
        labels = np.full(len(own.at), np.nan)
        with faults_of(call):
            _label(call, task.horizon, series, own.start, labels)
        y[own.at, s] = labels
    return y


@njit(cache=True)
def _label(call: Any, horizon: int, series: F64, start: I64, labels: F64) -> None:
    for t in start:
        stop = t + horizon + 1
        labels[t] = call(
            series[0, t:stop], series[1, t:stop], series[2, t:stop],
            series[3, t:stop], series[4, t:stop], series[5, t:stop],
        )  # fmt: skip
