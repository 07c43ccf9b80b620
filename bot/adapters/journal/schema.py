"""The tables of a run's journal.db, and how the rows of a bar become bytes for the hash chain.

Rules: NULL means NaN; times are ms UTC; symbols are text. A bar's link in the chain is SHA-256 over
the link before it and the bar's rows as little-endian binary, so a changed byte breaks it there.
What later versions add to a bar's row is hashed only where it is not what older rows stand for, so
the links of an old journal hold. Must not open files.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from bot.blocks import F64, FILL, I64, BarBlock, Task

JOURNAL_VERSION = 2
CHAIN_VERSION = 1
"""Stands at the start of the chain, and is not raised by what can be added to it."""


def later_column(value: float) -> str:
    """Return the type of a column that came later; NaN is NULL."""
    return "REAL" if math.isnan(value) else f"REAL DEFAULT {value!r}"


def sql_number(value: float) -> str:
    """Return a number in SQL; NaN is NULL."""
    return "NULL" if math.isnan(value) else repr(value)


BAR_VALUES = (
    "open", "high", "low", "close", "volume", "turnover", "fill_bid", "fill_ask",
    "funding_rate", "mark",
)  # fmt: skip
LATER_BAR_VALUES: dict[str, float] = {
    "funding_inside": 0.0,
    "funding_inside_unknown": 0.0,
    "refused": math.nan,
}
"""Values of a bar that came after version 1, in order, and what rows without them stand for."""
BAR_FLAGS = ("valid", "in_session", "tradable", "fillable")
BAR_COLUMNS = (*BAR_VALUES, *BAR_FLAGS, *LATER_BAR_VALUES)
"""What a bar's row says, in the order of its matrix."""
LEDGER_VALUES = ("equity", "cash", "fees", "funding", "spread", "slippage")
DECISION_VALUES = ("signal", "weight", "order_quantity", "quantity")

_REALS = ", ".join(f"{name} REAL" for name in BAR_VALUES)
_FLAGS = ", ".join(f"{name} INTEGER NOT NULL" for name in BAR_FLAGS)
_LATER = "".join(f"{name} {later_column(value)}, " for name, value in LATER_BAR_VALUES.items())

BUILDS = """CREATE TABLE builds (
    position INTEGER PRIMARY KEY, closed INTEGER, digest TEXT NOT NULL, made_by TEXT NOT NULL,
    layout INTEGER NOT NULL, state BLOB, link BLOB NOT NULL);
"""
LATER_META = ("journal_version", "start", "ledger_sha256", "seconds", "interrupted")
"""Facts that are written after a journal's creation; all others are in its first link."""

TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE bars (
    open_time INTEGER NOT NULL, symbol TEXT NOT NULL, {_REALS}, {_FLAGS},
    row_hash INTEGER NOT NULL, {_LATER}PRIMARY KEY (open_time, symbol)) WITHOUT ROWID;
CREATE TABLE ledger (
    open_time INTEGER PRIMARY KEY, equity REAL NOT NULL, cash REAL NOT NULL, fees REAL NOT NULL,
    funding REAL NOT NULL, spread REAL NOT NULL, slippage REAL NOT NULL);
CREATE TABLE positions (
    open_time INTEGER NOT NULL, symbol TEXT NOT NULL, quantity REAL NOT NULL,
    PRIMARY KEY (open_time, symbol)) WITHOUT ROWID;
CREATE TABLE fills (
    id INTEGER PRIMARY KEY, open_time INTEGER NOT NULL, symbol TEXT NOT NULL,
    quantity REAL NOT NULL, price REAL NOT NULL, fee REAL NOT NULL, spread REAL NOT NULL,
    slippage REAL NOT NULL, reason TEXT NOT NULL);
CREATE INDEX fills_by_time ON fills (open_time);
CREATE TABLE decisions (
    open_time INTEGER NOT NULL, symbol TEXT NOT NULL, signal REAL, weight REAL,
    order_quantity REAL NOT NULL, refusal TEXT, PRIMARY KEY (open_time, symbol)) WITHOUT ROWID;
CREATE TABLE models (
    position INTEGER PRIMARY KEY, model_id TEXT NOT NULL, effective_from INTEGER NOT NULL,
    due INTEGER, late INTEGER NOT NULL DEFAULT 0, manifest_sha256 TEXT);
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1), open_time INTEGER NOT NULL, blob BLOB NOT NULL,
    layout INTEGER NOT NULL DEFAULT 1);
