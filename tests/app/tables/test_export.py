"""`bot export`: files that other programs read, or a refusal that says what to do."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bot.app.library import load_run
from bot.app.tables import sinks
from bot.app.tables.columns import FILLS, NAMES
from bot.app.tables.sinks import CsvSink, csv_file
from bot.wording import counted
from tests.conftest import Cli, Ran


def test_all_tables_come_as_csv_and_parquet_and_read_back(
    cli: Cli, short: Ran, tmp_path: Path
) -> None:
    run = load_run(short.folder.path)
    for kind in ("csv", "parquet"):
        said = cli("export", run.path, "--what", "all", "--format", kind, "--out", tmp_path / kind)
        assert said.code == 0, said.err
        assert len(said.out.splitlines()) == len(NAMES)
        assert sorted(p.name for p in (tmp_path / kind).iterdir()) == sorted(
            f"{name}.{kind}" for name in NAMES
        )
        for name in NAMES:
            path = tmp_path / kind / f"{name}.{kind}"
            read = pd.read_parquet(path) if kind == "parquet" else exactly(path.read_text("utf-8"))
            for column in read.columns:
                if str(run.table(name)[column].dtype).startswith("datetime"):
                    if kind == "csv":
                        assert (
                            read[column]
                            .dropna()
                            .str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
                            .all()
                        )
                    read[column] = pd.to_datetime(read[column], utc=True).astype(
                        "datetime64[ms, UTC]"
                    )
            pd.testing.assert_frame_equal(read, run.table(name), check_dtype=False, rtol=0, atol=0)
            assert f"{path}: {name} {counted(len(read), 'row')}\n" in said.out
    assert pq.read_schema(tmp_path / "parquet" / "fills.parquet").field("price").metadata == {
        b"unit": b"quote per base", b"says": b"paid, half spread and slippage included"
    }  # fmt: skip


def test_a_workbook_has_a_sheet_a_table(cli: Cli, short: Ran, tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter")
    path = tmp_path / "run.xlsx"
    said = cli("export", short.folder.path, "--what", "trades,equity", "--out", path)
    assert (said.code, said.err) == (0, "")
    import zipfile

    with zipfile.ZipFile(path) as book:
        names = book.read("xl/workbook.xml").decode()
        sheet = book.read("xl/worksheets/sheet2.xml").decode()
    assert 'name="trades"' in names
    assert 'name="equity"' in names
    assert sheet.count("<row ") == short.done.bars + 1
    assert f"<v>{short.done.equity:.16g}" in sheet


def test_one_table_goes_to_stdout(cli: Cli, short: Ran) -> None:
    said = cli("export", short.folder.path, "--what", "equity")
    assert said.code == 0
    frame = exactly(said.out)
    assert frame["equity"].iloc[-1] == short.done.equity
    assert len(frame) == short.done.bars


def test_several_tables_without_a_place_go_into_the_run(cli: Cli, short: Ran) -> None:
    said = cli("export", short.folder.path, "--what", "fills,models")
    assert said.code == 0
    assert sorted(p.name for p in (short.folder.path / "export").iterdir()) == [
        "fills.csv", "models.csv",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "code", "expected"),
    [
        ([], 2, "name tables by --what ('--what all'), or one --symbol"),
        (["--what", "fill"], 2, "--what fill: expected all, bars"),
        (["--what", ","], 2, "--what: expected all, bars"),
        (["--what", "fills", "--symbol", "SYN0USDT"], 2, "name tables by --what"),
        (["--symbol", "SYN0USDT", "--symbols", "SYN0USDT"], 2, "--symbol goes with --out alone"),
        (["--what", "fills", "--format", "json"], 2, "--format json: expected csv, parquet, xlsx"),
        (
            ["--what", "fills,bars", "--out", "/dev/null"],
            2,
            "is a file; several tables go into a folder",
        ),
        (["--what", "fills", "--out", "x.xls"], 2, "ends in .csv, .parquet, .xlsx"),
        (["--what", "fills", "--out", "x.csv", "--format", "parquet"], 2, "give one of them"),
        (["--what", "all", "--out", "x.csv"], 2, "holds one table; name a folder"),
        (["--what", "fills", "--symbols", "DOGE"], 3, "DOGE: the run has SYN0USDT"),
        (["--what", "fills", "--out", "/proc/nowhere/x.csv"], 2, "cannot be written"),
    ],
)
def test_what_cannot_be_is_refused(
    cli: Cli, short: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str],
    code: int, expected: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    said = cli("export", short.folder.path.absolute(), *args)
    assert said.code == code, said.err
    assert expected in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_more_rows_than_a_sheet_holds_are_refused_and_nothing_is_left(
    cli: Cli, short: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xlsxwriter")
    monkeypatch.setattr(sinks, "EXCEL_ROWS", 100)
    said = cli("export", short.folder.path, "--what", "bars", "--out", tmp_path / "a.xlsx")
    assert said.code == 2
    assert "bars has more than the 99 rows that an Excel sheet holds; write --format" in said.err
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_it_says_what_to_install(
    cli: Cli, short: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    said = cli("export", short.folder.path, "--what", "fills", "--out", tmp_path / "a.xlsx")
    assert said.code == 2
    assert "install the extra 'xlsx'" in said.err


def test_a_file_that_breaks_off_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "fills.csv"
    path.write_text("old")
    wrong = pa.table({"a": [[1]]})  # CSV has no lists
    with pytest.raises(pa.ArrowException), csv_file(path, FILLS) as sink:
        sink.write(wrong)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_with_a_comma_or_a_quote_is_quoted() -> None:
    file = io.BytesIO()
    row: dict[str, object] = {f.name: None for f in FILLS.schema} | {"symbol": 'A,"B"'}
    CsvSink(file, FILLS).write(pa.Table.from_pylist([row], schema=FILLS.schema))
    read = exactly(file.getvalue().decode())
    assert read["symbol"].tolist() == ['A,"B"']


def exactly(text: str) -> pd.DataFrame:
    """Read CSV with every digit of a number; by default pandas 2.2 reads 14 of them."""
    read = pd.read_csv(io.StringIO(text))
    written = pd.read_csv(io.StringIO(text), dtype=str)
    for name in read.select_dtypes("float"):
        read[name] = written[name].map(float)
    return read
