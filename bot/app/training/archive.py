"""The archive: bars and features of the past, from which a training's rows are cut.

Rules: a dataset cut at a bar holds only what was known at that bar's close: labels are computed
from bars up to it and no later one. The same bars give the same dataset, live and in a backtest; a
row's window of features lies within the training's window, whatever bars before it are still kept. Where
there is room on the disk, bars, features and rows lie there; of labels a few symbols are in memory at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import fields
from functools import partial

import numpy as np

from bot.adapters.system.disk_room import DiskRoom
from bot.app.symbols import traded_symbols
from bot.app.training.request import RowsSource, TrainingRows
from bot.app.training.rows_on_disk import RowsOnDisk
from bot.blocks import F64, I64, BarBlock, Bool, FeatureBlock, Task
from bot.config import Config
from bot.features.lookback import advance_windows, nothing_seen
from bot.features.targets import labels_by
from bot.model.dataset import Dataset
from bot.model.room import IN_MEMORY, RowRoom
from bot.one_for_all import is_one_for_all

LABELLED_AT_ONCE = 2**18
"""Symbol-bars whose labels are worked out at a time, at the least those of one symbol."""


LEAST_BYTES = 2**15
"""Of an array of a block that goes to the disk: blocks are many, and short where trainings are often tried."""


class Archive:
    """Keep bars and features, all of them or those that a rolling window still needs.

    Args:
        disk: where they and the rows lie; in memory without.
    """

    def __init__(
        self, config: Config, tasks: tuple[Task, ...], disk: DiskRoom | None = None
    ) -> None:
        self._tasks = tasks
        self._label_window = config.features.window
        self._label = partial(labels_by, config, tasks=tasks)
        self._lookback = config.model.bars_read
        self._symbols = traded_symbols(config)
        self._window = config.training.window_bars if config.training.window == "rolling" else None
        self._disk = disk
        self._of_bars, self._of_features = (
            None if disk is None else disk.of_arrays_from(LEAST_BYTES) for _ in range(2)
        )
        self._room: RowRoom = IN_MEMORY if disk is None else disk
        self._bars: deque[BarBlock] = deque()
        self._features: deque[FeatureBlock] = deque()
        self._dropped = 0
        self._end = 0

    def extend(self, bars: BarBlock, features: FeatureBlock) -> BarBlock:
        """Add the bars that follow, and return them as they lie here."""
        x, ready = features.x, features.ready
        if self._of_bars is not None and self._of_features is not None:
            bars = _kept(bars, self._of_bars)
            x, ready = self._of_features.kept(x), self._of_bars.kept(ready)
        self._bars.append(bars)
        self._features.append(FeatureBlock(x, ready))
        self._end += len(bars)
        return bars

    def skip(self, n_bars: int) -> None:
        """Take in bars of which nothing will be asked any more, and forget all there were."""
        self._end += n_bars
        self._dropped = self._end
        self._bars.clear()
        self._features.clear()

    @property
    def end(self) -> int:
        """Return the index, in the run's bars, of the first bar not yet added."""
        return self._end

    def training_rows(self, dataset: Dataset) -> TrainingRows:
        """Return a dataset with the open times of its first and last bar."""
        first, last = (self._open_time(int(dataset.bar[k])) for k in (0, -1))
        return TrainingRows(dataset, first, last)

    def source(self, dataset: Dataset) -> RowsSource:
        """Return the same for a process that is to train on it; what lies on the disk stays there."""
        rows = self.training_rows(dataset)
        if self._disk is None or dataset.last is not None:
            return rows
        return RowsOnDisk(rows, self._disk)

    def _open_time(self, index: int) -> int:
        at = index - self._dropped
        for block in self._bars:
            if at < len(block):
                return int(block.open_time[at])
            at -= len(block)
        raise IndexError(index)

    def drop_before(self, index: int) -> None:
        """Forget the bars that no training cut at `index` or later can use."""
        if self._window is None:
            return
        needed = index + 1 - self._window - self._label_window
        while self._bars and self._dropped + len(self._bars[0]) <= needed:
            self._dropped += len(self._bars.popleft())
            self._features.popleft()

    def dataset(self, index: int) -> Dataset:
        """Return the rows that a training due at the close of bar `index` may use.

        Returns:
            a row for each bar and symbol of the window that is ready and has a label, and as many
            ready bars before it as the model reads.
        """
        stop = index + 1 - self._dropped
        first = 0 if self._window is None else max(0, stop - self._window)
        start = max(0, first - self._label_window)
        y, known = self._labels(start, stop)
        y, known = y[first - start :], known[first - start :]
        origin = start + self._dropped
        if self._lookback > 1:
            return self._windowed(y, known, (first, stop), origin)
        parts = list(self._features_in(first, stop))
        usable = [_labelled(y[span], known[span]) & ready for span, _, ready in parts]
        n = sum(int(part.sum()) for part in usable)
        x = self._room.empty((n, self._features[-1].x.shape[2]))
        labels = self._room.empty((n, len(self._tasks)))
        bar, of_symbol, known_at = (self._room.empty(n, np.int64) for _ in range(3))
        row = 0
        for (span, part, _), chosen in zip(parts, usable, strict=True):
            at, symbol = np.nonzero(chosen)
            rows = slice(row, row + len(at))
            x[rows], labels[rows] = part[at, symbol], y[span][at, symbol]
            bar[rows], of_symbol[rows] = at + (span.start + first + self._dropped), symbol
            known_at[rows] = _newest(y[span], known[span])[at, symbol] + origin
            row = rows.stop
        return Dataset(
            x=x, y=labels, bar=bar, symbol=of_symbol, tasks=self._tasks, known_at=known_at,
            symbols=self._symbols, room=self._room,
        )  # fmt: skip

    def _features_in(self, first: int, stop: int) -> Iterator[tuple[slice, F64, Bool]]:
        """Yield, block by block, the places in first..stop-1 from `first` on, features and readiness."""
        begin = 0
        for block in self._features:
            a, b = max(first, begin), min(stop, begin + len(block.x))
            if a < b:
                here = slice(a - begin, b - begin)
                yield slice(a - first, b - first), block.x[here], block.ready[here]
            begin += len(block.x)

    def _labels(self, start: int, stop: int) -> tuple[F64, I64]:
        """Return what `labels_by` says of the bars start..stop-1, a few symbols at a time.

        Residuals need all symbols at once.
        """
        n_symbols = self._bars[-1].n_symbols
        at_once = max(1, LABELLED_AT_ONCE // max(stop - start, 1))
        if any(task.kind == "residual" for task in self._tasks) or at_once >= n_symbols:
            bars = BarBlock.concat(list(self._bars)).rows(start, stop)
            return self._label(bars)
        shape = (stop - start, n_symbols, len(self._tasks))
        y, known = self._room.empty(shape), self._room.empty(shape, np.int64)
        for s in range(0, n_symbols, at_once):
            some = range(s, min(s + at_once, n_symbols))
            bars = BarBlock.concat([block.symbols(some) for block in self._bars])
            y[:, some.start : some.stop], known[:, some.start : some.stop] = self._label(
                bars.rows(start, stop)
            )
        return y, known

    def _windowed(self, y: F64, known: I64, window: tuple[int, int], origin: int) -> Dataset:
        """Return the rows of a network that reads windows; these lie in memory."""
        first, stop = window
        x = np.concatenate([block.x for block in self._features])[first:stop]
        ready = np.concatenate([block.ready for block in self._features])[first:stop]
        empty = nothing_seen(x.shape[1], self._lookback, x.shape[2])
        windows = advance_windows(*empty, x, ready)
        at, symbol = np.nonzero(ready & _labelled(y, known) & (windows.last >= 0))
        return Dataset(
            x=windows.rows,
            y=y[at, symbol],
            bar=at.astype(np.int64) + first + self._dropped,
            symbol=symbol.astype(np.int64),
            tasks=self._tasks,
            known_at=_newest(y, known)[at, symbol] + origin,
            last=windows.last[at, symbol],
            lookback=self._lookback,
            symbols=self._symbols,
            room=self._room,
        )


def _kept(bars: BarBlock, disk: DiskRoom) -> BarBlock:
    """Return the bars on the disk; columns that are one array stay one."""
    kept: dict[int, np.ndarray] = {}
    columns = {field.name: getattr(bars, field.name) for field in fields(BarBlock)}
    for column in columns.values():
        key = column.__array_interface__["data"][0]
        if key not in kept:
            kept[key] = column if is_one_for_all(column) else disk.kept(column)
    return BarBlock(**{k: kept[v.__array_interface__["data"][0]] for k, v in columns.items()})


def _labelled(y: F64, known: I64) -> Bool:
    """Return bool[n, S], whether a label is known."""
    return np.asarray(((known >= 0) & np.isfinite(y)).any(axis=2))


def _newest(y: F64, known: I64) -> I64:
    """Return int64[n, S], the bar at which the last of the labels is known."""
    return np.asarray(np.where(np.isfinite(y), known, -1).max(axis=2))