CREATE TABLE chain (open_time INTEGER PRIMARY KEY, link BLOB NOT NULL);
{BUILDS}"""


def forecast_table(tasks: Sequence[Task]) -> str:
    """Return the statement that makes the table of forecasts: a column a task."""
    columns = ", ".join(f'"{task.name}" REAL' for task in tasks)
    return (
        f"CREATE TABLE forecasts (open_time INTEGER NOT NULL, symbol TEXT NOT NULL, "
        f"model_id TEXT NOT NULL, {columns}, PRIMARY KEY (open_time, symbol)) WITHOUT ROWID"
    )


def bar_matrix(block: BarBlock) -> F64:
    """Return the bars as float64[n, S, values + flags + later values], NaN made canonical."""
    flags = [
        np.broadcast_to(
            getattr(block, name)[:, None] if name == "tradable" else getattr(block, name),
            block.valid.shape,
        )
        for name in BAR_FLAGS
    ]
    later = (getattr(block, name) for name in LATER_BAR_VALUES)
    parts = [*(getattr(block, name) for name in BAR_VALUES), *flags, *later]
    matrix = np.stack([np.asarray(p, dtype=np.float64) for p in parts], axis=2)
    return canonical(matrix)


def canonical(values: F64) -> F64:
    """Return the values with one bit pattern for NaN and no negative zero, as SQLite keeps them."""
    return np.where(np.isnan(values), np.nan, values) + 0.0


def row_hashes(open_time: I64, matrix: F64) -> I64:
    """Return int64[n, S]: the first eight bytes of SHA-256 over each bar row.

    A later value goes in, behind its place among them, where it is not what rows without it have.
    """
    n, S, _ = matrix.shape
    times = open_time.astype("<i8").tobytes()
    first = len(BAR_VALUES) + len(BAR_FLAGS)
    data = np.ascontiguousarray(matrix[:, :, :first].astype("<f8")).tobytes()
    size = first * 8
    later = _later_bytes(matrix[:, :, first:].reshape(n * S, -1))
    digests = b"".join(
        hashlib.sha256(
            times[8 * i : 8 * i + 8] + data[k * size : (k + 1) * size] + later.get(k, b"")
        ).digest()[:8]
        for i in range(n)
        for k in range(i * S, (i + 1) * S)
    )
    return np.frombuffer(digests, dtype="<i8").reshape(n, S).astype(np.int64)


def _later_bytes(values: F64) -> dict[int, bytes]:
    """Return what the hash of a row takes in of its later values, by the row's place."""
    told: dict[int, bytes] = {}
    for k, usual in enumerate(LATER_BAR_VALUES.values()):
        column = values[:, k]
        other = ~np.isnan(column) if math.isnan(usual) else column != usual
        for row in np.flatnonzero(other).tolist():
            told[row] = told.get(row, b"") + struct.pack("<qd", k, column[row])
    return told


def first_link(symbols: Sequence[str]) -> bytes:
    """Return the start of the chain: a hash over the version and the symbols."""
    text = "\0".join([str(CHAIN_VERSION), *symbols])
    return hashlib.sha256(text.encode()).digest()


def facts_digest(meta: Mapping[str, str]) -> bytes:
    """Return SHA-256 over the facts of a run that are told at its creation."""
    told = sorted((key, value) for key, value in meta.items() if key not in LATER_META)
    return hashlib.sha256("".join(f"{len(x)}:{x}" for pair in told for x in pair).encode()).digest()


def seam_link(
    previous: bytes, position: int, closed: int | None, digest: str, made_by: str, layout: int,
    content: bytes,
) -> bytes:  # fmt: skip
    """Return the link over the one before and a row of `builds`; the next bar's goes on from it.

    Args:
        content: the carried state at the seam; of a journal's first row, the digest of its facts.
    """
    text = "\0".join(str(part) for part in (position, closed, digest, made_by, layout))
    return hashlib.sha256(previous + text.encode() + hashlib.sha256(content).digest()).digest()


def chain_links(previous: bytes, rows: Sequence[bytes]) -> list[bytes]:
    """Return a link a bar, each over the one before and the bar's rows."""
    links = []
    for row in rows:
        previous = hashlib.sha256(previous + row).digest()
        links.append(previous)
    return links


def rows_as_bytes(
    open_time: I64, hashes: I64, values: F64, refusals: I64, ledger: F64, fills: np.ndarray
) -> list[bytes]:
    """Return the bytes of each bar's rows.

    Args:
        hashes: int64[n, S] of the bar rows.
        values: float64[n, V], forecasts and decisions of all symbols, flattened.
        refusals: int64[n, S].
        ledger: float64[n, 6] in the order of LEDGER_VALUES.
        fills: FILL records in the order of booking.
    """
    edges = np.searchsorted(fills["open_time"], open_time, side="left").tolist()
    edges.append(int(np.searchsorted(fills["open_time"], open_time[-1], side="right")))
    packed = fills.astype(FILL).tobytes()
    size = FILL.itemsize
    fixed = np.concatenate(
        [
            open_time[:, None].astype("<i8").view("<u1").reshape(len(open_time), -1),
            np.ascontiguousarray(hashes.astype("<i8")).view("<u1").reshape(len(open_time), -1),
            np.ascontiguousarray(canonical(values).astype("<f8")).view("<u1"),
            np.ascontiguousarray(refusals.astype("<i8")).view("<u1"),
            np.ascontiguousarray(canonical(ledger).astype("<f8")).view("<u1"),
        ],
        axis=1,
    )
    return [
        fixed[i].tobytes() + packed[edges[i] * size : edges[i + 1] * size]
        for i in range(len(open_time))
    ]
