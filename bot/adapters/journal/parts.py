"""A part of a table that is kept in columns: a Parquet file, sealed column by column.

Rules: a part is written once, whole, and never changed; its seal is over what its columns hold, not over
how Parquet lays them out, so that the same history has the same seals whichever version wrote it. Must
not know which parts a record has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bot.adapters.record.columns import TEXTS, Columns, Texts, kind_of
from bot.adapters.system.atomic_file import replacing
from bot.errors import JournalError

COMPRESSION, LEVEL = "zstd", 1
_STORED = {np.int64: pa.int64(), np.bool_: pa.bool_(), np.float64: pa.float64()}
_TEXT = pa.dictionary(pa.int32(), pa.string())
_HASHED = {np.int64: "<i8", np.bool_: "u1", np.float64: "<f8"}
DIGEST_BYTES = 32

PART_KINDS: dict[str, type] = {
    "position": int, "name": str, "rows": int, "first": int, "last": int, "size_bytes": int,
    "sha256": bytes, "digests": bytes, "link": bytes,
}  # fmt: skip
"""The columns of the table `parts`, and what each holds."""


@dataclass(frozen=True)
class TablePart:
    """A part, as its row in the journal tells of it.

    Attributes:
        position: its place among all parts of the record, from 1; it names the file.
        name: of the table.
        first, last: open times of its first and last row.
        size_bytes, sha256: of the file.
        digests: SHA-256 of each column, one behind the other.
        link: over the link of the part before it, and what it holds.
    """

    position: int
    name: str
    rows: int
    first: int
    last: int
    size_bytes: int
    sha256: bytes
    digests: bytes
    link: bytes

    def path(self, folder: Path) -> Path:
        """Return its file in a record's folder of columns."""
        return part_path(folder, self.name, self.position)

    def expected_link(self, previous: bytes) -> bytes:
        """Return the link that it must have behind another."""
        text = "\0".join(
            str(x) for x in (self.position, self.name, self.rows, self.first, self.last)
        )
        return hashlib.sha256(previous + text.encode() + b"\0" + self.digests).digest()


def part_path(folder: Path, name: str, position: int) -> Path:
    """Return where a part is.

    >>> part_path(Path("columns"), "bars", 7).as_posix()
    'columns/bars/000007.parquet'
    """
    return folder / name / f"{position:06d}.parquet"


def write_part(folder: Path, name: str, position: int, columns: Columns, texts: Texts) -> TablePart:
    """Write a part; its link is still to be made.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    table = pa.Table.from_arrays(
        [_stored(column, values, texts) for column, values in columns.items()],
        schema=schema_of(tuple(columns)),
    )
    usual = [column for column in columns if column in TEXTS or _is_constant(columns[column])]
    split = [column for column in columns if column not in usual and kind_of(column) is np.float64]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression=COMPRESSION, compression_level=LEVEL, use_dictionary=usual,
        column_encoding=dict.fromkeys(split, "BYTE_STREAM_SPLIT") | {"open_time": "DELTA_BINARY_PACKED"},
        write_statistics=["open_time"], row_group_size=len(table),
    )  # fmt: skip
    content = sink.getvalue()
    with replacing(part_path(folder, name, position), durable=False) as temporary:
        temporary.write_bytes(content)
    times = columns["open_time"]
    return TablePart(
        position=position, name=name, rows=len(times), first=int(times[0]), last=int(times[-1]),
        size_bytes=content.size, sha256=hashlib.sha256(content).digest(),
        digests=digests_of(columns), link=b"",
    )  # fmt: skip


def read_part(
    folder: Path, part: TablePart, names: Sequence[str], stored: Sequence[str], texts: Texts
) -> Columns:
    """Read columns of a part, each held against its seal.

    Args:
        stored: the columns that the table has.

    Raises:
        JournalError: the file is not there, is damaged, or holds another table.
    """
    path = part.path(folder)
    try:
        table = pq.read_table(
            path, columns=list(names), partitioning=None,
            read_dictionary=[n for n in names if n in TEXTS],
        )  # fmt: skip
        if len(table) != part.rows or table.column_names != list(names):
            raise JournalError(
                f"{path}: {len(table)} rows of {', '.join(table.column_names)}; {part.rows} of "
                f"{', '.join(names)} were written; restore a copy"
            )
        columns = {name: _numbers(name, table.column(name), texts, path) for name in names}
    except FileNotFoundError:
        raise JournalError(f"{path}: a part of the record is missing; restore a copy") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise JournalError(f"{path}: cannot be read ({error}); restore a copy") from error
    for name, values in columns.items():
        at = DIGEST_BYTES * stored.index(name)
        if _digest(name, values) != part.digests[at : at + DIGEST_BYTES]:
            raise JournalError(
                f"{path}: column {name} is not as it was sealed; it was changed, restore a copy"
            )
    return columns


def schema_of(names: Sequence[str]) -> pa.Schema:
    """Return what a part with these columns has in its file."""
    kinds = {name: _TEXT if name in TEXTS else _STORED[kind_of(name)] for name in names}
    return pa.schema([pa.field(name, kind) for name, kind in kinds.items()])


def digests_of(columns: Columns) -> bytes:
    """Return SHA-256 of each column: its name, and its values as little-endian binary."""
    return b"".join(_digest(name, values) for name, values in columns.items())


def _digest(name: str, values: npt.NDArray[Any]) -> bytes:
    sha = hashlib.sha256(f"{name}\0".encode())
    sha.update(np.ascontiguousarray(values, dtype=_HASHED[kind_of(name)]).data)
    return sha.digest()


def _is_constant(values: npt.NDArray[Any]) -> bool:
    if values.dtype != np.float64:
        return False
    return bool((np.isnan(values) if np.isnan(values[0]) else values == values[0]).all())


def _stored(name: str, values: npt.NDArray[Any], texts: Texts) -> pa.Array:
    if name not in TEXTS:
        return pa.array(values, from_pandas=False)
    told = texts.of(name)
    known = [code for code, text in told.items() if text is not None]
    place = np.full(max(told, default=0) + 1, -1, dtype=np.int32)
    place[known] = np.arange(len(known))
    codes = place[values]
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=codes < 0), pa.array([told[code] for code in known], pa.string())
    )


def _numbers(name: str, column: pa.ChunkedArray, texts: Texts, path: Path) -> npt.NDArray[Any]:
    if name not in TEXTS:
        values: npt.NDArray[Any] = column.combine_chunks().to_numpy(zero_copy_only=False)
        if values.dtype != kind_of(name):
            raise JournalError(f"{path}: column {name} holds no {kind_of(name).__name__}")
        return values
    code = {text: code for code, text in texts.of(name).items()}
    found = column.combine_chunks()
    names = found.dictionary.to_pylist()
    unknown = [text for text in names if text not in code]
    if unknown or (found.null_count and None not in code):
        odd = unknown[0] if unknown else None
        raise JournalError(f"{path}: unknown {name} {odd!r}; the file is damaged")
    codes = np.array([*(code[text] for text in names), code.get(None, 0)], dtype=np.int64)
    places = found.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    numbers: npt.NDArray[np.int64] = codes[places]
    return numbers
