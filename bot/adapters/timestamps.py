"""Times as people and files write them, to int64 milliseconds UTC and back.

Rules: a whole number is milliseconds, or seconds where the largest is below 1e11; ISO text without
an offset is UTC; of a daily bar the calendar date counts as it is written, whatever its offset,
because a session's date is local to its exchange. Knows nothing of bars or files.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bot.blocks import I64
from bot.errors import ConfigError
from bot.timegrid import DAY_MS

LARGEST_SECONDS = 100_000_000_000
"""Whole numbers below it are seconds (the year 5138); in milliseconds it is March 1973."""

_DATE = re.compile(r"\d{4}-?(\d{2}-?\d{2}|W\d{2}-?\d)")
_OFFSET = r"(?<=\d)\s?(Z|[+-]\d{2}:?\d{2})$"


class UnreadableTimeError(ValueError):
    """A column of times has one that cannot be read; `index` is its place."""

    def __init__(self, index: int, text: str) -> None:
        super().__init__(f"'{text}' is no time; write milliseconds UTC or ISO 8601")
        self.index = index


def parse_utc(text: str, key: str, *, inclusive_end: bool = False) -> int | None:
    """Return a setting's day or time as ms UTC, None for an empty text.

    Args:
        text: ISO 8601; without an offset it is UTC.
        key: the setting that an error names.
        inclusive_end: a bare day stands for its last millisecond, not its first.

    Raises:
        ConfigError: the text is neither a day nor a time.

    >>> parse_utc("1970-01-02", "data.start")
    86400000
    >>> parse_utc("1970-01-02", "data.end", inclusive_end=True)
    172799999
    """
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(
            f"{key} = '{text}': no such day or time; write 2024-01-31 or 2024-01-31T12:00"
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    ms = int(moment.timestamp() * 1000)
    return ms + DAY_MS - 1 if inclusive_end and _DATE.fullmatch(text.strip()) else ms


def format_utc(time_ms: int) -> str:
    """Return a time as people read it.

    >>> format_utc(1704103200000)
    '2024-01-01 10:00'
    """
    return str(np.datetime64(time_ms, "ms"))[:16].replace("T", " ")


def times_to_ms(values: npt.NDArray[Any], *, daily: bool) -> I64:
    """Return a column of times as int64 ms UTC.

    Args:
        values: whole numbers, datetime64, or texts of either.
        daily: the times are dates of daily bars.

    Raises:
        UnreadableTimeError: a time is missing or no time.

    >>> times_to_ms(np.array([1704067200, 1704067260]), daily=False).tolist()
    [1704067200000, 1704067260000]
    >>> times_to_ms(np.array(["2024-01-02 00:00:00-05:00"], dtype=object), daily=True).tolist()
    [1704153600000]
    """
    if values.dtype.kind in "iu":
        return _scaled(values.astype(np.int64))
    if values.dtype.kind == "M":
        _refuse(np.isnat(values), values)
        return values.astype("datetime64[ms]").astype(np.int64)
    texts = pd.Series(values, dtype=object).astype(str).str.strip()
    whole = texts.str.fullmatch(r"-?\d{6,18}").to_numpy(dtype=np.bool_)
    if len(whole) and whole[0]:
        _refuse(~whole, values)
        return _scaled(texts.to_numpy(dtype=object).astype(np.int64))
    if daily:
        texts = texts.str.replace(_OFFSET, "", regex=True)
    moments = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    moments = moments.mask(texts.str.fullmatch(r"-?\d+"))  # a bare year is no time
    _refuse(moments.isna().to_numpy(), values)
    return moments.dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)


def _scaled(whole: I64) -> I64:
    seconds = len(whole) > 0 and int(whole.max()) < LARGEST_SECONDS
    return whole * 1000 if seconds else whole


def _refuse(unreadable: npt.NDArray[np.bool_], values: npt.NDArray[Any]) -> None:
    if unreadable.any():
        index = int(np.argmax(unreadable))
        raise UnreadableTimeError(index, str(values[index]))
