"""The log: JSON lines with a schema, readable lines on the terminal, files that are set aside."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from bot import log as log_module
from bot.errors import InvariantError, JournalError
from bot.log import EVENTS, LOG_SCHEMA, RotatingFile, open_log, rotated


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_an_event_is_a_line_of_json_and_a_line_to_read(tmp_path: Path) -> None:
    terminal = io.StringIO()
    with open_log(tmp_path / "log.jsonl", "info", terminal) as log:
        log.info("model_activated", model_id="abc", effective_from=5)
    (line,) = lines(tmp_path / "log.jsonl")
    assert line["event"] == "model_activated"
    assert (line["model_id"], line["effective_from"], line["level"]) == ("abc", 5, "info")
    assert line["schema"] == LOG_SCHEMA
    assert str(line["timestamp"]).endswith("Z")
    assert "model_activated" in terminal.getvalue()
    assert "schema" not in terminal.getvalue()


def test_what_is_below_the_level_is_not_written(tmp_path: Path) -> None:
    with open_log(tmp_path / "log.jsonl", "warning") as log:
        log.info("model_activated", model_id="abc", effective_from=5)
        log.warning("run_interrupted", bars=1, last_bar=2)
    assert [line["event"] for line in lines(tmp_path / "log.jsonl")] == ["run_interrupted"]


def test_an_event_that_is_not_in_the_schema_is_refused() -> None:
    with open_log(None) as log:
        with pytest.raises(InvariantError, match="'surprise' is not in the schema"):
            log.info("surprise")
        with pytest.raises(InvariantError, match=r"'model_activated' lacks \['model_id'\]"):
            log.info("model_activated", effective_from=5)


def test_every_event_of_the_schema_is_logged_somewhere() -> None:
    bot = Path(log_module.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in bot.rglob("*.py"))
    assert [name for name in EVENTS if text.count(f'"{name}"') < 2] == []


def test_a_log_goes_on_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"event": "to')
    with open_log(path) as log:
        log.info("model_activated", model_id="abc", effective_from=5)
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[1])["model_id"] == "abc"


def test_a_full_file_is_set_aside_and_the_oldest_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    file = RotatingFile(path, max_bytes=25, keep=2)
    for number in range(10):
        file.write(f"line {number} of it")
    file.close()
    kept = [rotated(path, k).read_text(encoding="utf-8").split("\n")[0] for k in range(3)]
    assert kept == ["line 9 of it", "line 8 of it", "line 7 of it"]
    assert not rotated(path, 3).exists()


def test_a_disk_without_room_is_a_journal_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("1 test: this system has no /dev/full")
    file = RotatingFile(full, max_bytes=1000, keep=1)
    with pytest.raises(JournalError, match=r"/dev/full: the log cannot be written"):
        file.write("x")
    file.close()


def test_what_is_not_a_number_is_null(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    nan, endless = float("nan"), float("inf")
    with open_log(path) as log:
        log.info("funding", bar=1, paid=nan, more={"a": [1.5, endless], "b": (nan,)})

    def refuse(name: str) -> None:
        raise ValueError(name)

    line = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert line["paid"] is None
    assert line["more"] == {"a": [1.5, None], "b": [None]}


def test_the_log_goes_on_when_nobody_reads_the_terminal_any_more(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    terminal = os.fdopen(writer, "w", buffering=1)
    with open_log(tmp_path / "log.jsonl", "info", terminal) as log:
        log.info("model_activated", model_id="a", effective_from=1)
        os.close(reader)
        for n in range(3):
            log.info("model_activated", model_id="b", effective_from=n)
    terminal.close()  # what it still held would fail here, as when Python ends
    assert [line["model_id"] for line in lines(tmp_path / "log.jsonl")] == ["a", "b", "b", "b"]


def test_a_log_that_cannot_be_opened_is_a_journal_error(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").mkdir()
    with (
        pytest.raises(JournalError, match=r"log\.jsonl: the log cannot be written"),
        open_log(tmp_path / "log.jsonl"),
    ):
        pass
