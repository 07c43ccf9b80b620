"""What the engine carries from one bar to the next, and how a journal keeps it.

Rules: it is all that is carried, so that whoever has it can go on; it is kept as named arrays, and
`STATE_LAYOUT` is the version of their names, kinds and shapes. Must not compute a bar.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bot.blocks import I8, BarBlock
from bot.features.pipeline import FeatureState
from bot.portfolio import calibration
from bot.portfolio.book import Book, from_arrays, to_arrays
from bot.portfolio.calibration import CalibrationState

NEVER = -(2**62)
"""An open time before every bar."""

STATE_LAYOUT = 6
"""Version of what `state_to_arrays` returns: names, kinds and shapes. Raise it with each change, and
let `bot/app/runs/carried_state.py` bring older states to it."""


@dataclass(frozen=True, slots=True)
class Activation:
    """A model that decides from the bar with this open time on."""

    effective_from: int
    model_id: str


@dataclass(frozen=True, slots=True)
class EngineState:
    """Everything that is carried from one bar to the next.

    `last_open` is the open time of the newest bar seen; `opened` says that its open is booked and
    its close is not; `open_refusal` int8[S] is what was refused at that open, empty otherwise.
    """

    features: FeatureState
    book: Book
    calibration: CalibrationState
    schedule: tuple[Activation, ...] = ()
    last_open: int = NEVER
    opened: bool = False
    open_refusal: I8 = field(default_factory=lambda: np.empty(0, dtype=np.int8))

    @property
    def newest(self) -> int | None:
        """Return the open time of the newest bar seen, None before the first."""
        return self.last_open if self.last_open > NEVER else None

    def model_index(self, open_time: int) -> int:
        """Return the place in the schedule of the model that decides at a bar, -1 before the first."""
        index = -1
        for k, activation in enumerate(self.schedule):
            if activation.effective_from <= open_time:
                index = k
        return index

    def split(self, block: BarBlock) -> list[BarBlock]:
        """Return the parts of a block in each of which one model decides."""
        times = block.open_time
        cuts = {int(np.searchsorted(times, a.effective_from)) for a in self.schedule}
        edges = sorted({0, len(times)} | {c for c in cuts if 0 < c < len(times)})
        return [block.rows(a, b) for a, b in itertools.pairwise(edges)]


def state_to_arrays(state: EngineState) -> dict[str, npt.NDArray[np.generic]]:
    """Return the state as named arrays, for the journal; `state_from_arrays` reads them back."""
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "engine.clock": np.array([state.last_open, int(state.opened)], dtype=np.int64),
        "engine.open_refusal": state.open_refusal,
        "engine.effective_from": np.array(
            [a.effective_from for a in state.schedule], dtype=np.int64
        ),
        "engine.model_id": np.array([a.model_id for a in state.schedule], dtype="S64"),
    }
    arrays.update({f"features.{k}": v for k, v in state.features.arrays.items()})
    arrays.update({f"book.{k}": v for k, v in to_arrays(state.book).items()})
    arrays.update(
        {f"calibration.{k}": v for k, v in calibration.to_arrays(state.calibration).items()}
    )
    return arrays


def state_from_arrays(arrays: Mapping[str, npt.NDArray[np.generic]]) -> EngineState:
    """Rebuild the state that `state_to_arrays` took apart."""
    part = {
        prefix: {k[len(prefix) + 1 :]: v for k, v in arrays.items() if k.startswith(prefix + ".")}
        for prefix in ("engine", "features", "book", "calibration")
    }
    last_open, opened = part["engine"]["clock"].tolist()
    schedule = tuple(
        Activation(int(t), m.decode())
        for t, m in zip(
            part["engine"]["effective_from"].tolist(),
            part["engine"]["model_id"].tolist(),
            strict=True,
        )
    )
    return EngineState(
        FeatureState(dict(part["features"])),
        from_arrays(part["book"]),
        calibration.from_arrays(part["calibration"]),
        schedule,
        int(last_open),
        opened=bool(opened),
        open_refusal=part["engine"]["open_refusal"].astype(np.int8),
    )
