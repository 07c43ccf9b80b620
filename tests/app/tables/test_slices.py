"""The tables of a run in columns, against the journal of the same run as SQLite and pandas read it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bot.adapters.record.reading import Record
from bot.adapters.record.tables import EARLIEST, LATEST
from bot.app.library.run import load_run
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.app.runs.results import read_run
from bot.app.runs.status import read_status
from bot.app.tables.columns import NAMES, TableName, shape_of
from bot.app.tables.slices import RunTables
from bot.blocks import Task
from bot.errors import DataError
from bot.report.money.metrics import drawdowns
from bot.report.money.round_trips import profits, round_trips
from tests.conftest import Ran

STORED: list[TableName] = ["bars", "forecasts", "decisions", "fills", "positions"]
ADDED = {"side", "notional", "position", "return", "drawdown"}
"""What a table has and the journal's has not."""


@pytest.fixture(scope="module")
def record(short: Ran) -> Iterator[Record]:
    with open_record(short.folder, follow=True) as record:
        yield record


def in_journal(ran: Ran, table: str) -> pd.DataFrame:
    with closing(sqlite3.connect(ran.folder.journal)) as db:
        order = "id" if table == "fills" else "rowid" if table == "ledger" else "open_time, symbol"
        return pd.read_sql(f"SELECT * FROM {table} ORDER BY {order}", db)


@pytest.mark.parametrize("name", STORED)
def test_rows_are_those_of_the_journal(
    short: Ran, short_by_row: Ran, record: Record, name: TableName
) -> None:
    got = RunTables(record, short.config).whole(name).to_pandas()
    stored = in_journal(short_by_row, name)
    assert len(got) == len(stored) > 0
    assert got["time_ms"].tolist() == stored["open_time"].tolist()
    assert got["symbol"].tolist() == stored["symbol"].tolist()
    for column in set(got.columns) - {"time_ms", "time", "symbol"} - ADDED:
        mine, theirs = got[column], stored[column]
        if theirs.dtype.kind in "if":
            np.testing.assert_array_equal(mine.astype(float), theirs.astype(float), err_msg=column)
        else:
            assert mine.isna().tolist() == theirs.isna().tolist(), column
            assert mine.dropna().tolist() == theirs.dropna().tolist(), column


def test_times_are_in_utc(short: Ran, record: Record) -> None:
    got = RunTables(record, short.config).whole("equity").to_pandas()
    assert str(got["time"].dtype) == "datetime64[ms, UTC]"
    assert (got["time"] == pd.to_datetime(got["time_ms"], unit="ms", utc=True)).all()


def test_equity_has_returns_and_drawdowns(short: Ran, short_by_row: Ran, record: Record) -> None:
    got = RunTables(record, short.config, rows=30).whole("equity").to_pandas()
    capital = short.config.portfolio.initial_capital
    curve = pd.Series([capital, *in_journal(short_by_row, "ledger")["equity"]])
    np.testing.assert_allclose(got["return"], curve.pct_change().iloc[1:], atol=1e-15)
    np.testing.assert_allclose(got["drawdown"], drawdowns(curve.to_numpy())[1:], atol=1e-15)


def test_trades_are_the_round_trips_of_the_report(short: Ran, record: Record) -> None:
    run = read_run(short.folder)
    trips = round_trips(run, run.start_index, profits(run, run.start_index))
    got = RunTables(record, short.config, rows=60).whole("trades").to_pandas()
    assert len(got) == len(trips) > 0
    order = np.lexsort((trips.symbol, run.open_time[trips.last]))
    np.testing.assert_allclose(got["profit"], trips.profit[order], atol=1e-7)
    assert got["exit_time_ms"].tolist() == run.open_time[trips.last[order]].tolist()
    assert set(got["side"]) == {"long", "short"}
    assert set(got["exit_reason"]) == {"signal"}


def test_a_fill_is_a_purchase_or_a_sale(short: Ran, record: Record) -> None:
    got = RunTables(record, short.config).whole("fills").to_pandas()
    assert ((got["quantity"] > 0) == (got["side"] == "buy")).all()
    np.testing.assert_allclose(got["notional"], (got["quantity"] * got["price"]).abs())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [1, 100])
def test_slices_of_any_size_give_the_same_rows(
    short: Ran, record: Record, name: TableName, rows: int
) -> None:
    if rows == 1 and name in ("bars", "trades"):
        rows = 9  # a query a bar takes too long
    whole = RunTables(record, short.config).whole(name).to_pandas()
    parts = list(RunTables(record, short.config, rows=rows).slices(name))
    assert all(part.num_rows for part in parts)
    got = pa.concat_tables(parts).to_pandas()
    pd.testing.assert_frame_equal(got, whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["bars", "decisions", "fills", "trades", "positions"])
def test_some_symbols_are_the_rows_of_those(short: Ran, record: Record, name: TableName) -> None:
    whole = RunTables(record, short.config).whole(name).to_pandas()
    some = RunTables(record, short.config, ("SYN2USDT", "SYN0USDT")).whole(name).to_pandas()
    kept = whole[whole["symbol"] != "SYN1USDT"].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, kept)


def test_a_symbol_that_the_run_has_not_is_named(short: Ran, record: Record) -> None:
    with pytest.raises(DataError, match="DOGE: the run has SYN0USDT"):
        RunTables(record, short.config, ("DOGE",))


def test_every_column_has_a_meaning_and_every_number_a_unit() -> None:
    for name in NAMES:
        shape = shape_of(name)
        assert shape.row
        for column in shape.columns:
            assert column.says, (name, column.name)
            assert column.unit or column.kind != "number" or "slope" in column.name
        units = {f.name: f.metadata[b"unit"].decode() for f in shape.schema}
        assert units == {c.name: c.unit for c in shape.columns}


def test_one_bar_ahead_is_one_bar() -> None:
    says = [
        column.says
        for column in shape_of("forecasts", (Task("return", 1), Task("return", 5))).columns
    ]
    assert [text.rpartition("; ")[2] for text in says[-2:]] == ["1 bar ahead", "5 bars ahead"]


def test_fills_of_the_open_bar_are_there_as_in_status_and_api(
    short_by_row: Ran, tmp_path: Path
) -> None:
    folder = RunFolder(Path(shutil.copytree(short_by_row.folder.path, tmp_path / "open")))
    with closing(sqlite3.connect(folder.journal)) as db:  # as between the two commits of a bar
        (opened,) = db.execute("SELECT max(open_time) FROM fills").fetchone()
        db.execute("DELETE FROM bars WHERE open_time > ?", (opened,))
        for table in ("ledger", "decisions", "positions", "forecasts", "chain"):
            db.execute(f"DELETE FROM {table} WHERE open_time >= ?", (opened,))
        stored = db.execute("SELECT count(*) FROM fills").fetchone()[0]
        db.commit()
    run = load_run(folder.path)
    assert len(run.fills) == stored == read_status(folder).fills
    assert run.fills["time_ms"].iloc[-1] == opened > run.equity["time_ms"].iloc[-1]
    with open_record(folder, follow=True) as opened_record:
        got = RunTables(opened_record, run.config, rows=30).whole("fills").to_pandas()
    assert got.equals(run.fills)
    api = pytest.importorskip("bot.serve.api.tables", reason="the extra 'serve' is not installed")
    page = api.table_page(folder, "fills", EARLIEST, LATEST, 10_000, None)
    assert [row[0] for row in page.rows] == got["time_ms"].tolist()
