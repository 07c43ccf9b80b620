"""The log read on from a cursor: every event once, however the file is set aside meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.app.messages.log_news import KINDS, LogCursor, end_of_log, log_news
from bot.log import EVENTS, RotatingFile


def line(number: int, name: str = "training_failed") -> str:
    at = f"2026-11-27T12:{number // 60:02}:{number % 60:02}.000000Z"
    return json.dumps({"event": name, "level": "warning", "timestamp": at, "schema": 1, "due": 0,
                       "failures": number, "reason": "r"})  # fmt: skip


def numbers(texts: list[str]) -> list[int]:
    return [int(text.split("(")[1].split(" ")[0]) for text in texts]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=12), st.integers(200, 3_000))
def test_each_event_is_told_once(
    tmp_path_factory: pytest.TempPathFactory, bursts: list[int], max_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    file, cursor, told, written = RotatingFile(path, max_bytes, keep=100), LogCursor(), [], 0
    for burst in bursts:
        for _ in range(burst):
            file.write(line(written))
            file.write(line(written, "decision"))
            written += 1
        news = log_news("a", path, cursor)
        told += [message.text for message in news.messages]
        cursor = news.cursor
    file.close()
    assert numbers(told) == list(range(written))
    assert log_news("a", path, cursor).messages == []


def test_another_log_that_got_the_same_number_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{line(k)}\n" for k in range(20)))
    for cursor in (end_of_log(path), log_news("a", path, LogCursor()).cursor):
        path.write_text(f"{line(70)}\n")  # of a new run in a folder of the same name
        news = log_news("a", path, cursor)
        assert numbers([message.text for message in news.messages]) == [70]
        assert log_news("a", path, news.cursor).messages == []
        path.write_text("".join(f"{line(k)}\n" for k in range(20)))


def test_where_the_file_is_gone_nothing_older_is_told_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(f"{line(1)}\n{line(2)}\n")
    cursor = log_news("a", path, LogCursor()).cursor
    copy = path.read_text()
    path.unlink()
    (tmp_path / "other").write_text("keeps the number of the file from being given again")
    path.write_text(f"{copy}{line(3)}\n")
    cursor = LogCursor(cursor.file + 10**9, cursor.place, cursor.time_ms)
    assert numbers([m.text for m in log_news("a", path, cursor).messages])[-1] == 3
    assert 1 not in numbers([m.text for m in log_news("a", path, cursor).messages])


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(f"{line(1)}\n{line(2)[:40]}")
    news = log_news("a", path, LogCursor())
    assert numbers([m.text for m in news.messages]) == [1]
    path.write_text(f"{line(1)}\n{line(2)}\n")
    assert numbers([m.text for m in log_news("a", path, news.cursor).messages]) == [2]


def test_a_log_is_read_from_its_end_on_at_first(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert end_of_log(path) == LogCursor()
    path.write_text(f"{line(1)}\n")
    cursor = end_of_log(path)
    with path.open("a") as file:
        file.write(f"{line(2)}\nno json\n")
    assert numbers([m.text for m in log_news("a", path, cursor).messages]) == [2]


def test_the_events_that_are_told_are_in_the_schema() -> None:
    assert KINDS.keys() <= EVENTS.keys()


def test_a_halt_that_is_lifted_is_not_urgent(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    halted = {"event": "risk", "level": "warning", "timestamp": "2026-11-27T12:00:00Z", "bar": 0,
              "halt": "day", "stage": "none", "cooling_bars": 0, "equity": 1.0}  # fmt: skip
    lifted = halted | {"halt": "none", "timestamp": "2026-11-27T13:00:00Z"}
    path.write_text("".join(f"{json.dumps(each)}\n" for each in (halted, lifted)))
    on, off = log_news("a", path, LogCursor()).messages
    assert (on.urgent, off.urgent) == (True, False)
    assert "nothing is held until the next UTC day" in on.text
    assert "trading as usual again" in off.text
