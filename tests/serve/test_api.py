"""The API says what the record holds: that of the same run by row, read here with sqlite3 alone; and
what `bot status` says."""

from __future__ import annotations

import csv
import io as memory
import json
import os
import shutil
import sqlite3
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pytest

from bot.adapters.record.tables import EARLIEST, LATEST
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.app.runs.status import read_status
from bot.errors import ModelError
from bot.serve.access.origins import ours
from bot.serve.access.token import read_or_make
from bot.serve.api.asked import cursor_of, numbers_of
from bot.serve.api.forms import ARROW, CSV
from bot.serve.app import make_app
from bot.serve.feed.cards import Cards
from bot.serve.feed.runs import RunsFolder
from bot.serve.problems import Problem
from bot.serve.site import site_for
from tests.conftest import Cli, Ran
from tests.serve.conftest import Served

RUN = "/api/v1/runs/short"
TABLES = {
    "bars": "bars", "forecasts": "forecasts", "decisions": "decisions", "fills": "fills",
    "positions": "positions", "equity": "ledger",
}  # fmt: skip


def journal(by_row: Ran) -> sqlite3.Connection:
    db = sqlite3.connect(by_row.folder.journal)
    db.row_factory = sqlite3.Row
    return db


def all_pages(served: Served, path: str, **given: Any) -> list[dict[str, Any]]:
    client, found, cursor = served.owner(), [], None
    for _ in range(1000):
        answer = client.get(path, params=given | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return found
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize(("path", "table"), TABLES.items())
@pytest.mark.parametrize("limit", [700, 10_000])
def test_pages_hold_every_row_of_the_journal_once(
    served: Served, short_by_row: Ran, path: str, table: str, limit: int
) -> None:
    found = all_pages(served, f"{RUN}/{path}", limit=limit)
    order = {"fills": "id", "ledger": "open_time"}.get(table, "open_time, symbol")
    with journal(short_by_row) as db:
        rows = [dict(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY {order}")]
    assert len(found) == len(rows) > 0
    for told, row in zip(found, rows, strict=True):
        assert told == {name: row[name] for name in told}
    assert {"row_hash"} >= set(rows[0]) - set(found[0]) - {"id"}


def test_a_page_of_one_row_still_has_whole_bars(served: Served) -> None:
    page = served.owner().get(f"{RUN}/bars?limit=1").json()
    assert len({row["open_time"] for row in page["items"]}) == 1
    assert len(page["items"]) == 3


def test_spans_and_symbols_choose_rows(served: Served) -> None:
    rows = all_pages(served, f"{RUN}/equity")
    first, last = rows[3]["open_time"], rows[9]["open_time"]
    assert all_pages(served, f"{RUN}/equity", **{"from": first, "to": last}) == rows[3:10]
    day = "2023-01-20"
    whole = all_pages(served, f"{RUN}/decisions", **{"from": day}, limit=100)
    mine = all_pages(served, f"{RUN}/decisions", **{"from": day}, limit=100, symbol="SYN1USDT")
    assert mine == [row for row in whole if row["symbol"] == "SYN1USDT"]
    assert mine


@pytest.mark.parametrize("path", [*TABLES, "models", "events"])
def test_csv_and_arrow_hold_what_json_holds(served: Served, path: str) -> None:
    items = served.owner().get(f"{RUN}/{path}?limit=50").json()["items"]
    assert items
    text = served.owner(Accept=CSV).get(f"{RUN}/{path}?limit=50")
    assert text.headers["content-type"].startswith(CSV)
    read = list(csv.DictReader(memory.StringIO(text.text)))
    plain = [
        {k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()} for row in items
    ]
    assert read == [{k: "" if v is None else str(v) for k, v in row.items()} for row in plain]
    arrow = served.owner(Accept=ARROW).get(f"{RUN}/{path}?limit=50")
    assert pa.ipc.open_stream(arrow.content).read_all().to_pylist() == plain


@pytest.mark.parametrize("path", [*TABLES, "models", "events", "trips"])
def test_arrow_pages_have_one_schema(served: Served, path: str) -> None:
    client, address = served.owner(Accept=ARROW), f"{RUN}/{path}?limit=2"
    pages: list[pa.Table] = []
    while address and len(pages) < 30:
        answer = client.get(address)
        if answer.status_code == 503:  # trips are being worked out, on a machine that is busy
            continue
        assert answer.status_code == 200, answer.text
        pages.append(pa.ipc.open_stream(answer.content).read_all())
        link = answer.headers.get("link", "")
        address = link.partition(">")[0].removeprefix("<")
    schema = pages[0].schema
    assert pa.null() not in schema.types
    assert [page.schema for page in pages] == [schema] * len(pages)
    assert pa.concat_tables(pages).num_rows == sum(page.num_rows for page in pages)
    if path in TABLES:  # one without rows too
        none = client.get(f"{RUN}/{path}?from=2100-01-01")
        assert pa.ipc.open_stream(none.content).read_all().schema == schema


def test_the_next_page_is_named_where_there_is_no_room_for_it(served: Served) -> None:
    answer = served.owner(Accept=CSV).get(f"{RUN}/equity?limit=3")
    link = answer.headers["link"].partition(">")[0].removeprefix("<")
    assert link.startswith(f"{RUN}/equity?")
    following = served.owner().get(link).json()["items"]
    assert following == all_pages(served, f"{RUN}/equity")[3:6]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("*/*", "application/json"), ("text/csv;q=0.5, application/json", "application/json"), ("text/*", CSV),
     ("application/json;q=0, text/csv", CSV), (ARROW, ARROW), ("text/html, */*;q=0.1", "application/json")],
)  # fmt: skip
def test_the_form_is_that_of_the_highest_weight(served: Served, accept: str, kind: str) -> None:
    assert served.owner(Accept=accept).get(f"{RUN}/fills").headers["content-type"].startswith(kind)


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", "a/b;q=x"])
def test_a_form_that_there_is_not_is_refused(served: Served, accept: str) -> None:
    assert served.owner(Accept=accept).get(f"{RUN}/fills").status_code == 406


def test_a_status_is_what_the_command_prints(served: Served, cli: Cli) -> None:
    told = served.owner().get(f"{RUN}/status").json()
    printed = cli("status", served.runs_dir / "short", "--json").json
    assert told["state"] == "finished"
    del printed["run_dir"]
    assert {name: told[name] for name in printed} == printed
    assert "run_dir" not in told


def test_the_list_has_the_figures_of_the_status(served: Served, short_by_row: Ran) -> None:
    (line,) = served.owner().get("/api/v1/runs").json()
    status = read_status(RunFolder(served.runs_dir / "short"))
    assert line["equity"] == status.equity
    assert line["total_return"] == status.total_return
    assert line["drawdown"] == status.drawdown
    assert line["positions"] == len(status.positions)
    with journal(short_by_row) as db:
        rows = db.execute("SELECT open_time, equity FROM ledger ORDER BY open_time").fetchall()
    day = rows[-1][0] // 86_400_000
    before = [equity for time, equity in rows if time // 86_400_000 < day][-1]
    assert line["day_return"] == pytest.approx(rows[-1][1] / before - 1.0, abs=1e-15)
    assert line["spark"][-1] == rows[-1][1]
    assert max(line["spark"][1:]) == max(equity for _, equity in rows)


def test_models_are_the_schedule(served: Served, short_by_row: Ran) -> None:
    items = served.owner().get(f"{RUN}/models").json()["items"]
    with journal(short_by_row) as db:
        rows = db.execute("SELECT model_id, effective_from, due FROM models ORDER BY position")
        assert [(m["model_id"], m["effective_from"], m["due"]) for m in items] == [
            tuple(row) for row in rows
        ]
    manifest = json.loads(
        (served.runs_dir / "short" / "models" / f"{items[0]['model_id']}.json").read_text()
    )
    assert items[0]["rows"] == manifest["rows"]
    assert all_pages(served, f"{RUN}/models", limit=1) == items


def test_events_come_newest_first_and_page_back_to_the_beginning(served: Served) -> None:
    lines = (served.runs_dir / "short" / "log.jsonl").read_text("utf-8").splitlines()
    written = [json.loads(line) for line in lines]
    found = all_pages(served, f"{RUN}/events", limit=3, level="debug")
    assert [event["event"] for event in found] == [each["event"] for each in reversed(written)]
    trained = all_pages(served, f"{RUN}/events", event="model_trained", limit=2)
    assert [event["fields"]["model_id"] for event in trained] == [
        each["model_id"] for each in reversed(written) if each["event"] == "model_trained"
    ]


@pytest.mark.parametrize(
    "path",
    ["bars?cursor=x", "bars?cursor=MTIz.NA", "bars?from=never", "bars?limit=0", "bars?limit=10001",
     "bars?symbol=NONE", "events?level=loud", "events?event=nothing", "events?cursor=MQ", "events?since=x"],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_words(served: Served, path: str) -> None:
    answer = served.owner().get(f"{RUN}/{path}")
    assert answer.status_code == 422
    assert answer.json()["title"] == "Unprocessable Content" or answer.json()["title"]
    assert len(answer.json()["detail"]) > 10


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (f"{RUN}/bars?limit=2&symbols=NONE", "query.symbols: no such name; did you mean 'symbol'?"),
        (f"{RUN}/fills?since=0", "there are from, to, limit, cursor, symbol"),
        (f"{RUN}/events?from=0", "query.from: no such name"),
        (f"{RUN}/status?run=short", "this address takes none"),
        ("/api/v1/changes?runs=short", "did you mean 'run'?"),
    ],
)
def test_a_name_that_an_address_does_not_have_is_refused(
    served: Served, path: str, told: str
) -> None:
    answer = served.owner().get(path)
    assert (answer.status_code, told in answer.json()["detail"]) == (422, True), answer.text


@pytest.mark.parametrize(
    "run_id", ["none", "..", "%2e%2e", "..%2f..%2fetc", "short%00", "short%2f..%2fshort", "a" * 300]
)
def test_only_runs_of_the_folder_are_reached(served: Served, run_id: str) -> None:
    for path in ("status", "bars", "events", "models"):
        assert served.owner().get(f"/api/v1/runs/{run_id}/{path}").status_code == 404


def test_a_run_that_cannot_be_read_is_listed_with_its_fault(served: Served) -> None:
    broken = served.runs_dir / "broken"
    broken.mkdir()
    try:
        (broken / "journal.db").write_bytes(b"no journal at all" * 100)
        lines = {line["id"]: line for line in served.owner().get("/api/v1/runs").json()}
        assert lines["broken"]["fault"]
        assert lines["short"]["fault"] == ""
        assert served.owner().get("/api/v1/runs/broken/status").status_code == 409
        assert served.owner().get("/api/v1/runs/broken/bars").status_code == 409
        trips = served.owner().get("/api/v1/runs/broken/trips")
        while trips.status_code == 503:  # being worked out, on a machine that is busy
            trips = served.owner().get("/api/v1/runs/broken/trips")
        assert trips.status_code == 409
        assert trips.json()["detail"].startswith("broken/config.toml: ")
        assert 'run_unreadable{run="broken"} 1.0' in served.owner().get("/metrics").text
    finally:
        (broken / "journal.db").unlink()
        broken.rmdir()


@pytest.mark.parametrize(
    ("name", "listed", "fault"),
    [
        (b"no\xfftext", "no?text", "no UTF-8"),
        (b"no-log", "no-log", "log.jsonl"),
        (b"back\\slash", "back\\slash", ""),
    ],
)
def test_an_odd_folder_hides_no_run(
    served: Served, tmp_path: Path, name: bytes, listed: str, fault: str
) -> None:
    runs = tmp_path / "runs"
    odd = runs / os.fsdecode(name)
    for folder in (runs / "short", odd):
        shutil.copytree(served.runs_dir / "short", folder)
    if name == b"no-log":
        (odd / "log.jsonl").unlink()
        (odd / "log.jsonl").mkdir()
    served.site.runs = RunsFolder(runs)
    lines = {line["id"]: line for line in served.owner().get("/api/v1/runs").json()}
    assert set(lines) == {"short", listed}
    assert lines["short"]["fault"] == ""
    assert fault in lines[listed]["fault"]
    assert bool(fault) == bool(lines[listed]["fault"])
    assert served.owner().get("/metrics").status_code == 200
    if not fault:
        assert served.owner().get(f"/api/v1/runs/{quote(listed)}/status").status_code == 200


def test_cursors_are_ours_alone() -> None:
    assert numbers_of(cursor_of(-5, 7), 2) == (-5, 7)
    for odd in ("", "=", "é", "MTIz.", cursor_of(1, 2, 3), "x" * 200):
        with pytest.raises(Problem):
            numbers_of(odd, 2)


def test_a_reader_that_follows_reads_in_spans_what_others_read_at_once(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(served.runs_dir / "short")
    monkeypatch.setattr("bot.adapters.journal.reader.SLICE_ROWS", 7)
    with open_record(folder) as whole, open_record(folder, follow=True) as spans:
        for table in TABLES.values():
            assert list(spans.rows(table)) == list(whole.rows(table))  # type: ignore[arg-type]
            page = spans.first_rows(table, EARLIEST, LATEST, 10)  # type: ignore[arg-type]
            assert list(whole.rows(table))[: len(page)] == list(page)  # type: ignore[arg-type]
        times, ledger = spans.ledger()
        np.testing.assert_array_equal(times, whole.ledger()[0])
        np.testing.assert_array_equal(ledger["equity"], whole.ledger()[1]["equity"])


def test_a_run_whose_intervals_cannot_be_worked_out_keeps_no_figure_of_others_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> dict[str, float]:
        raise ModelError("the model is damaged")

    monkeypatch.setattr("bot.serve.feed.coverages.recent_coverage", damaged)
    status = served.site.cards.of(served.site.runs.find("short")).status
    assert status is not None
    live = replace(status, mode="live", pid=1)
    monkeypatch.setattr("bot.serve.feed.cards.read_status", lambda *_, **__: live)
    served.site.cards = Cards(served.site.curves)
    text = served.owner().get("/metrics").text
    assert f'mtl_paper_bot_equity{{run="short"}} {live.equity!r}' in text
    assert 'mtl_paper_bot_up{run="short"} 1.0' in text
    assert "interval_coverage_ratio{" not in text


def test_metrics_have_conventional_names_and_the_journals_figures(served: Served) -> None:
    text = served.owner().get("/metrics").text
    status = read_status(RunFolder(served.runs_dir / "short"))
    assert f'mtl_paper_bot_equity{{run="short"}} {status.equity}' in text
    assert f'mtl_paper_bot_fills_total{{run="short"}} {float(status.fills)}' in text
    openmetrics = served.owner(Accept="application/openmetrics-text").get("/metrics").text
    assert openmetrics.rstrip().endswith("# EOF")
    assert served.client().get("/metrics").status_code == 401


def test_health_and_readiness(served: Served, tmp_path: Path) -> None:
    assert served.client().get("/healthz").text == "ok\n"
    assert served.client().get("/readyz").text == "ready\n"
    served.site.runs = type(served.site.runs)(tmp_path / "gone")
    assert served.client().get("/readyz").status_code == 503
    assert served.client().head("/readyz").status_code == 503
    assert (
        served.client().head("/healthz").status_code,
        served.client().head("/healthz").content,
    ) == (200, b"")


def test_coins_stand_beside_the_cash(inverse_run: Ran, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(inverse_run.folder.path, runs / "coins")
    token = read_or_make(tmp_path / "token")
    site = site_for(runs, token, ours(8765))
    client = Served(site, make_app(site), (tmp_path / "token").read_text().strip(), runs).owner()
    status = read_status(RunFolder(runs / "coins"))
    coins = [asdict(each) for each in status.coins]
    assert len(coins) == 3
    assert client.get("/api/v1/runs/coins/status").json()["coins"] == coins
    (line,) = client.get("/api/v1/runs").json()
    assert line["coins"] == coins
    assert line["cash"] + sum(each["value"] for each in coins) == pytest.approx(line["equity"])
    said = client.get("/metrics").text
    for each in status.coins:
        sample = f'mtl_paper_bot_coin_value{{run="coins",symbol="{each.symbol}"}} '
        (row,) = [row for row in said.splitlines() if row.startswith(sample)]
        assert float(row.removeprefix(sample)) == each.value
