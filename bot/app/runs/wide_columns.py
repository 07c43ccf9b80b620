"""A run's columns of all bars and symbols, read from its record a span of bars at a time.

Rules: what is read has its place in a room, which is on the disk where it is large, and besides no more than
a span is held. The spans change no value. Must not know what a report makes of it.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.adapters.record.reading import Record
from bot.adapters.record.tables import EARLIEST
from bot.adapters.system.disk_room import LEAST_BYTES, DiskRoom
from bot.app.runs.folder import RunFolder
from bot.app.runs.shrunk import shrunk_forecasts
from bot.blocks import F64, FILL, I64, BarBlock, Task
from bot.config import Config
from bot.features.targets import labels_by
from bot.report.some_symbols import groups_of
from bot.timegrid import spans

BAR_ARRAYS = tuple(name for name in BarBlock.__dataclass_fields__ if name != "open_time")


class Forecasts(NamedTuple):
    """Forecasts float64[n, S, K] as the heads gave them and shrunk, and int64[n], whose they are."""

    value: F64
    model: I64
    shrunk: F64


def room_of(folder: RunFolder) -> DiskRoom:
    """Return room for a run's columns: in its folder, or with temporary files where that cannot be written."""
    own = os.access(folder.path, os.W_OK)
    return DiskRoom(
        folder.path if own else Path(tempfile.gettempdir()), LEAST_BYTES,
        where_full="then make the report with 'bot report'; the run is whole",
    )  # fmt: skip


class WideColumns:
    """The columns of a record, n bars of S symbols with K tasks.

    Args:
        times: int64[n], the open times of the bars.

    Raises:
        JournalError: the record is damaged, or the disk has no room for them.
    """

    def __init__(self, record: Record, times: I64, room: DiskRoom) -> None:
        self._record, self._times, self._room = record, times, room

    def bars(self) -> BarBlock:
        """Return the bars as seen."""
        parts = (
            (span, {name: getattr(block, name) for name in BAR_ARRAYS})
            for span, block in self._bars()
        )
        return BarBlock(open_time=self._times, **self._gathered(parts))

    def quantity(self, booked: slice) -> F64:
        """Return float64[n, S], what was held at each close; 0 in bars that are not booked."""

        def parts() -> Iterator[tuple[slice, dict[str, F64]]]:
            for span in self._spans():
                held = np.zeros((span.stop - span.start, len(self._record.symbols)))
                first, stop = max(span.start, booked.start), min(span.stop, booked.stop)
                if first < stop:
                    held[first - span.start : stop - span.start] = self._record.positions(
                        self._times[first:stop]
                    )
                yield span, {"quantity": held}

        quantity: F64 = self._gathered(parts())["quantity"]
        return quantity

    def decisions(self) -> tuple[dict[str, F64], I64]:
        """Return what was decided by column, float64[n, S], and refusal codes int64[n, S]."""

        def parts() -> Iterator[tuple[slice, dict[str, npt.NDArray[Any]]]]:
            for span in self._spans():
                values, refusal = self._record.decisions(self._times[span])
                yield span, {**values, "refusal": refusal}

        found = self._gathered(parts())
        return found, found.pop("refusal")

    def forecasts(self, folder: RunFolder, start: int) -> Forecasts:
        """Return the forecasts; of no model before bar `start`."""

        def parts() -> Iterator[tuple[slice, dict[str, npt.NDArray[Any]]]]:
            for span in self._spans():
                value, model = self._record.forecasts(self._times[span])
                model[: max(start - span.start, 0)] = -1
                shrunk = shrunk_forecasts(folder, self._record, value, model)
                yield span, {"value": value, "model": model, "shrunk": shrunk}

        return Forecasts(**self._gathered(parts()))

    def labels(self, config: Config, bars: BarBlock, tasks: tuple[Task, ...]) -> F64:
        """Return the labels float64[n, S, K] of these bars, worked out of some symbols at a time.

        Not of some bars, since the mean of volume depends on where it begins; residuals need all symbols at once.
        """
        labels: F64 = self._room.empty((*bars.valid.shape, len(tasks)))
        residual = [k for k, task in enumerate(tasks) if task.kind == "residual"]
        others = [k for k in range(len(tasks)) if k not in residual]
        for of in groups_of(bars.valid.shape):
            self._label(
                labels[:, of], config, bars.symbols(range(of.start, of.stop)), tasks, others
            )
        self._label(labels, config, bars, tasks, residual)
        return labels

    @staticmethod
    def _label(
        labels: F64, config: Config, bars: BarBlock, tasks: tuple[Task, ...], places: list[int]
    ) -> None:
        """Write the labels of the tasks at these places."""
        for k in places:
            labels[:, :, k] = labels_by(config, bars, (tasks[k],))[0][:, :, 0]

    def fills(self) -> npt.NDArray[np.void]:
        """Return the fills in these bars, in the order of booking."""
        fills = self._room.empty(self._record.span("fills").rows, FILL)
        stop, before = 0, EARLIEST
        for span in self._spans():
            last = int(self._times[span][-1])
            part = self._record.fills(before, last)
            fills[stop : stop + len(part)] = part
            stop, before = stop + len(part), last
        return fills[:stop]

    def _bars(self) -> Iterator[tuple[slice, BarBlock]]:
        for span in self._spans():
            times = self._times[span]
            yield span, self._record.bars(int(times[0]) - 1, int(times[-1]))

    def _spans(self) -> Iterator[slice]:
        return spans(len(self._times), len(self._record.symbols))

    def _gathered(self, parts: Iterable[tuple[slice, Mapping[str, Any]]]) -> dict[str, Any]:
        """Return the arrays whose parts these are, each with its place in the room."""
        whole: dict[str, Any] = {}
        for span, arrays in parts:
            for name, array in arrays.items():
                if name not in whole:
                    shape = len(self._times), *array.shape[1:]
                    whole[name] = self._room.empty(shape, array.dtype)
                whole[name][span] = array
        return whole


def counted_codes(codes: I64) -> Counter[int]:
    """Return how often each code but 0 is there, of int64[n, S]."""
    counts: Counter[int] = Counter()
    for span in spans(*codes.shape):
        found, times = np.unique(codes[span], return_counts=True)
        counts.update(dict(zip(found.tolist(), times.tolist(), strict=True)))
    counts.pop(0, None)
    return counts
