"""What a fold of a comparison trains on and forecasts, as a file that workers read.

Rules: arrays and JSON only, so a study's folder from elsewhere runs no code of its maker's; the
file's name says what decided it (`data.py`), and its head which layout it has.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bot.adapters.files.arrays import parse_arrays, write_arrays
from bot.app.executors.units import Stored
from bot.blocks import F64, Bool, Task, Windows
from bot.errors import DataError
from bot.model.dataset import Dataset

FOLD_LAYOUT = 5
"""What is stored of a fold; another number makes it be cut anew."""

_ROWS = ("x", "y", "bar", "symbol", "known_at", "last")
_WINDOWS = ("rows", "last")


@dataclass(frozen=True)
class FoldData:
    """What a fold's training sees, and the features and labels of the bars it forecasts."""

    features: tuple[str, ...]
    dataset: Dataset
    x: F64
    ready: Bool
    windows: Windows | None
    labels: F64

    def write(self, path: Path) -> None:
        """Write it as arrays with a JSON head."""
        d, w = self.dataset, self.windows
        arrays: dict[str, Any] = {"x": self.x, "ready": self.ready, "labels": self.labels}
        arrays |= {f"rows.{name}": getattr(d, name) for name in _ROWS}
        arrays |= {f"windows.{name}": getattr(w, name) for name in _WINDOWS if w is not None}
        head = {
            "layout": FOLD_LAYOUT,
            "features": self.features,
            "tasks": [asdict(task) for task in d.tasks],
            "lookback": d.lookback,
            "symbols": d.symbols,
            "window_lookback": None if w is None else w.lookback,
        }
        write_arrays(path, head, {k: v for k, v in arrays.items() if v is not None})

    @classmethod
    def read(cls, path: Path) -> FoldData:
        """Read back what `write` wrote.

        Raises:
            DataError: it is damaged, foreign or of another layout.
        """
        return Stored(path, cls.parse).load()

    @classmethod
    def parse(cls, file: BinaryIO, name: str) -> FoldData:
        """Read it from an open file, or from its bytes on another machine.

        Raises:
            DataError: it is damaged, foreign or of another layout.
        """
        head, arrays = parse_arrays(file, name)
        try:
            if head["layout"] != FOLD_LAYOUT:
                raise ValueError(f"layout {head['layout']}, this bot reads {FOLD_LAYOUT}")
            rows: dict[str, Any] = {name: arrays.get(f"rows.{name}") for name in _ROWS}
            dataset = Dataset(
                **rows,
                tasks=tuple(Task(**task) for task in head["tasks"]),
                lookback=int(head["lookback"]),
                symbols=tuple(head["symbols"]),
            )
            windows = None
            if head["window_lookback"] is not None:
                parts = {name: arrays[f"windows.{name}"] for name in _WINDOWS}
                windows = Windows(**parts, lookback=int(head["window_lookback"]))
            return cls(
                features=tuple(head["features"]), dataset=dataset, x=arrays["x"],
                ready=arrays["ready"], windows=windows, labels=arrays["labels"],
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{name}: does not hold a fold ({error}); delete it, and it is made anew"
            ) from error


def left_from_before(folder: Path) -> str | None:
    """Say that a study's folder holds pickles of an earlier version, which are never opened."""
    left = list((folder / "data").glob("*.pickle"))
    if not left:
        return None
    return (
        f"{folder / 'data'}: {len(left)} *.pickle of an earlier version, not read because a pickle can "
        "run code; what they held is made anew, and they can be deleted"
    )
