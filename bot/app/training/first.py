"""The training at a run's start: at which bar it is tried, where no scheduled one gave a model.

A monthly schedule may have no due bar in a daemon's history of two days; without this the run would
decide nothing for weeks. Rules: a pure function of the run's start and of how many labelled rows
its bars have, asked by the daemon and the backtest alike; it is given up as soon as any training
has enough rows. Must not count rows nor train.
"""

from __future__ import annotations

from bot.config import Config
from bot.errors import DataError


class FirstTraining:
    """Name the bar at which the next try is due; bars are numbers that are `step` apart.

    The first try is at the bar whose model decides at the start; each further one at the first bar
    that can have enough rows, since a bar brings at most one row a symbol. So the training is due at
    the first bar from `start - latency` on that has training.min_rows labelled rows. Where these are
    unfit otherwise (a head without a label), it is tried again with a tenth more of them.

    Args:
        start: the first bar on which a model is to decide: of the rehearsal, or that is traded.
        first: the oldest bar there is.
        last: the newest bar that is worth a try; None where more may come.

    >>> from bot.config import load_config
    >>> config = load_config(None, ["training.min_rows=100", "retrain.latency_bars=2"], {})
    >>> tries = FirstTraining(config, n_symbols=3, start=50, first=0)
    >>> tries.next
    48
    >>> tries.unfit(48, 70)
    >>> tries.next
    58
    >>> tries.enough()
    >>> tries.next is None
    True
    """

    def __init__(
        self, config: Config, n_symbols: int, start: int, first: int, last: int | None = None,
        step: int = 1,
    ) -> None:  # fmt: skip
        self._least, self._symbols, self._step = config.training.min_rows, n_symbols, step
        self._earliest, self._last = max(start - config.retrain.latency_bars * step, first), last
        self._next = self._earliest if config.retrain.at_start else None

    @property
    def next(self) -> int | None:
        """Return the bar of the next try, None where there is none to come."""
        if self._next is None or (self._last is not None and self._next > self._last):
            return None
        return self._next

    def next_of(self, scheduled: int | None) -> int | None:
        """Return the bar of the next training: the scheduled one, or a try that comes before it."""
        tried = self.next
        if tried is None or (scheduled is not None and scheduled <= tried):
            return scheduled
        return tried

    def unfit(self, bar: int, rows: int | None) -> None:
        """Take that no model can come of the rows at this bar, scheduled or tried.

        Args:
            rows: how many there are; None where it is another fault, which waiting does not mend.
        """
        if rows is None:
            self._next = None
        elif self._next is not None:
            # enough rows and still unfit, by a head without labels: a tenth more may bring them
            missing = self._least - rows if rows < self._least else max(rows // 10, 1)
            self._next = max(self._earliest, bar + -(-missing // self._symbols) * self._step)

    def enough(self) -> None:
        """Take that a training is made."""
        self._next = None


class UnfitRowsError(DataError):
    """No model can come of a training's rows; why, and how many they are."""

    def __init__(self, reason: str, rows: int) -> None:
        super().__init__(reason, rows)
        self.rows = rows

    def __str__(self) -> str:
        return str(self.args[0])
