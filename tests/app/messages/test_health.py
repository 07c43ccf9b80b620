"""A daemon that is gone or hangs, a feed that is lost, a disk that fills: told once, and when it ends."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from bot.adapters.system.run_lock import RunLock
from bot.app.messages.health import Health, look
from bot.config.notify import Notify

NOON = 1_795_780_800_000
SETTINGS = Notify(disk_low_mb=1000.0, feed_lost_s=120.0)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    free = {"mb": 5_000.0}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free["mb"] * 1e6))
    return free


def beat(folder: Path, at: int, connection: str = "connected") -> None:
    content = {"pid": 1, "time_ms": at, "exchange_ms": at, "connection": connection, "last_bar": 0,
               "lag_ms": 1.0, "next_training_ms": None, "training": "idle", "version": "1"}  # fmt: skip
    (folder / "status.json").write_text(json.dumps(content))


def seen(folder: Path, known: Health, at: int) -> tuple[list[str], Health]:
    messages, after = look("a", folder, known, SETTINGS, at)
    return [f"{m.kind}{'' if m.urgent else ' calm'}: {m.text}" for m in messages], after


def test_a_daemon_that_is_gone_without_a_word(tmp_path: Path) -> None:
    beat(tmp_path, NOON)
    told, known = seen(tmp_path, Health(stopped=False), NOON + 1_000)
    assert told == []  # a supervisor may start it again within seconds
    told, known = seen(tmp_path, known, NOON + 20_000)
    assert told == [
        "crash: the daemon is gone and did not say why (killed, or out of memory); its last sign of life was "
        "at 2026-11-27 12:00 UTC"
    ]
    assert not known.well
    assert seen(tmp_path, known, NOON + 90_000)[0] == []
    with RunLock(tmp_path):
        beat(tmp_path, NOON + 100_000)
        assert seen(tmp_path, known, NOON + 100_000)[1].well
    assert seen(tmp_path, Health(stopped=True), NOON + 200_000) == ([], Health(stopped=True))


def test_a_daemon_that_hangs(tmp_path: Path) -> None:
    beat(tmp_path, NOON)
    with RunLock(tmp_path):
        told, known = seen(tmp_path, Health(stopped=False), NOON + 180_000)
        assert told == ["crash: the daemon lives, and has given no sign for 3 min"]
        assert (seen(tmp_path, known, NOON + 240_000)[0], known.well) == ([], False)
        beat(tmp_path, NOON + 250_000)
        told, again = seen(tmp_path, known, NOON + 250_000)
        assert (told, again.well) == (["crash calm: the daemon gives signs of life again"], True)
        assert seen(tmp_path, again, NOON + 260_000)[0] == []
    # one that hung and was killed is gone: that is no sign of life
    assert seen(tmp_path, known, NOON + 250_000)[0] == []


def test_a_feed_that_is_found_by_another_process_than_it_was_lost_by(tmp_path: Path) -> None:
    beat(tmp_path, NOON, "disconnected")
    with RunLock(tmp_path):
        _, known = seen(tmp_path, Health(stopped=False), NOON + 10_000)
        told, known = seen(tmp_path, known, NOON + 130_000)
        assert told == [
            "feed calm: the exchange is not heard since 2026-11-27 12:00 UTC (disconnected)"
        ]
    _, known = seen(tmp_path, known, NOON + 140_000)  # killed
    with RunLock(tmp_path):
        beat(tmp_path, NOON + 150_000)
        told, known = seen(tmp_path, known, NOON + 150_000)
    assert told == ["feed calm: the exchange is heard again, after 2 min 30 s"]


def test_a_feed_that_is_lost_and_found_and_one_that_only_blinks(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        beat(tmp_path, NOON, "disconnected")
        told, known = seen(tmp_path, Health(stopped=False), NOON + 60_000)
        assert told == []
        beat(tmp_path, NOON + 70_000)
        told, known = seen(tmp_path, known, NOON + 70_000)
        assert told == []
        beat(tmp_path, NOON + 80_000, "unreachable")
        told, known = seen(tmp_path, known, NOON + 80_000)
        told, known = seen(tmp_path, known, NOON + 200_000)
        assert told == [
            "feed calm: the exchange is not heard since 2026-11-27 12:01 UTC (unreachable)"
        ]
        assert seen(tmp_path, known, NOON + 230_000)[0] == []
        beat(tmp_path, NOON + 240_000, "connected, 1 of 5 symbols not heard")
        told, known = seen(tmp_path, known, NOON + 240_000)
        assert told == ["feed calm: the exchange is heard again, after 2 min 40 s"]


def test_a_disk_that_fills_up(tmp_path: Path, room: dict[str, float]) -> None:
    room["mb"] = 900.0
    told, known = seen(tmp_path, Health(), NOON)
    assert told == ["disk: the disk is filling up: 900 MB are free"]
    room["mb"] = 1_100.0  # not yet room enough to say so
    told, known = seen(tmp_path, known, NOON)
    assert told == []
    room["mb"] = 1_300.0
    assert seen(tmp_path, known, NOON)[0] == ["disk calm: the disk has room again: 1,300 MB"]


def test_a_damaged_heartbeat_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{")
    assert seen(tmp_path, Health(), NOON)[0] == []
