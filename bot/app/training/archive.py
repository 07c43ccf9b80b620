"""The archive: bars and features of the past, from which a training's rows are cut.

Rules: a dataset cut at a bar holds only what was known at that bar's close: labels are computed
from bars up to it and no later one. The same bars give the same dataset, live and in a backtest; a
row's window of features lies within the training's window, whatever bars before it are still kept.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from bot.app.symbols import traded_symbols
from bot.app.training.request import TrainingRows
from bot.blocks import I64, BarBlock, FeatureBlock, Task
from bot.config import Config
from bot.features.lookback import advance_windows, nothing_seen
from bot.features.targets import compute_targets
from bot.model.dataset import Dataset


class Archive:
    """Keep bars and features, all of them or those that a rolling window still needs."""

    def __init__(self, config: Config, tasks: tuple[Task, ...]) -> None:
        self._tasks = tasks
        self._label_window = config.features.window
        self._decision_cost = config.targets.decision_cost
        self._lookback = config.model.bars_read
        self._symbols = traded_symbols(config)
        self._window = config.training.window_bars if config.training.window == "rolling" else None
        self._bars: deque[BarBlock] = deque()
        self._features: deque[FeatureBlock] = deque()
        self._dropped = 0
        self._end = 0

    def extend(self, bars: BarBlock, features: FeatureBlock) -> None:
        """Add the bars that follow."""
        self._bars.append(bars)
        self._features.append(FeatureBlock(features.x, features.ready))
        self._end += len(bars)

    @property
    def end(self) -> int:
        """Return the index, in the run's bars, of the first bar not yet added."""
        return self._end

    def training_rows(self, dataset: Dataset) -> TrainingRows:
        """Return a dataset with the open times of its first and last bar."""
        first, last = (self._open_time(int(dataset.bar[k])) for k in (0, -1))
        return TrainingRows(dataset, first, last)

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
        bars = BarBlock.concat(list(self._bars))
        x = np.concatenate([block.x for block in self._features])
        ready = np.concatenate([block.ready for block in self._features])
        stop = index + 1 - self._dropped
        first = 0 if self._window is None else max(0, stop - self._window)
        start = max(0, first - self._label_window)
        y, known = compute_targets(
            bars.rows(start, stop), self._tasks, self._label_window, self._decision_cost
        )
        y, known = y[first - start :], known[first - start :]
        x, ready = x[first:stop], ready[first:stop]
        usable = ready & ((known >= 0) & np.isfinite(y)).any(axis=2)
        windows = None
        if self._lookback > 1:
            empty = nothing_seen(x.shape[1], self._lookback, x.shape[2])
            windows = advance_windows(*empty, x, ready)
            usable &= windows.last >= 0
        at, symbol = np.nonzero(usable)
        labelled = np.where(np.isfinite(y), known, -1).max(axis=2)[at, symbol]
        bar: I64 = at.astype(np.int64) + first + self._dropped
        return Dataset(
            x=x[at, symbol] if windows is None else windows.rows,
            y=y[at, symbol],
            bar=bar,
            symbol=symbol.astype(np.int64),
            tasks=self._tasks,
            known_at=labelled + start + self._dropped,
            last=None if windows is None else windows.last[at, symbol],
            lookback=self._lookback,
            symbols=self._symbols,
        )
