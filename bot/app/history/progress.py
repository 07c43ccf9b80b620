"""What a download says of itself: how far it is, what it brought, and from when on it has asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from bot.timestamps import format_utc

ASKED_FROM = "fetched_from_ms"
"""Key in a Parquet file's schema: the earliest open time that was ever asked for."""

ABSENT = "absent_ms"
"""Key in a Parquet file's schema: what the exchange did not give before the first row and between two,
as a JSON list of [first, last] open times."""

TimeSpan = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far the download of a series is: `done` of `total` bars asked for."""

    symbol: str
    what: str
    done: int
    total: int


OnProgress = Callable[[FetchProgress], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a download brought: the file, its rows, how many of them are new, and what is absent.

    Attributes:
        absent: what the exchange was asked for, has by the symbol's lifetime, and did not give, before
            the first row, between two and after the last, as first and last time of each.
        untrue: times of candles that the exchange gave and that cannot be true; they are left out.
    """

    symbol: str
    what: str
    path: Path
    rows: int
    new_rows: int
    absent: tuple[TimeSpan, ...] = ()
    untrue: tuple[int, ...] = ()

    def __str__(self) -> str:
        line = f"{self.symbol} {self.what}: {self.new_rows} new, {self.rows} in {self.path}"
        if self.untrue:
            line += (
                f"; {len(self.untrue)} left out that cannot be true (a high below its close, a price of "
                f"0, …), the first at {format_utc(self.untrue[0])}"
            )
        if not self.absent:
            return line
        first, last = self.absent[0][0], self.absent[-1][1]
        holes = "1 hole" if len(self.absent) == 1 else f"{len(self.absent)} holes"
        return (
            f"{line}; {holes} that the exchange does not fill, from {format_utc(first)} to "
            f"{format_utc(last)}; each later fetch asks once more"
        )


def noted_absent(path: Path) -> tuple[TimeSpan, ...]:
    """Return the holes that an earlier download could not fill."""
    if path.suffix != ".parquet" or not path.is_file():
        return ()
    noted = (pq.read_schema(path).metadata or {}).get(ABSENT.encode(), b"[]")
    return tuple((int(first), int(last)) for first, last in json.loads(noted))


def asked_from(path: Path, first_ms: int) -> int:
    """Return from when on a file's rows were asked for, which may be before its first."""
    if path.suffix != ".parquet":
        return first_ms
    noted = (pq.read_schema(path).metadata or {}).get(ASKED_FROM.encode())
    return first_ms if noted is None else min(first_ms, int(noted))
