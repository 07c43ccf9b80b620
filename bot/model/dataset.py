"""Labelled rows, their digest, and their chronological split.

Owns `Dataset`. Rules: a row is one symbol at one bar; NaN in y means that the label is not known;
the windows that rows read overlap, so they stand once in a table and are cut when they are needed.
Knows nothing of where rows come from, and never shuffles.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64, Bool, Task, Windows
from bot.errors import DataError
from bot.model.room import IN_MEMORY, RowRoom, chosen_of, mask, spans
from bot.model.tasks import labels_of

_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Dataset:
    """N labelled rows; several rows (symbols) may share a bar.

    Attributes:
        x: float64[N, F], finite; with `last` a table float64[R, F] that windows are cut from.
        y: float64[N, K] in the targets' own units, NaN where unlabelled; a direction is 0 or 1, a
            decision -1, 0 or 1.
        bar: int64[N], index of the row's bar on the grid.
        symbol: int64[N], index of the row's symbol.
        tasks: what the K columns of y are.
        known_at: int64[N], index of the bar at which the last of the row's labels is known; by default
            the bar plus the longest horizon. Give it where horizons leave out bars out of session.
        last: int64[N], where the row's window ends in x, as in `Windows`; None where a row reads
            its own bar only.
        lookback: length of the windows; 1 without `last`.
        symbols: names by index; needed where the model knows the symbols.
        room: where what a training makes of the rows lies.

    Raises:
        DataError: shapes disagree, a feature is not finite, a label is infinite, or one that its
            task does not know.
    """

    x: F64
    y: F64
    bar: I64
    symbol: I64
    tasks: tuple[Task, ...]
    known_at: I64 | None = None
    last: I64 | None = None
    lookback: int = 1
    symbols: tuple[str, ...] = ()
    room: RowRoom = field(default=IN_MEMORY, compare=False, repr=False)

    def __post_init__(self) -> None:
        n = len(self.x) if self.last is None else len(self.last)
        if self.x.ndim != 2 or self.y.shape != (n, len(self.tasks)) or not self.tasks:
            raise DataError(
                f"rows of a model: x is {self.x.shape} and y {self.y.shape} for "
                f"{len(self.tasks)} tasks; expected [N, F] and [N, tasks]"
            )
        for name in ("bar", "symbol", "known_at"):
            column = getattr(self, name)
            if column is not None and column.shape != (n,):
                raise DataError(f"rows of a model: {name} is {column.shape}, expected ({n},)")
        if self.last is None:
            sound = self.lookback == 1
        else:
            sound = bool(((self.last >= self.lookback - 1) & (self.last < len(self.x))).all())
        if not sound:
            raise DataError(
                f"rows of a model: a window of {self.lookback} rows lies outside the "
                f"{len(self.x)} rows of x; leave out rows without a full window"
            )
        if len(set(self.tasks)) != len(self.tasks):
            raise DataError("rows of a model: a task stands there twice; name each once")
        for span in spans(len(self.x)):
            if not np.isfinite(self.x[span]).all():
                at, column = np.argwhere(~np.isfinite(self.x[span]))[0]
                row = int(at) + span.start
                raise DataError(
                    f"rows of a model: feature {column} of row {row}{self._bar_of(row)} is not "
                    "finite; leave out rows that are not ready"
                )
        for k, task in enumerate(self.tasks):
            self._check_labels(k, task)

    def _check_labels(self, k: int, task: Task) -> None:
        allowed = labels_of(task)
        for span in spans(len(self.y)):
            label = self.y[span, k]
            wrong = ~np.isnan(label) & ~np.isin(label, allowed) if allowed else np.isinf(label)
            if wrong.any():
                row = int(np.flatnonzero(wrong)[0])
                bar = self.bar[span.start + row]
                expected = ", ".join(f"{value:g}" for value in allowed) or "a number"
                raise DataError(
                    f"rows of a model: label {task.name} of row {span.start + row} (bar {bar}) is "
                    f"{label[row]}; expected {expected} or NaN"
                )

    def _bar_of(self, row: int) -> str:
        return f" (bar {self.bar[row]})" if self.last is None else ""

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n_features(self) -> int:
        """Return F."""
        return int(self.x.shape[1])

    @property
    def horizon(self) -> int:
        """Return the longest horizon of the tasks, in bars."""
        return max(task.horizon for task in self.tasks)

    def rows(self, chosen: Bool) -> Self:
        """Return the rows where bool[N] `chosen` holds, in the same order; rows in a row are not copied.

        Others are copied into the room.
        """
        first, count = int(chosen.argmax()) if len(chosen) else 0, int(chosen.sum())
        places = slice(first, first + count)
        return self._at(places if chosen[places].all() else chosen)

    def where(self, holds: Callable[[slice], npt.ArrayLike]) -> Self:
        """Return the rows of which something holds, asked span by span."""
        return self.rows(mask(self.room, len(self), holds))

    def labelled(self) -> Self:
        """Return the rows that have any label."""
        return self.where(lambda span: ~np.isnan(self.y[span]).all(axis=1))

    def _at(self, places: slice | Bool) -> Self:
        def of(array: npt.NDArray[_T]) -> npt.NDArray[_T]:
            return (
                array[places] if isinstance(places, slice) else chosen_of(array, places, self.room)
            )

        return type(self)(
            x=of(self.x) if self.last is None else self.x,
            y=of(self.y),
            bar=of(self.bar),
            symbol=of(self.symbol),
            tasks=self.tasks,
            known_at=None if self.known_at is None else of(self.known_at),
            last=None if self.last is None else of(self.last),
            lookback=self.lookback,
            symbols=self.symbols,
            room=self.room,
        )

    def part(self, span: slice) -> Self:
        """Return the rows of a span."""
        return self._at(span)

    def features_read(self) -> F64:
        """Return the bars' features that the rows read, each once, float64[.., F]."""
        if self.last is None:
            return self.x
        read = np.zeros(len(self.x), dtype=np.bool_)
        for back in range(self.lookback):
            read[self.last - back] = True
        return self.x[read]

    def as_bars(self) -> tuple[F64, Bool, Windows | None, I64]:
        """Return the rows as a forecast takes them: a row a bar, all ready, with their symbols."""
        ready = np.ones((len(self), 1), dtype=np.bool_)
        x = self.newest().x[:, None, :]
        if self.last is None:
            return x, ready, None, self.symbol[:, None]
        windows = Windows(self.x, self.last[:, None], self.lookback)
        return x, ready, windows, self.symbol[:, None]

    def newest(self) -> Self:
        """Return the rows reading their own bar only."""
        if self.last is None:
            return self
        return replace(self, x=self.x[self.last], last=None, lookback=1)

    def digest(self) -> str:
        """Return the SHA-256 (hex) of tasks, shapes and arrays in little-endian order.

        Every NaN counts as the same; the order of rows matters, because training depends on it.
        """
        head = {"tasks": [task.name for task in self.tasks], "shape": list(self.x.shape)}
        sha = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
        sha.update(np.ascontiguousarray(self.x, dtype="<f8").data)
        for span in spans(len(self)):
            y = np.where(np.isnan(self.y[span]), np.nan, self.y[span])
            sha.update(np.ascontiguousarray(y, dtype="<f8").data)
        for array in (self.bar, self.symbol):
            sha.update(np.ascontiguousarray(array, dtype="<i8").data)
        if self.known_at is not None:
            sha.update(np.ascontiguousarray(self.known_at, dtype="<i8").data)
        if self.last is not None:
            sha.update(f"lookback {self.lookback}".encode())
            sha.update(np.ascontiguousarray(self.last, dtype="<i8").data)
        return sha.hexdigest()


