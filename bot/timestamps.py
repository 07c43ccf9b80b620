"""Times as people and files write them, to int64 milliseconds UTC and back: the one reader of times.

Rules: a number's unit (s, ms, µs, ns) is known by its size, since between 1973 and 2100 the four
ranges lie apart; a number in none of them is refused, and so is a column of several units, unless
its reader was asked to take each number by itself (`bot import`). A whole number of eight digits
that is a date, as 20240131, is that day. ISO text without an offset is UTC; of a daily bar the
calendar date counts as it is written, whatever its offset, because a session's date is local to
its exchange. Knows nothing of bars or files.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64, Bool
from bot.errors import ConfigError
from bot.timegrid import DAY_MS

if TYPE_CHECKING:
    import pandas as pd  # imported where columns are read: writers of times need none

EARLIEST_MS = 100_000_000_000
"""1973-03-03. Below it, milliseconds could be taken for seconds."""

LATEST_MS = 4_102_444_800_000
"""2100-01-01."""

_UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
_PER_UNIT = (1e-3, 1.0, 1e3, 1e6)
"""How many of a unit a millisecond has."""
_DAYS, _TEXT, _NONE = len(_UNITS), len(_UNITS) + 1, -1
_KINDS = (*_UNITS, "days such as 20240131", "ISO texts")

_DATE = re.compile(r"\d{4}-?(\d{2}-?\d{2}|W\d{2}-?\d)")
_OFFSET = r"(?<=\d)\s?(Z|[+-]\d{2}:?\d{2})$"
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"


class UnreadableTimeError(ValueError):
    """A column of times has one that cannot be read; `index` is its place."""

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(problem)
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


class TimeReader:
    """Read one column of times, whole or in parts, all of the same kind.

    Args:
        daily: the times are dates of daily bars.
        mixed: each number is taken by its own unit, and texts may stand among numbers.
        fix: what to do about times of several units, for whoever reads the error.
    """

    def __init__(
        self, *, daily: bool, mixed: bool = False,
        fix: str = "'bot import' reads such a file, each row by its own unit",
    ) -> None:  # fmt: skip
        self._daily, self._mixed, self._fix = daily, mixed, fix
        self._kind: int | None = None
        self._kinds: set[int] = set()

    @property
    def kinds(self) -> list[str]:
        """Return what the times read so far were in: seconds, milliseconds, …, ISO texts."""
        return [_KINDS[kind] for kind in sorted(self._kinds)]

    def read(self, column: Any) -> I64:
        """Return int64[m] ms UTC of the column's next part.

        Args:
            column: whole numbers, floats, datetimes of any unit and time zone, dates, or texts of
                any of these; a pandas Series or what makes one.

        Raises:
            UnreadableTimeError: a time is missing, no time, outside 1973 to 2100, or of another
                unit than those before.
        """
        import pandas as pd

        series = pd.Series(column)
        if len(series) == 0:
            return np.empty(0, np.int64)
        if pd.api.types.is_datetime64_any_dtype(series.dtype):
            return self._kept(_of_datetimes(series, daily=self._daily), series, _TEXT)
        if pd.api.types.is_bool_dtype(series.dtype):
            raise UnreadableTimeError(0, f"'{series.iloc[0]}' is no time")
        if pd.api.types.is_integer_dtype(series.dtype) and not series.hasnans:
            return self._numbers(series.to_numpy(dtype=np.int64), series)
        if pd.api.types.is_float_dtype(series.dtype):
            return self._numbers(series.to_numpy(dtype=np.float64, na_value=np.nan), series)
        return self._texts(series)

    def _numbers(self, values: I64 | F64, series: pd.Series[Any]) -> I64:
        ms, kind = _by_size(values)
        return self._kept(ms, series, kind)

    def _texts(self, series: pd.Series[Any]) -> I64:
        texts = series.astype(object).where(series.notna(), "").astype(str).str.strip()
        numeric = texts.str.fullmatch(_NUMBER).to_numpy(dtype=np.bool_)
        ms = np.zeros(len(texts), np.int64)
        kind = np.full(len(texts), _NONE)
        if numeric.any():
            ms[numeric], kind[numeric] = _by_size(_exact(texts[numeric]))
        if not numeric.all():
            ms[~numeric], kind[~numeric] = _of_iso(texts[~numeric], daily=self._daily)
        return self._kept(ms, series, kind)

    def _kept(self, ms: I64, series: pd.Series[Any], kind: I64 | int) -> I64:
        """Return the times if all are of one kind and in range; refuse the first that is not."""
        kinds = np.broadcast_to(np.asarray(kind), ms.shape)
        outside = (kinds == _NONE) | (ms < EARLIEST_MS) | (ms >= LATEST_MS)
        first = int(kinds[0]) if self._kind is None else self._kind
        other: Bool = np.zeros(len(ms), np.bool_) if self._mixed else kinds != first
        wrong = outside | other
        if wrong.any():
            i = int(np.argmax(wrong))
            value = series.iloc[i]
            if outside[i]:
                raise UnreadableTimeError(i, _no_time(value))
            raise UnreadableTimeError(
                i,
                f"'{value}' is in {_KINDS[kinds[i]]} and the rows before it in {_KINDS[first]}; "
                f"{self._fix}",
            )
        self._kind = first
        self._kinds.update(np.unique(kinds).tolist())
        return ms


def times_to_ms(column: Any, *, daily: bool, mixed: bool = False) -> I64:
    """Return a whole column of times as int64 ms UTC; the arguments are those of `TimeReader`.

    Raises:
        UnreadableTimeError: as `TimeReader.read`.

    >>> times_to_ms(np.array([1704067200, 1704067260]), daily=False).tolist()
    [1704067200000, 1704067260000]
    >>> times_to_ms(np.array(["2024-01-02 00:00:00-05:00"], dtype=object), daily=True).tolist()
    [1704153600000]
    """
    return TimeReader(daily=daily, mixed=mixed).read(column)


def is_missing(value: Any) -> bool:
    """Return whether a cell is empty.

    >>> is_missing(None), is_missing(" "), is_missing([])
    (True, True, False)
    """
    import pandas as pd

    return bool(pd.api.types.is_scalar(value) and pd.isna(value)) or not str(value).strip()


def _no_time(value: Any) -> str:
    if is_missing(value):
        return "no timestamp; fill the cell, or delete the row"
    return (
        f"'{value}' is no time between 1973 and 2100; write ISO 8601 or whole milliseconds UTC "
        "(seconds, microseconds and nanoseconds are read too)"
    )


def _by_size(values: I64 | F64) -> tuple[I64, I64]:
    """Return numbers as ms, and the unit of each as an index of `_KINDS`, _NONE where it has none.

    >>> _by_size(np.array([1704067200, 1704067200000000, 20240101, 5]))[1].tolist()
    [0, 2, 4, -1]
    """
    ms, kind = np.zeros(len(values), np.int64), np.full(len(values), _NONE, np.int64)
    for unit, per_ms in enumerate(_PER_UNIT):
        inside = (values >= EARLIEST_MS * per_ms) & (values < LATEST_MS * per_ms)
        kind[inside] = unit
        own = values[inside]
        if per_ms < 1.0:
            ms[inside] = np.rint(own * 1000.0)
        else:
            ms[inside] = own // int(per_ms)
    left = np.flatnonzero((kind == _NONE) & (values >= 19_730_303) & (values < 21_000_101))
    if len(left):
        import pandas as pd

        days = pd.to_datetime(pd.Series(values[left]).astype(str).str.removesuffix(".0"),
                              format="%Y%m%d", errors="coerce")  # fmt: skip
        known = days.notna().to_numpy()
        ms[left[known]] = days[known].to_numpy().astype("datetime64[ms]").astype(np.int64)
        kind[left[known]] = _DAYS
    return ms, kind


def _exact(texts: pd.Series[str]) -> I64 | F64:
    """Return texts of numbers as int64 where all are whole, since ns do not fit a float."""
    if texts.str.fullmatch(r"[+-]?\d{1,18}|[+-]?[0-8]\d{18}").all():
        return texts.to_numpy(dtype=object).astype(np.int64)
    return texts.to_numpy(dtype=object).astype(np.float64)


def _of_iso(texts: pd.Series[str], *, daily: bool) -> tuple[I64, I64]:
    import pandas as pd

    if daily:
        texts = texts.str.replace(_OFFSET, "", regex=True)
    moments = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    known = moments.notna().to_numpy() & ~texts.str.fullmatch(r"\d{4}(-\d{2})?").to_numpy()
    return _of_datetimes(moments.dt.tz_localize(None), daily=False), np.where(known, _TEXT, _NONE)


def _of_datetimes(series: pd.Series[Any], *, daily: bool) -> I64:
    """Return datetimes as ms UTC, 0 (which is refused) where one is missing."""
    import pandas as pd

    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_localize(None) if daily else series.dt.tz_convert(None)
    moments: npt.NDArray[Any] = series.to_numpy().astype("datetime64[ms]")
    return np.where(np.isnat(moments), 0, moments.astype(np.int64))
