"""What an exchange says of its symbols at a later start: it holds from a recorded bar, and is proved."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.files import commands as files
from bot.adapters.files.commands import Asked
from bot.adapters.journal.forms import open_journal
from bot.adapters.record.commands import CommandRow
from bot.app.verify.proof import Result, verify
from bot.blocks import F64, I64
from bot.errors import UnreachableError
from bot.practice import instruments
from bot.timegrid import HOUR_MS
from scripts.soaking import direct_exchange
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.rehearsal import PoolHere, Rehearsal

SETTINGS = (
    "retrain.every_bars=12", "data.history_bars=60", "training.min_rows=50", "synthetic.missing=0",
    "synthetic.symbols=2",
)  # fmt: skip


class Told:
    """What the practice exchange says of its symbols: steps so many times as coarse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.coarser = 1
        self._own = instruments.instrument
        monkeypatch.setattr(direct_exchange, "instrument", self)

    def __call__(self, *args: Any) -> dict[str, Any]:
        entry: dict[str, Any] = self._own(*args)
        step = str(float(entry["lotSizeFilter"]["qtyStep"]) * self.coarser)
        entry["lotSizeFilter"] |= {"qtyStep": step, "minOrderQty": step}
        return entry


def kept(run: Rehearsal) -> tuple[list[CommandRow], I64, F64, F64]:
    """Return the commands, and of each fill its bar, quantity and the symbol's first step."""
    with open_journal(run.folder.journal) as record:
        fills = record.fills()
        first = json.loads(record.meta["instruments"])
        steps = np.array([first[symbol]["quantity_step"] for symbol in record.symbols])
        return record.commands(), fills["open_time"], fills["quantity"], steps[fills["symbol"]]


def live(run: Rehearsal, bars: int | None, begin_ms: int, stop_after_h: float = 0.0) -> int:
    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.sleep_until(begin_ms + round(stop_after_h * HOUR_MS))
        stop.set()

    how: dict[str, Any] = {"script": script} if stop_after_h else {}
    return run.run(bars, begin_ms=begin_ms, pool=PoolHere(seconds=0.0), **how)


@pytest.mark.parametrize("inside", [False, True], ids=["before an open", "inside a bar"])
def test_it_holds_from_a_recorded_bar_on_and_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, inside: bool
) -> None:
    told, run = Told(monkeypatch), Rehearsal.make(tmp_path / "run", *SETTINGS)
    now = live(run, None if inside else 12, run.begin_ms, 12.7 if inside else 0.0)
    now = live(run, 2, now)  # as before: nothing is new
    assert kept(run)[0] == []
    if inside:
        now = live(run, None, now, 0.7)
    told.coarser = 100
    now = live(run, 14, now)
    live(run, 1, now)  # and again nothing is
    [row], bar, quantity, step = kept(run)
    assert (row.kind, row.asked_by, row.inside, row.refused) == (
        "instruments", "exchange", inside, None,
    )  # fmt: skip
    assert {s: each["quantity_step"] for s, each in row.values.items()} == {
        s: 100 * each for s, each in zip(("SYN0USDT", "SYN1USDT"), firsts(run), strict=True)
    }
    parts = quantity / (100 * step)
    coarse = np.isclose(parts, np.rint(parts))
    before, after = bar < row.open_time, bar > row.open_time
    assert not coarse[before].all()
    assert after.sum() > 3
    # what was held in finer steps is closed with its rest
    assert coarse[after].mean() > 0.7
    [event] = run.events("command_taken")
    assert (event["kind"], event["bar"], event["inside"]) == ("instruments", row.open_time, inside)
    verdict = verify(run.folder)
    assert verdict.identical, verdict.difference
    forge(run)
    assert verify(run.folder).result is Result.DIFFERENT


def firsts(run: Rehearsal) -> list[float]:
    with open_journal(run.folder.journal) as record:
        first = json.loads(record.meta["instruments"])
        return [first[symbol]["quantity_step"] for symbol in record.symbols]


def forge(run: Rehearsal) -> None:
    """Let the exchange have said something else."""
    with closing(sqlite3.connect(run.folder.journal)) as db:
        [(text,)] = db.execute("SELECT settings FROM commands").fetchall()
        other = text.replace('"min_notional": 5.0', '"min_notional": 6.0')
        assert other != text
        db.execute("UPDATE commands SET settings = ?", (other,))
        db.commit()


def test_an_exchange_that_does_not_say_and_a_person_that_does_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, run = Told(monkeypatch), Rehearsal.make(tmp_path / "run", *SETTINGS)
    now = live(run, 3, run.begin_ms)
    told.coarser = 100

    def silent(*_: Any) -> Any:
        raise UnreachableError("it is down")

    monkeypatch.setattr(direct_exchange, "instrument", silent)
    asked = Asked(files.new_id(1), "instruments", {"SYN0USDT": {"quantity_step": 9.0}}, "ann", 1)
    files.ask(run.folder.path, asked)
    live(run, 3, now)
    [row], *_ = kept(run)
    assert row.refused is not None
    assert "is none of pause, flatten, resume, set" in row.refused
    event, *hourly = run.events("exchange_unreachable")
    assert {each["reason"] for each in hourly} <= {"instruments: it is down"}
    assert event["reason"] == "it is down; the run keeps the instruments that it has"
    assert verify(run.folder).identical
