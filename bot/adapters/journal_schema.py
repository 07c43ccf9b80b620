"""The tables of a run's journal.db, and how the rows of a bar become bytes for the hash chain.

Rules: NULL means NaN; times are ms UTC; symbols are text. A bar's link in the chain is SHA-256 over
the link before it and the bar's rows as little-endian binary, so a changed byte breaks it there.
Must not open files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from bot.blocks import F64, FILL, I64, BarBlock, Task

JOURNAL_VERSION = 2

BAR_VALUES = (
    "open", "high", "low", "close", "volume", "turnover", "fill_bid", "fill_ask",
    "funding_rate", "mark", "funding_inside", "funding_inside_unknown", "refused",
)  # fmt: skip
BAR_FLAGS = ("valid", "in_session", "tradable", "fillable")
LEDGER_VALUES = ("equity", "cash", "fees", "funding", "spread", "slippage")
DECISION_VALUES = ("signal", "weight", "order_quantity", "quantity")

_REALS = ", ".join(f"{name} REAL" for name in BAR_VALUES)
_FLAGS = ", ".join(f"{name} INTEGER NOT NULL" for name in BAR_FLAGS)

TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE bars (
    open_time INTEGER NOT NULL, symbol TEXT NOT NULL, {_REALS}, {_FLAGS},
    row_hash INTEGER NOT NULL, PRIMARY KEY (open_time, symbol)) WITHOUT ROWID;
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
    due INTEGER, late INTEGER NOT NULL DEFAULT 0);
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1), open_time INTEGER NOT NULL, blob BLOB NOT NULL);
CREATE TABLE chain (open_time INTEGER PRIMARY KEY, link BLOB NOT NULL);
"""


def forecast_table(tasks: Sequence[Task]) -> str:
    """Return the statement that makes the table of forecasts: a column a task."""
    columns = ", ".join(f'"{task.name}" REAL' for task in tasks)
    return (
        f"CREATE TABLE forecasts (open_time INTEGER NOT NULL, symbol TEXT NOT NULL, "
        f"model_id TEXT NOT NULL, {columns}, PRIMARY KEY (open_time, symbol)) WITHOUT ROWID"
    )


def bar_matrix(block: BarBlock) -> F64:
    """Return the bars as float64[n, S, values + flags], NaN made canonical."""
    flags = [
        np.broadcast_to(
            getattr(block, name)[:, None] if name == "tradable" else getattr(block, name),
            block.valid.shape,
        )
        for name in BAR_FLAGS
    ]
    parts = [*(getattr(block, name) for name in BAR_VALUES), *flags]
    matrix = np.stack([np.asarray(p, dtype=np.float64) for p in parts], axis=2)
    return canonical(matrix)


def canonical(values: F64) -> F64:
    """Return the values with one bit pattern for NaN and no negative zero, as SQLite keeps them."""
    return np.where(np.isnan(values), np.nan, values) + 0.0


def row_hashes(open_time: I64, matrix: F64) -> I64:
    """Return int64[n, S]: the first eight bytes of SHA-256 over each bar row."""
    n, S, width = matrix.shape
    times = open_time.astype("<i8").tobytes()
    data = np.ascontiguousarray(matrix.astype("<f8")).tobytes()
    size = width * 8
    digests = b"".join(
        hashlib.sha256(times[8 * i : 8 * i + 8] + data[k * size : (k + 1) * size]).digest()[:8]
        for i in range(n)
        for k in range(i * S, (i + 1) * S)
    )
    return np.frombuffer(digests, dtype="<i8").reshape(n, S).astype(np.int64)


def first_link(symbols: Sequence[str]) -> bytes:
    """Return the start of the chain: a hash over the version and the symbols."""
    text = "\0".join([str(JOURNAL_VERSION), *symbols])
    return hashlib.sha256(text.encode()).digest()


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
