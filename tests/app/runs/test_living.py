"""bot status --check: the lock and the heartbeat say whether a daemon lives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.adapters.system.run_lock import RunLock
from bot.app.runs.heartbeat import SHORTEST_SILENCE_MS
from bot.app.runs.living import missing_life
from bot.errors import JournalError

NOW_MS = 1_800_000_000_000


def beat(folder: Path, time_ms: int, **more: int) -> None:
    said = {"pid": 1, "time_ms": time_ms, "exchange_ms": time_ms, "connection": "connected", "last_bar": None,
            "lag_ms": None, "next_training_ms": None, "training": "", "version": "0", **more}  # fmt: skip
    (folder / "status.json").write_text(json.dumps(said), encoding="utf-8")


def test_a_daemon_lives_while_it_holds_its_lock_and_says_so(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        assert missing_life(tmp_path, NOW_MS) is None, "it has only begun"
        beat(tmp_path, NOW_MS - SHORTEST_SILENCE_MS + 1)
        assert missing_life(tmp_path, NOW_MS) is None
        beat(tmp_path, NOW_MS - SHORTEST_SILENCE_MS)
        assert missing_life(tmp_path, NOW_MS) == "the daemon hangs: no sign of life for 3 min"
        beat(tmp_path, NOW_MS + 5_000)
        assert missing_life(tmp_path, NOW_MS) is None, "the clock was set back"


def test_heartbeats_that_are_far_apart_are_waited_for(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        beat(tmp_path, NOW_MS - 3_600_000, every_ms=3_600_000)
        assert missing_life(tmp_path, NOW_MS) is None
        beat(tmp_path, NOW_MS - 7_290_000, every_ms=3_600_000)
        assert missing_life(tmp_path, NOW_MS) == "the daemon hangs: no sign of life for 2 h 1 min"


def test_a_lock_that_nobody_holds_means_that_it_is_gone(tmp_path: Path) -> None:
    assert missing_life(tmp_path, NOW_MS) == "no daemon runs"
    beat(tmp_path, NOW_MS)
    (tmp_path / "run.lock").write_text("1\n")
    assert missing_life(tmp_path, NOW_MS) == "no daemon runs; last alive 2027-01-15 08:00 UTC"


def test_a_damaged_heartbeat_is_told(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{", encoding="utf-8")
    with pytest.raises(JournalError, match="is no heartbeat"):
        missing_life(tmp_path, NOW_MS)