def split_chronological(
    dataset: Dataset, validation_fraction: float, embargo_bars: int
) -> tuple[Dataset, Dataset]:
    """Split into rows to train on and later rows to validate on, with an embargo between.

    The last `validation_fraction` of the distinct bars validates. Rows within max(embargo, horizon)
    bars before the first of them, and any whose label is only known inside it, are dropped, so that
    no training label overlaps a validation bar (purging and embargo: López de Prado 2018, ch. 7).
    The far side, after validation, needs no cut of its own: the dataset holds only labels that were
    known at the bar of the training, so it ends at least a horizon before the first bar that the
    model will decide on.

    Returns:
        (train, validation), rows in their given order.

    Raises:
        DataError: one of the two has no rows.
    """
    bars = np.unique(np.concatenate([np.unique(dataset.bar[span]) for span in spans(len(dataset))]))
    held = max(1, round(len(bars) * validation_fraction))
    if len(bars) <= held:
        raise DataError(
            f"training: {len(bars)} bars cannot be split into two parts; train on a longer window"
        )
    first = int(bars[-held])
    embargo = max(embargo_bars, dataset.horizon)
    bar, known_at = dataset.bar, dataset.known_at

    def trains(span: slice) -> Bool:
        known = bar[span] + dataset.horizon if known_at is None else known_at[span]
        return np.asarray((bar[span] < first - embargo) & (known < first))

    train = dataset.where(trains)
    if len(train) == 0:
        raise DataError(
            f"training: no rows are left before an embargo of {embargo} bars; train on a longer window "
            "or lower training.embargo_bars or training.validation_fraction"
        )
    return train, dataset.where(lambda span: bar[span] >= first)
