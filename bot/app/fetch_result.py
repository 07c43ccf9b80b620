"""What a download says of itself: how far it is, what it brought, and from when on it has asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

ASKED_FROM = "fetched_from_ms"
"""Key in a Parquet file's schema: the earliest open time that was ever asked for."""


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far the download of a series is: `done` of `total` bars asked for."""

    symbol: str
    what: str
    done: int
    total: int


Report = Callable[[FetchProgress], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a download brought: the file, its rows, and how many of them are new."""

    symbol: str
    what: str
    path: Path
    rows: int
    new_rows: int

    def __str__(self) -> str:
        return f"{self.symbol} {self.what}: {self.new_rows} new, {self.rows} in {self.path}"


def asked_from(path: Path, first_ms: int) -> int:
    """Return from when on a file's rows were asked for, which may be before its first."""
    if path.suffix != ".parquet":
        return first_ms
    noted = (pq.read_schema(path).metadata or {}).get(ASKED_FROM.encode())
    return first_ms if noted is None else min(first_ms, int(noted))
