"""Following runs: what is read is what was written, what has changed is told, and nothing else is done."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.system.run_lock import RunLock
from bot.app.runs.folder import RunFolder
from bot.app.runs.log_backwards import LogPlace, lines_backwards
from bot.app.runs.log_view import LogFilter
from bot.serve.feed.analysis import OFTEN_S as AGAIN_S
from bot.serve.feed.analysis import Analyses, without_nan
from bot.serve.feed.cards import STALE_S, Cards
from bot.serve.feed.coverages import OFTEN_S, Coverages
from bot.serve.feed.curves import Curves
from bot.serve.feed.events import events_page
from bot.serve.feed.runs import RunsFolder, marks_of
from bot.serve.feed.state import RunState
from bot.serve.feed.watching import LOOKS_A_COMMENT, Watching
from bot.serve.page.bars import WholeBars
from bot.serve.page.drawn import candles, equity
from tests.conftest import Ran
from tests.serve.conftest import Served

OLD = Path(__file__).parents[1] / "fixtures" / "runs"


@pytest.fixture
def copied(short: Ran, tmp_path: Path) -> RunFolder:
    shutil.copytree(short.folder.path, tmp_path / "runs" / "short")
    return RunFolder(tmp_path / "runs" / "short")


# The stream of changes, with a clock that stands until it is moved


class Clock:
    """Sleeps that end when a test says so."""

    def __init__(self) -> None:
        self.asleep = asyncio.Event()
        self.go = asyncio.Event()

    async def sleep(self, _: float) -> None:
        self.asleep.set()
        await self.go.wait()
        self.go.clear()

    async def tick(self) -> None:
        await self.asleep.wait()
        self.asleep.clear()
        self.go.set()
        await self.asleep.wait()


async def heard(events: AsyncIterator[str]) -> str:
    return await asyncio.wait_for(anext(events), 5.0)


async def begun(watching: Watching, clock: Clock, run_id: str | None) -> AsyncIterator[str]:
    """Listen, from the first look on."""
    events = watching.listen(run_id)
    assert (await heard(events)).startswith("retry:")
    await clock.tick()
    assert (await heard(events)).startswith("event: all")
    return events


def touched(path: Path) -> None:
    with path.open("a") as file:
        file.write(" ")


async def test_who_listens_hears_what_has_changed_and_only_that(copied: RunFolder) -> None:
    clock = Clock()
    watching = Watching(RunsFolder(copied.path.parent), clock.sleep)
    events = await begun(watching, clock, None)
    next_one = asyncio.create_task(heard(events))
    await clock.tick()
    assert not next_one.done()
    touched(copied.log)
    await clock.tick()
    assert json.loads((await next_one).partition("data: ")[2]) == {
        "run": "short",
        "changed": ["log"],
    }
    next_one = asyncio.create_task(heard(events))
    touched(copied.journal)
    (copied.path / "STOP_TRADING").touch()
    await clock.tick()
    assert json.loads((await next_one).partition("data: ")[2])["changed"] == ["journal", "process"]
    watching.close()


async def test_a_run_that_begins_is_told_and_another_is_not(copied: RunFolder) -> None:
    clock = Clock()
    runs = copied.path.parent
    watching = Watching(RunsFolder(runs), clock.sleep)
    mine = await begun(watching, clock, "short")
    all_of_them = await begun(watching, clock, None)
    first, second = (asyncio.create_task(heard(each)) for each in (mine, all_of_them))
    shutil.copytree(copied.path, runs / "new")
    await clock.tick()
    assert '"run": "new"' in await second
    await clock.tick()
    assert not first.done()
    touched(copied.log)
    await clock.tick()
    assert '"run": "short"' in await first
    gone = asyncio.create_task(heard(all_of_them))
    await clock.tick()
    assert '"run": "short"' in await gone
    gone = asyncio.create_task(heard(all_of_them))
    shutil.rmtree(runs / "new")
    await clock.tick()
    assert '"run": "new"' in await gone  # a run that is removed is told too
    watching.close()


async def test_a_run_that_goes_before_it_is_looked_at_is_asked_for_once(copied: RunFolder) -> None:
    clock = Clock()
    watching = Watching(RunsFolder(copied.path.parent), clock.sleep)
    other = await begun(watching, clock, "other")
    events = watching.listen("short")
    assert (await heard(events)).startswith("retry:")
    shutil.rmtree(copied.path)
    await clock.tick()
    assert (await heard(events)).startswith("event: all")
    heard_more = asyncio.create_task(heard(other))
    await clock.tick()
    assert not heard_more.done()
    heard_more.cancel()
    watching.close()


async def test_while_nobody_listens_nothing_is_looked_at(copied: RunFolder) -> None:
    looks = 0

    async def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)

    watching = Watching(RunsFolder(copied.path.parent), sleep)
    async with aclosing(watching.listen(None)) as events:  # type: ignore[type-var]
        await heard(events)
        assert watching.listeners == 1
        await asyncio.sleep(0.05)
    assert watching.listeners == 0
    await asyncio.sleep(0.05)
    before = looks
    await asyncio.sleep(0.05)
    assert looks <= before + 1


async def test_a_quiet_line_is_kept_open(copied: RunFolder) -> None:
    clock = Clock()
    watching = Watching(RunsFolder(copied.path.parent), clock.sleep)
    events = await begun(watching, clock, None)
    comment = asyncio.create_task(heard(events))
    for _ in range(LOOKS_A_COMMENT + 1):
        await clock.tick()
    assert (await comment).startswith(":")
    watching.close()
    with pytest.raises(StopAsyncIteration):
        await heard(events)


async def test_a_quiet_line_is_kept_open_beside_one_with_news(copied: RunFolder) -> None:
    other = RunFolder(Path(shutil.copytree(copied.path, copied.path.with_name("other"))))
    clock = Clock()
    watching = Watching(RunsFolder(copied.path.parent), clock.sleep)
    busy = await begun(watching, clock, other.path.name)
    quiet = await begun(watching, clock, copied.path.name)
    for _ in range(LOOKS_A_COMMENT + 1):
        touched(other.log)
        await clock.tick()
    assert (await heard(quiet)).startswith(":")
    assert (await heard(busy)).startswith("event: run")
    watching.close()


async def test_who_does_not_read_is_told_to_ask_for_everything(copied: RunFolder) -> None:
    clock = Clock()
    watching = Watching(RunsFolder(copied.path.parent), clock.sleep)
    events = await begun(watching, clock, None)
    for _ in range(260):
        touched(copied.log)
        await clock.tick()
    assert (await heard(events)).startswith("event: all")
    watching.close()


# The log


def test_a_log_is_read_backwards_over_parts_and_a_line_being_written_is_none(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log.jsonl"
    lines = [f"line {k} {'x' * (k * 997 % 70_000)}" for k in range(12)]
    (tmp_path / "log.jsonl.1").write_text("\n".join(lines[:7]) + "\n")
    log.write_text("\n".join(lines[7:]) + "\nbeing writ")
    read = list(lines_backwards(log))
    assert [text for _, text in read] == lines[::-1]
    for k, (place, _) in enumerate(read):
        assert [text for _, text in lines_backwards(log, place)] == lines[::-1][k + 1 :]
    # set aside meanwhile: a place still names its line
    os.replace(tmp_path / "log.jsonl.1", tmp_path / "log.jsonl.2")
    os.replace(log, tmp_path / "log.jsonl.1")
    log.write_text("newest\n")
    place = read[2][0]
    assert [text for _, text in lines_backwards(log, place)] == lines[::-1][3:]
    assert list(lines_backwards(log, LogPlace(1, 5))) == []
    assert list(lines_backwards(tmp_path / "none.jsonl")) == []


def test_a_page_of_the_log_reads_only_so_many_lines(
    copied: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.serve.feed.events.MOST_LINES", 5)
    nothing = LogFilter(frozenset({"error"}))
    page = events_page(copied, nothing, 10)
    assert list(page.events) == []
    assert page.older is not None


# Curves, bars and cards


def test_a_curve_that_grows_is_that_of_the_whole_ledger(
    short: Ran, short_by_row: Ran, tmp_path: Path
) -> None:
    import sqlite3

    copied = RunFolder(Path(shutil.copytree(short_by_row.folder.path, tmp_path / "grows")))
    times, values = short.equity()
    with sqlite3.connect(copied.journal) as db:
        rows = db.execute("SELECT * FROM ledger WHERE open_time > ?", (int(times[400]),)).fetchall()
        db.execute("DELETE FROM ledger WHERE open_time > ?", (int(times[400]),))
    curves = Curves()
    assert len(curves.of(copied).time) == 401
    with sqlite3.connect(copied.journal) as db:
        db.executemany(f"INSERT INTO ledger VALUES ({', '.join('?' * len(rows[0]))})", rows)
    grown = curves.of(copied)
    np.testing.assert_array_equal(grown.time, times)
    np.testing.assert_array_equal(grown.equity, values)
    peak = np.maximum.accumulate(np.concatenate(([grown.capital], values)))[1:]
    np.testing.assert_allclose(grown.drawdown, 1.0 - values / peak, atol=1e-15)


def test_a_drawn_curve_keeps_extremes_and_is_exact_where_it_fits(copied: RunFolder) -> None:
    curve = Curves().of(copied)
    few = equity(curve, -1, 2**62, 60)
    assert not few["exact"]
    assert max(few["equity"]) == curve.equity.max()
    assert min(few["equity"]) == curve.equity.min()
    assert max(few["drawdown"]) == curve.drawdown.max()
    near = equity(curve, int(curve.time[10]) - 1, int(curve.time[40]), 60)
    assert near["exact"]
    assert near["equity"] == curve.equity[10:41].tolist()


def test_candles_from_afar_are_those_of_pandas(
    copied: RunFolder, short: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    monkeypatch.setattr("bot.serve.page.drawn.NEAR_BARS", 10)
    with short.reader() as reader:
        bars = reader.bars()
        first = reader.ledger()[0][0]
    drawn = candles(copied, WholeBars(), "SYN0USDT", (-1, 2**62), 50)
    inside = bars.open_time >= first
    frame = pd.DataFrame(
        {
            name: np.where(bars.valid[inside, 0], getattr(bars, name)[inside, 0], np.nan)
            for name in ("open", "high", "low", "close", "volume")
        }
    )
    size = -(-len(frame) // 50)
    by = frame.groupby(np.arange(len(frame)) // size)
    assert drawn["high"] == by["high"].max().tolist()
    assert drawn["low"] == by["low"].min().tolist()
    assert drawn["close"] == by["close"].last().tolist()
    assert drawn["open"] == by["open"].first().tolist()
    np.testing.assert_allclose(drawn["volume"], by["volume"].sum())
    assert not drawn["exact"]
    assert drawn["fills"] == []


def test_near_candles_have_every_fill_position_and_forecast(copied: RunFolder, short: Ran) -> None:
    with short.reader() as reader:
        times = reader.ledger()[0]
        fills = reader.fills(after=int(times[100]) - 1, to=int(times[300]))
        held = reader.positions(times[100:301])[:, 0]
        forecasts = reader.forecasts(times[100:301])[0][:, 0, 0]
        ordered = np.nan_to_num(reader.decisions(times[100:301])[0]["order_quantity"][:, 0])
    drawn = candles(copied, WholeBars(), "SYN0USDT", (int(times[100]) - 1, int(times[300])), 600)
    assert drawn["exact"]
    assert [f["price"] for f in drawn["fills"]] == fills[fills["symbol"] == 0]["price"].tolist()
    assert [d["quantity"] for d in drawn["decisions"]] == ordered[ordered != 0.0].tolist()
    closes = dict(zip(drawn["time"], drawn["close"], strict=True))
    assert drawn["decisions"]
    assert all(d["price"] == closes[d["time"]] for d in drawn["decisions"])
    assert drawn["position"]["quantity"] == held.tolist()
    assert drawn["forecast"]["head"] == "return_5"
    assert len(drawn["forecast"]["time"]) == int(np.isfinite(forecasts).sum())
    low, high = drawn["forecast"]["low"], drawn["forecast"]["high"]
    assert any(value is not None for value in low)
    assert all(a is None or a <= b for a, b in zip(low, high, strict=True))


def test_the_notional_of_an_inverse_fill_is_its_contracts(inverse_run: Ran, short: Ran) -> None:
    for ran, inverse in ((inverse_run, True), (short, False)):
        symbol = "SYN0USD" if inverse else "SYN0USDT"
        with ran.reader() as reader:
            times = reader.ledger()[0]
        last = int(times[-1])
        drawn = candles(ran.folder, WholeBars(), symbol, (last - 600 * 3_600_000, last), 600)
        assert drawn["fills"]
        for fill in drawn["fills"]:
            price = 1.0 if inverse else fill["price"]
            assert fill["notional"] == pytest.approx(abs(fill["quantity"]) * price)


@pytest.mark.parametrize(
    ("old", "state"), [("v3/live", RunState.DEAD), ("v3/live-open", RunState.DEAD), ("v3/backtest", RunState.FINISHED), ("v1/live", RunState.DEAD)]
)  # fmt: skip
def test_runs_of_earlier_versions_have_a_card(tmp_path: Path, old: str, state: RunState) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(OLD / old, folder.path)
    card = Cards(Curves()).of(folder)
    assert card.fault == ""
    assert card.state in (state, RunState.STOPPED)
    assert card.status is not None
    assert len(card.spark) >= 2


def test_how_a_daemon_fares_is_told_by_its_lock_its_log_and_its_words(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(OLD / "v3/live", folder.path)
    now = [0.0]
    cards = Cards(Curves(), lambda: now[0])
    line = {
        "event": "run_stopped",
        "level": "info",
        "timestamp": "2026-01-01T00:00:00Z",
        "bars": 3,
        "reason": "SIGTERM",
        "schema": 1,
    }
    folder.log.write_text(json.dumps(line) + "\n")
    assert cards.of(folder).state is RunState.STOPPED
    folder.log.write_text(json.dumps(line | {"event": "bar_closed"}) + "\n")
    assert cards.of(folder).state is RunState.DEAD
    with RunLock(folder.path):
        beat = {
            "pid": 1, "time_ms": 0, "exchange_ms": 0, "connection": "connected", "last_bar": None, "lag_ms": 1.0,
            "next_training_ms": None, "training": "idle", "version": "0",
        }  # fmt: skip
        (folder.path / "status.json").write_text(json.dumps(beat))
        assert cards.of(folder).state is RunState.LIVE
        now[0] = 3600.0
        late = cards.of(folder)
        assert (late.state, late.why) == (RunState.LATE, "no word for 3,600 s")
        (folder.path / "STOP_TRADING").touch()
        halted = cards.of(folder)
        assert (halted.state, halted.why) == (RunState.HALTED, "STOP_TRADING is in its folder")


def test_a_card_is_read_again_only_when_the_run_has_changed(
    copied: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, reads = [0.0], list[object]()
    monkeypatch.setattr("bot.serve.feed.cards.newest_news", reads.append)
    cards = Cards(Curves(), lambda: now[0])
    for _ in range(3):
        cards.of(copied)
        now[0] += STALE_S + 1.0
    assert len(reads) == 1
    touched(copied.log)
    cards.of(copied)
    assert len(reads) == 2


def test_how_often_intervals_held_is_worked_out_once_a_minute(
    copied: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, asked = [0.0], []

    def worked_out(*given: object) -> dict[str, float]:
        asked.append(given)
        return {"return_5": 0.9}

    monkeypatch.setattr("bot.serve.feed.coverages.recent_coverage", worked_out)
    coverages = Coverages(lambda: now[0])
    for _ in range(3):
        assert coverages.of(copied) == {"return_5": 0.9}
        touched(copied.journal)
    assert len(asked) == 1
    now[0] = OFTEN_S
    coverages.of(copied)
    assert len(asked) == 2


# What takes seconds


async def test_an_analysis_says_what_the_report_says(served: Served) -> None:
    from bot.app.runs.folder import config_of
    from bot.app.runs.results import read_run
    from bot.report.summary import build

    folder = served.site.runs.find("short")
    before = marks_of(folder)
    found, under_way = await served.site.analyses.of(folder, wait_s=120.0)
    assert found is not None
    assert found.result is not None, found.fault
    assert not under_way
    summary = without_nan(build(read_run(folder), config_of(folder).report))
    told = found.result["summary"]
    assert {k: told[k] for k in ("metrics", "skill", "calibration", "costs")} == {
        k: summary[k] for k in ("metrics", "skill", "calibration", "costs")
    }
    assert len(found.result["trips"]) == summary["metrics"]["trades"]
    assert sum(trip["profit"] for trip in found.result["trips"]) != 0.0
    assert marks_of(folder) == before
    again, _ = await served.site.analyses.of(folder, wait_s=0.0)
    assert again is found


async def test_what_could_not_be_worked_out_is_tried_again_after_a_while(
    copied: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_memory(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    now = [0.0]
    analyses = Analyses(lambda: now[0])
    with monkeypatch.context() as patch:
        patch.setattr("asyncio.create_subprocess_exec", no_memory)
        found, _ = await analyses.of(copied, wait_s=5.0)
    assert found is not None
    assert found.fault == "its process cannot be started: Cannot allocate memory"
    assert await analyses.of(copied, wait_s=0.0) == (found, False)
    now[0] = AGAIN_S
    assert await analyses.of(copied, wait_s=0.0) == (found, True)
    await analyses.close()


async def test_a_run_that_cannot_be_worked_out_says_why(copied: RunFolder) -> None:
    copied.config.unlink()
    analyses = Analyses()
    found, _ = await analyses.of(copied, wait_s=60.0)
    assert found is not None
    assert "settings are missing" in found.fault
    await analyses.close()
