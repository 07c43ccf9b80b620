"""Jumps of price in files: refused by file and row, unless the settings say that one is real.

Rules: a candle is held against the close of the row before it, a mark price against the candle that opens
at its time. Must not decide how far is too far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bot.adapters.files.candles import Candles
from bot.blocks import F64, I64
from bot.errors import ConfigError, DataError
from bot.plausibility import jumps
from bot.timestamps import format_utc, parse_utc


@dataclass(frozen=True, slots=True)
class Jumps:
    """How far prices of neighbouring rows may lie apart.

    Attributes:
        max_jump: the factor.
        symbol: as in market.symbols, for the message.
        accepted: open times at which a larger one is real.
    """

    max_jump: float
    symbol: str
    accepted: frozenset[int] = field(default_factory=frozenset)

    def check(
        self, candles: Candles, where: str, row: Callable[[int], str], before: float
    ) -> float:
        """Refuse a jump, and return the last close.

        Args:
            where: the file.
            row: names the place of the i-th candle.
            before: the close before these candles, NaN where there is none.

        Raises:
            DataError: naming the first row beyond.
        """
        if len(candles) == 0:
            return before
        closes = candles.column("close")
        last = np.concatenate([[before], closes[:-1]])
        prices = [candles.column(name) for name in ("open", "high", "low", "close")]
        beyond = jumps(prices, last, self.max_jump)
        beyond &= ~np.isin(candles.time, list(self.accepted))
        if beyond.any():
            i, n = int(beyond.argmax()), int(beyond.sum())
            at = format_utc(int(candles.time[i])).replace(" ", "T")
            after = (
                f"after a close of {last[i]:.12g}" if np.isfinite(last[i]) else "in the first row"
            )
            raise DataError(
                f"{where}: {n} {'jump' if n == 1 else 'jumps'} of price; {row(i)}: open, high, low, "
                f"close are {', '.join(f'{column[i]:.12g}' for column in prices)} {after}, more than a "
                f"factor of {self.max_jump:.10g} (market.max_jump); correct the "
                f"file, or where the coin was redenominated add '{self.symbol}@{at}' to "
                "market.accept_jumps"
            )
        return float(closes[-1])

    def check_marks(self, path: Path, time: I64, marks: F64, opens: F64) -> None:
        """Refuse mark prices of another scale than the candles, as those of a thousand coins have.

        Args:
            path: the file of mark prices.
            time: int64[n], when bars open.
            marks: float64[n], the mark price at these times, NaN where unknown.
            opens: float64[n], the candles' opens at the same times, NaN where unknown.

        Raises:
            DataError: naming the first time at which they lie too far apart.
        """
        beyond = jumps([marks], opens, self.max_jump)
        if beyond.any():
            i = int(beyond.argmax())
            raise DataError(
                f"{path}: at {format_utc(int(time[i]))} the mark price is {marks[i]:.12g} and the candle opens "
                f"at {opens[i]:.12g}, more than a factor of {self.max_jump:.10g} (market.max_jump) apart; "
                "one of the two files is of another "
                "contract or unit: replace it"
            )


def jumps_of(max_jump: float, accepted: Sequence[str], symbols: Sequence[str]) -> dict[str, Jumps]:
    """Return the jumps that each symbol may have, from market.max_jump and market.accept_jumps.

    Raises:
        ConfigError: an entry names no symbol of the run, or no time.
    """
    times: dict[str, set[int]] = {name: set() for name in symbols}
    for entry in accepted:
        symbol, at, time = entry.rpartition("@")
        if not at or symbol not in times:
            raise ConfigError(
                f"market.accept_jumps: '{entry}' is not SYMBOL@TIME with one of market.symbols, for "
                f"example '{symbols[0]}@2024-01-01T00:00'"
            )
        time_ms = parse_utc(time, "market.accept_jumps")
        if time_ms is None:
            raise ConfigError(f"market.accept_jumps: '{entry}' has no time after the @")
        times[symbol].add(time_ms)
    return {name: Jumps(max_jump, name, frozenset(times[name])) for name in symbols}
