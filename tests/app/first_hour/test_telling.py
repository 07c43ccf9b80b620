"""What the demonstration shows while the run says nothing."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

from rich.console import Console

from bot.app.first_hour.telling import DOING, Telling
from bot.log import EVENTS


def event(name: str, **more: object) -> str:
    return json.dumps({"event": name, "level": "info", "timestamp": "2026-11-27T12:00:00Z", "schema": 1} | more) + "\n"  # fmt: skip


def test_what_is_under_way_follows_the_log(tmp_path: Path) -> None:
    screen = io.StringIO()
    told = Telling(Console(file=screen, force_terminal=True, width=100), tmp_path)
    log = tmp_path / "log.jsonl"
    with told.while_it_does("compiling (about a minute)"):
        told.still()
        log.write_text(event("training_started", due=1_700_000_000_000))
        told.read()
        told.still()
        assert told.doing == DOING["training_started"]
    shown = screen.getvalue()
    assert re.search(r"compiling \(about a minute\), \d+ s", shown)
    assert re.search(r"training a model \(some seconds\), \d+ s", shown)
    assert "training of 2023-11-14 22:13 begun" in shown


def test_a_file_gets_the_log_alone(tmp_path: Path) -> None:
    file = io.StringIO()
    told = Telling(Console(file=file), tmp_path)
    with told.while_it_does("compiling"):
        told.still()
    assert "compiling" not in file.getvalue()


def test_every_event_that_says_what_is_under_way_is_one() -> None:
    assert set(EVENTS) >= DOING.keys()
