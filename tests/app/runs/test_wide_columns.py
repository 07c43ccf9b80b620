"""A run's columns are read in spans, and what is said of the run does not depend on them."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest

from bot import timegrid
from bot.adapters.system.disk_room import DiskRoom
from bot.app.backtest.command import report_run
from bot.app.runs import wide_columns
from bot.app.runs.results import read_run
from bot.app.runs.wide_columns import BAR_ARRAYS, counted_codes, room_of
from bot.blocks import I64
from bot.errors import JournalError
from bot.report.inputs import RunData
from tests.conftest import Ran

AGREEING = (
    "quantity",
    "weights",
    "signal",
    "edge",
    "hurdle",
    "labels",
    "shrunk",
    "equity",
    "price",
)


@pytest.fixture(params=["short", "short_by_row", "inverse_run"])
def ran(request: pytest.FixtureRequest) -> Ran:
    found: Ran = request.getfixturevalue(request.param)
    return found


def test_a_run_is_told_the_same_however_it_is_cut(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, page = _told(ran), ran.folder.report.read_text(encoding="utf-8")
    for most in (7, 250):
        monkeypatch.setattr(timegrid, "SPAN_SYMBOL_BARS", most)
        assert _told(ran) == whole
        assert ran.folder.report.read_text(encoding="utf-8") == page


def test_what_is_read_is_what_the_record_gives_at_once(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timegrid, "SPAN_SYMBOL_BARS", 13)
    run = read_run(ran.folder)
    with ran.reader() as record:
        bars = record.bars().rows(0, len(run.bars))
        values, _ = record.decisions(bars.open_time)
        held = record.positions(bars.open_time)
        forecast, model = record.forecasts(bars.open_time)
    for name in BAR_ARRAYS:
        np.testing.assert_array_equal(getattr(run.bars, name), getattr(bars, name), name)
    np.testing.assert_array_equal(run.signal, values["signal"])
    np.testing.assert_array_equal(run.quantity, held)
    assert run.forecast is not None
    np.testing.assert_array_equal(run.forecast.value, forecast)
    np.testing.assert_array_equal(run.forecast.model[run.start_index :], model[run.start_index :])
    assert np.all(run.forecast.model[: run.start_index] == -1)


def test_large_arrays_lie_on_the_disk_without_a_name(
    short: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wide_columns, "LEAST_BYTES", 0)
    before, there = read_run(short.folder), set(os.listdir(short.folder.path))
    room = before.room
    assert isinstance(room, DiskRoom)
    for name in ("close", "valid", "realised_variance"):
        assert room.place_of(getattr(before.bars, name)) is not None, name
    for name in AGREEING[:7]:
        assert room.place_of(getattr(before, name)) is not None, name
    assert room.place_of(before.price) is not None
    assert set(os.listdir(short.folder.path)) == there
    monkeypatch.undo()
    _assert_equal(read_run(short.folder), before)


def test_a_folder_that_cannot_be_written_has_its_room_elsewhere(
    short: Ran, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(wide_columns, "LEAST_BYTES", 0)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    for writable, where in ((True, short.folder.path), (False, tmp_path)):
        monkeypatch.setattr(os, "access", lambda *_, said=writable: said)
        room = room_of(short.folder)
        array = room.empty((3,))
        place = room.place_of(array)
        assert place is not None
        assert os.readlink(f"/proc/self/fd/{place[0]}").startswith(str(where))


def test_codes_are_counted_in_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: I64 = np.random.default_rng(1).integers(0, 4, size=(50, 3))
    monkeypatch.setattr(timegrid, "SPAN_SYMBOL_BARS", 7)
    assert counted_codes(codes) == Counter(c for c in codes.ravel().tolist() if c)


def _told(ran: Ran) -> str:
    reported = report_run(ran.folder)
    summary = {**reported.summary, "trials": None}
    return json.dumps([summary, asdict(reported.sheet)], default=_plain)


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _assert_equal(a: RunData, b: RunData) -> None:
    for name in AGREEING:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), name)
    for field in fields(a.bars):
        np.testing.assert_array_equal(getattr(a.bars, field.name), getattr(b.bars, field.name))


@pytest.mark.usefixtures("full_disk")
def test_a_disk_too_full_for_a_report_says_that_the_run_is_whole(short: Ran) -> None:
    with pytest.raises(
        JournalError, match="free disk space, then make the report with 'bot report'"
    ):
        room_of(short.folder).empty(10**7)
