"""What a recorder holds of what waits to be written."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np

from bot.app.loop.recorders import GroupRecorder
from bot.blocks import FeatureBlock
from bot.config.schema import Synthetic
from bot.engine import StepResult
from bot.engine_state import EngineState
from bot.features.pipeline import FeatureState
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import HOUR_MS


def test_neither_features_nor_states_between_wait_to_be_written() -> None:
    bars = synthetic_bars(Synthetic(symbols=2, bars=100), HOUR_MS)
    recorder = GroupRecorder(_Unwritten(), full=True, group_bars=100)
    dropped, states = [], []
    for first in (0, 2, 4):
        part = bars.rows(first, first + 2)
        x = np.ones((2, 2, 3))
        carried = np.ones(5)
        dropped.append(weakref.ref(x))
        states.append(weakref.ref(carried))
        nothing: Any = None
        result = StepResult(
            part, FeatureBlock(x, part.valid), nothing, signal=np.ones((2, 2)), calibrated=nothing, trace=nothing
        )  # fmt: skip
        state = EngineState(FeatureState({"carried": carried}), nothing, nothing)
        recorder.closed([result], state, opened=False)
        del x, carried, result, state
    gc.collect()
    assert [ref() is None for ref in dropped] == [True, True, True]
    assert [ref() is None for ref in states] == [True, True, False]


class _Unwritten:
    """A record that nothing is written to."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked before the group was full")
