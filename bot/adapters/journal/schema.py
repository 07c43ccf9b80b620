"""The tables of a run's journal.db, in SQL.

Rules: NULL means NaN; the columns of a row are those of `bot/adapters/record/tables.py`; what came
later says what it stands for in older rows. Must not open files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bot.adapters.record.tables import (
    BAR_FLAGS,
    BAR_VALUES,
    FIRST_BAR_FLAGS,
    LATER_BAR_VALUES,
    LATER_DECISION_VALUES,
)
from bot.blocks import Task

JOURNAL_VERSION = 5
COLUMNS_VERSION = "columns-2"
"""What stands for it where the tables of bars are columns beside the file: no reader of rows takes it."""

LACKING_IN_COLUMNS: dict[str, tuple[str, ...]] = {
    "columns-1": ("realised_variance",),
    COLUMNS_VERSION: (),
}
"""The columns of `bars` that each version in columns came without; rows stand for what older rows do."""


def later_column(name: str) -> str:
    """Return the type of a column of `bars` that came later."""
    if name in BAR_FLAGS:
        return f"INTEGER NOT NULL DEFAULT {in_older_rows(name)}"
    usual = in_older_rows(name)
    return "REAL" if usual == "NULL" else f"REAL DEFAULT {usual}"


def in_older_rows(name: str) -> str:
    """Return what rows without a later column of `bars` stand for, in SQL; NaN is NULL."""
    usual = LATER_BAR_VALUES[name]
    if name in BAR_FLAGS:
        return str(int(usual))
    return "NULL" if math.isnan(usual) else repr(usual)


_REALS = ", ".join(f"{name} REAL" for name in BAR_VALUES)
_FLAGS = ", ".join(f"{name} INTEGER NOT NULL" for name in FIRST_BAR_FLAGS)
_LATER = "".join(f"{name} {later_column(name)}, " for name in LATER_BAR_VALUES)
_LATER_DECISIONS = "".join(f"{name} REAL, " for name in LATER_DECISION_VALUES)

BUILDS = """CREATE TABLE builds (
    position INTEGER PRIMARY KEY, closed INTEGER, digest TEXT NOT NULL, made_by TEXT NOT NULL,
    layout INTEGER NOT NULL, state BLOB, link BLOB NOT NULL);
"""
COMMANDS = """CREATE TABLE commands (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, settings TEXT NOT NULL,
    asked_by TEXT NOT NULL, asked_ms INTEGER NOT NULL, open_time INTEGER NOT NULL,
    inside INTEGER NOT NULL, refused TEXT);
"""
META = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;\n"
MODELS = """CREATE TABLE models (
    position INTEGER PRIMARY KEY, model_id TEXT NOT NULL, effective_from INTEGER NOT NULL,
    due INTEGER, late INTEGER NOT NULL DEFAULT 0, manifest_sha256 TEXT);
"""
STATE = """CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1), open_time INTEGER NOT NULL, blob BLOB NOT NULL,
    layout INTEGER NOT NULL DEFAULT 1);
"""
FACTS = META + MODELS + STATE + BUILDS + COMMANDS
"""The tables that every record has in its journal.db."""

PARTS = """CREATE TABLE parts (
    position INTEGER PRIMARY KEY, name TEXT NOT NULL, rows INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, size_bytes INTEGER NOT NULL, sha256 BLOB NOT NULL, digests BLOB NOT NULL,
    link BLOB NOT NULL);
"""
"""The parts of the tables that are kept in columns, in the order in which they were written."""

TABLES = f"""
{META}CREATE TABLE bars (
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
    order_quantity REAL NOT NULL, refusal TEXT, {_LATER_DECISIONS}PRIMARY KEY (open_time, symbol)) WITHOUT ROWID;
{MODELS}{STATE}CREATE TABLE chain (open_time INTEGER PRIMARY KEY, link BLOB NOT NULL);
{BUILDS}{COMMANDS}"""


def forecast_table(tasks: Sequence[Task]) -> str:
    """Return the statement that makes the table of forecasts: a column a task."""
    columns = ", ".join(f'"{task.name}" REAL' for task in tasks)
    return (
        f"CREATE TABLE forecasts (open_time INTEGER NOT NULL, symbol TEXT NOT NULL, "
        f"model_id TEXT NOT NULL, {columns}, PRIMARY KEY (open_time, symbol)) WITHOUT ROWID"
    )
