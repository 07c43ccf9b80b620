"""A run of candles of one symbol, and what makes candles wrong.

Owns the columns and the checks: open times on the grid of the interval, each once, forward; prices
finite and positive; the high not below and the low not above the open and the close; volume finite
and not negative. A gap is no fault: a symbol may miss bars. Must not open a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from bot.blocks import F64, I64, Bool
from bot.errors import DataError
from bot.timegrid import DAY_MS, INTERVAL_MS, MINUTE_MS
from bot.timestamps import format_utc
from bot.wording import counted

COLUMNS = ("open", "high", "low", "close", "volume", "turnover")
"""The columns of `Candles.values`, in order; turnover is NaN where the source has none."""

ROUNDING = 1e-9
"""Relative. Adjusted prices are rounded one by one, which may put a close a hair above its high."""

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles of one symbol, oldest first: time int64[m] ms UTC, values float64[m, 6]."""

    time: I64
    values: F64

    def __len__(self) -> int:
        return len(self.time)

    def rows(self, start: int, stop: int | None = None) -> Self:
        """Return the candles start..stop-1 as views."""
        return type(self)(self.time[start:stop], self.values[start:stop])

    def only(self, these: Bool) -> Self:
        """Return the candles where `these`, bool[m], is true."""
        return type(self)(self.time[these], self.values[these])

    def column(self, name: str) -> F64:
        """Return float64[m], one of COLUMNS."""
        return self.values[:, COLUMNS.index(name)]

    @classmethod
    def empty(cls) -> Self:
        """Return no candles."""
        return cls(np.empty(0, np.int64), np.empty((0, len(COLUMNS))))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Join candles that follow one another in time."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([p.time for p in parts]), np.concatenate([p.values for p in parts])
        )

    @classmethod
    def of_frame(cls, frame: pd.DataFrame) -> Self:
        """Return the candles of a frame with the columns `timestamp` (int64 ms) and COLUMNS."""
        values = np.full((len(frame), len(COLUMNS)), np.nan)
        for k, name in enumerate(COLUMNS):
            if name in frame:
                values[:, k] = frame[name].to_numpy(dtype=np.float64)
        return cls(frame["timestamp"].to_numpy(dtype=np.int64), values)

    def frame(self) -> pd.DataFrame:
        """Return the candles as a frame, without a turnover that is nowhere known."""
        columns = {name: self.column(name) for name in COLUMNS}
        if np.isnan(columns["turnover"]).all():
            del columns["turnover"]
        return pd.DataFrame({"timestamp": self.time, **columns})


def check_candles(
    candles: Candles,
    interval: str,
    where: str,
    row: Callable[[int], str],
    after_ms: int | None = None,
    *,
    sessions: bool = False,
) -> None:
    """Refuse candles that cannot be true.

    Args:
        candles: to be checked.
        interval: the name of their interval.
        where: the file, or what else the message names.
        row: names the place of the i-th candle, for example "line 7".
        after_ms: the open time of the candle before these.
        sessions: the venue keeps sessions, whose bars open on any minute.

    Raises:
        DataError: with the place and kind of the first faults, and how many rows are faulty.
    """
    faulty, fault = faults_of(candles, interval, where, row, after_ms, sessions=sessions)
    if faulty.any():
        raise DataError(fault)


def faults_of(
    candles: Candles, interval: str, where: str, row: Callable[[int], str],
    after_ms: int | None = None, *, sessions: bool = False,
) -> tuple[Bool, str]:  # fmt: skip
    """Return which candles cannot be true, bool[m], and what is wrong with the first of them.

    The arguments are those of `check_candles`.
    """
    faults = [
        *_time_faults(candles.time, interval, after_ms, sessions=sessions),
        *_value_faults(candles),
    ]
    faulty: Bool = np.logical_or.reduce([mask for mask, _ in faults])
    if not faulty.any():
        return faulty, ""
    places = np.flatnonzero(faulty)
    lines = [
        f"{row(int(i))}: " + next(tell(int(i)) for mask, tell in faults if mask[i])
        for i in places[:_SHOWN]
    ]
    count = counted(len(places), "faulty row")
    more = f"; and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return faulty, f"{where}: {count}; {'; '.join(lines)}{more}"


_Fault = tuple[Bool, Callable[[int], str]]


def _time_faults(time: I64, interval: str, after_ms: int | None, *, sessions: bool) -> list[_Fault]:
    step = INTERVAL_MS[interval]
    grid = MINUTE_MS if sessions and step < DAY_MS else step
    before = np.concatenate([time[:1] - step if after_ms is None else [after_ms], time[:-1]])

    apart = np.unique(time % grid)

    def off(i: int) -> str:
        if step < DAY_MS and len(apart) == 1 and apart[0] % MINUTE_MS == 0:
            return (
                f"{format_utc(int(time[i]))} is not the open of a {interval} bar in UTC, and all rows "
                f"are {apart[0] // MINUTE_MS} minutes past one; if they are bars of an exchange's "
                "session, name their venue 'us', whose bars open on any minute"
            )
        return (
            f"timestamp {str(np.datetime64(int(time[i]), 'ms')).replace('T', ' ')} is not the open "
            f"of a {interval} bar in UTC; correct it, or name the file's interval rightly"
        )

    def close(i: int) -> str:
        return (
            f"{format_utc(int(time[i]))} comes {(time[i] - before[i]) // MINUTE_MS} minutes after "
            f"the bar before it, less than {interval}; name the file's interval rightly, and leave "
            "bars outside the session out"
        )

    def twice(i: int) -> str:
        return f"a second candle at {format_utc(int(time[i]))}; keep one row a bar"

    def back(i: int) -> str:
        return (
            f"{format_utc(int(time[i]))} comes after {format_utc(int(before[i]))}; "
            "sort the rows by timestamp"
        )

    near = (time > before) & (time < before + step)
    return [(time % grid != 0, off), (time == before, twice), (time < before, back), (near, close)]


def _value_faults(candles: Candles) -> list[_Fault]:
    opened, high, low, close = (candles.column(n) for n in COLUMNS[:4])
    volume, turnover = candles.column("volume"), candles.column("turnover")
    prices = candles.values[:, :4]
    bad_price = ~(np.isfinite(prices) & (prices > 0.0))
    bad_volume = ~(np.isfinite(volume) & (volume >= 0.0))
    bad_turnover = np.isinf(turnover) | (turnover < 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        too_low = high < np.maximum(opened, close) * (1.0 - ROUNDING)
        too_high = low > np.minimum(opened, close) * (1.0 + ROUNDING)

    def price(i: int) -> str:
        name = COLUMNS[int(np.argmax(bad_price[i]))]
        return (
            f"{name} is {candles.column(name)[i]}, expected a positive number; "
            "correct the row, or delete it and the bar counts as missing"
        )

    def number(name: str) -> Callable[[int], str]:
        return lambda i: (
            f"{name} is {candles.column(name)[i]}, expected zero or more; correct or delete the row"
        )

    def high_low(name: str, side: str) -> Callable[[int], str]:
        return lambda i: (
            f"{name} {candles.column(name)[i]} is {side} the open {opened[i]} or the close "
            f"{close[i]}; correct or delete the row"
        )

    no_price: Bool = np.logical_or.reduce(bad_price, axis=1)
    return [
        (no_price, price),
        (too_low, high_low("high", "below")),
        (too_high, high_low("low", "above")),
        (bad_volume, number("volume")),
        (bad_turnover, number("turnover")),
    ]
