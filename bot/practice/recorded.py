"""Recorded candles as a source of the practice exchange.

Rules: bars lie on a regular grid; where the recording has a hole, bars are not valid. Reads no
files: the caller loads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bot.blocks import BarBlock
from bot.errors import DataError
from bot.practice.synthetic import column


class RecordedMarket:
    """Serve a block of history by the number of the bar, bar 0 being the block's first.

    Args:
        inverse: the symbols are inverse contracts: their volume is in USD, their turnover in coin.

    Raises:
        DataError: there are no bars, they leave the grid, or symbols and columns disagree.
    """

    def __init__(
        self, bars: BarBlock, symbols: Sequence[str], interval_ms: int, *, inverse: bool = False
    ) -> None:
        if len(bars) == 0:
            raise DataError("the recording has no bars; choose an earlier start or other symbols")
        if bars.n_symbols != len(symbols):
            raise DataError(
                f"the recording has {bars.n_symbols} columns for {len(symbols)} symbols; "
                "give one of each"
            )
        self.symbols, self.inverse = tuple(symbols), inverse
        self.interval_ms = interval_ms
        self.start_ms = int(bars.open_time[0])
        self._bars = _on_grid(bars, interval_ms)

    @property
    def n_bars(self) -> int | None:
        """Return how many bars there are, holes among them."""
        return len(self._bars)

    def block(self, first_bar: int, n: int, symbol: int | None = None) -> BarBlock:
        """Return the bars first_bar .. first_bar+n-1 of all symbols, or of the one at an index.

        Raises:
            ValueError: some of these bars do not exist.
        """
        if first_bar < 0 or n < 1 or first_bar + n > len(self._bars):
            raise ValueError(f"{n} bars from bar {first_bar}: there are {len(self._bars)}")
        return column(self._bars.rows(first_bar, first_bar + n), symbol)


def _on_grid(bars: BarBlock, interval_ms: int) -> BarBlock:
    """Return the bars with the grid's missing ones put in, not valid."""
    steps = (bars.open_time - bars.open_time[0]) / interval_ms
    place = steps.astype(np.int64)
    if np.any(place != steps) or np.any(np.diff(place) < 1):
        raise DataError(
            f"the recording is not on a grid of {interval_ms} ms; check market.interval and sort it"
        )
    n, shape = int(place[-1]) + 1, (int(place[-1]) + 1, bars.n_symbols)
    if n == len(bars):
        return bars
    names = (
        "open", "high", "low", "close", "volume", "turnover", "mark", "mark_high", "mark_low",
        "settlement_price", "realised_variance",
    )  # fmt: skip
    full: dict[str, Any] = {name: np.full(shape, np.nan) for name in names}
    for name in names:
        full[name][place] = getattr(bars, name)
    for name in ("funding_rate", "funding_inside", "funding_inside_unknown"):
        full[name] = np.zeros(shape)
        full[name][place] = getattr(bars, name)
    for name in ("valid", "in_session", "leaving"):
        full[name] = np.zeros(shape, dtype=np.bool_)
        full[name][place] = getattr(bars, name)
    open_time = bars.open_time[0] + interval_ms * np.arange(n, dtype=np.int64)
    return BarBlock.of_candles(open_time, **full)
