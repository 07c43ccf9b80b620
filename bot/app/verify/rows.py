"""Comparing rows: what a record holds, and what its replay makes of the same bars.

Rules: equal means the same value of the same kind, bit for bit as a record keeps it; the first
difference is the earliest bar's, and within a bar the earliest cause's. Must not read files.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.adapters.record.chain import row_hashes
from bot.adapters.record.difference import MISSING, Difference
from bot.adapters.record.tables import EARLIEST, Row, bar_block
from bot.blocks import I64, BarBlock


def check_bars(
    rows: Sequence[Row], times: I64, symbols: Sequence[str]
) -> tuple[BarBlock | None, Difference | None]:
    """Prove bar rows by their hashes, and make a block of them.

    Args:
        rows: as the record gives them: open_time, symbol, values, flags, hash.
        times: int64[n], the bars that any symbol has a row of.
    """
    names = sorted(symbols)
    wanted = [(time, name) for time in times.tolist() for name in names]
    found = [row[:2] for row in rows]
    if found != wanted:
        lacking = set(wanted).difference(found)
        time, name = min(lacking or set(found).difference(wanted), key=_key)
        values = (MISSING, "one a bar and symbol") if lacking else ("a row", MISSING)
        return None, Difference("bars", "row", time, name, *values)
    if not rows:
        return None, None
    for row in rows:
        if any(isinstance(value, str | bytes) for value in row[2:-1]):
            return None, Difference(
                "bars", "row", row[0], symbol=row[1], stored=row[2:-1], replayed="numbers"
            )
    numbers = np.array([row[2:-1] for row in rows], dtype=np.float64)
    matrix = numbers.reshape(len(times), len(names), -1)
    hashes = row_hashes(times, matrix).ravel().tolist()
    for row, expected in zip(rows, hashes, strict=True):
        if row[-1] != expected:
            return None, Difference(
                "bars", "row_hash", row[0], symbol=row[1], stored=row[-1], replayed=expected
            )
    order = [names.index(name) for name in symbols]
    return bar_block(times, matrix[:, order]), None


def first_difference(
    table: str, columns: Sequence[str], stored: Sequence[Row], replayed: Sequence[Row]
) -> Difference | None:
    """Return the first row and field of a table in which the two differ, None where none does."""
    if stored == replayed:
        return None
    n_keys = 2 if "symbol" in columns else 1
    ours = sorted(stored, key=lambda row: _key(row[:n_keys]))
    theirs = sorted(replayed, key=lambda row: _key(row[:n_keys]))
    for mine, other in itertools.zip_longest(ours, theirs):
        if mine == other:
            continue
        mine_key = None if mine is None else _key(mine[:n_keys])
        other_key = None if other is None else _key(other[:n_keys])
        if mine_key is None or (other_key is not None and other_key < mine_key):
            return _at(table, "row", other, n_keys=n_keys, stored=MISSING, replayed="a row")
        if other_key is None or mine_key < other_key:
            return _at(table, "row", mine, n_keys=n_keys, stored="a row", replayed=MISSING)
        k = next(k for k, pair in enumerate(zip(mine, other, strict=True)) if pair[0] != pair[1])
        return _at(table, columns[k], mine, n_keys=n_keys, stored=mine[k], replayed=other[k])
    k = next(k for k, pair in enumerate(zip(stored, replayed, strict=True)) if pair[0] != pair[1])
    return _at(table, "order", stored[k], n_keys=n_keys, stored=stored[k], replayed=replayed[k])


def earliest(differences: Sequence[Difference | None]) -> Difference | None:
    """Return the one of the earliest bar; of the same bar, the first of the sequence."""
    found = [each for each in differences if each is not None]
    return min(found, key=_time, default=None)


def state_difference(
    stored: Mapping[str, npt.NDArray[Any]], replayed: Mapping[str, npt.NDArray[Any]]
) -> Difference | None:
    """Return the first array of the engine's state that differs, None where none does."""
    for name in sorted({*stored, *replayed}):
        mine, other = stored.get(name), replayed.get(name)
        if mine is None or other is None or not _same(mine, other):
            return Difference(
                "state",
                name,
                None,
                symbol=None,
                stored=_part(mine, other),
                replayed=_part(other, mine),
            )
    return None


def _same(mine: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Compare bit for bit, but for the sign of zero and the kinds of NaN, which a record drops."""
    if mine.dtype != other.dtype or mine.shape != other.shape:
        return False
    if mine.dtype.names:
        return all(_same(mine[name], other[name]) for name in mine.dtype.names)
    return np.array_equal(mine, other, equal_nan=mine.dtype.kind == "f")


def _part(array: npt.NDArray[Any] | None, other: npt.NDArray[Any] | None) -> Any:
    """Return what a person can compare: the differing entries, a few of them."""
    if array is None:
        return MISSING
    if other is None or array.shape != other.shape or array.dtype != other.dtype:
        return f"{array.dtype}{list(array.shape)}"
    if array.dtype.names:
        names = [name for name in array.dtype.names if not _same(array[name], other[name])]
        return {name: array[name].tolist() for name in names}
    pairs = zip(array.ravel().tolist(), other.ravel().tolist(), strict=True)
    return [mine for mine, its in pairs if repr(mine) != repr(its)][:3]


def _at(table: str, field: str, row: Row, n_keys: int, stored: Any, replayed: Any) -> Difference:
    symbol = str(row[1]) if n_keys == 2 else None
    return Difference(table, field, _whole(row[0]), symbol=symbol, stored=stored, replayed=replayed)


def _key(row: Row) -> tuple[Any, ...]:
    time = _whole(row[0])
    return (EARLIEST if time is None else time, *(str(part) for part in row[1:]))


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _time(difference: Difference) -> int:
    return EARLIEST if difference.open_time is None else difference.open_time
