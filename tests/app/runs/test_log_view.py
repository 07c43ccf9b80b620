"""bot logs: which events pass, in which order, and how they look."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.app.runs.folder import RunFolder
from bot.app.runs.log_reading import POLL_S, follow_lines, log_lines, log_parts
from bot.app.runs.log_view import LogFilter, event_text, log_filter, parse_event, show_log
from bot.errors import ConfigError, JournalError
from bot.log import RotatingFile, rotated

if TYPE_CHECKING:
    from tests.conftest import Cli

NOW_MS = 1_704_067_200_000
"""2024-01-01 00:00 UTC."""


def line(event: str, level: str = "info", minute: int = 0, **given: Any) -> str:
    fields = {"event": event, "schema": 1, "level": level}
    return json.dumps(given | fields | {"timestamp": f"2023-12-31T23:{minute:02d}:00.5Z"})


LINES = [
    line("run_started", minute=1, mode="live"),
    line("decision", minute=10, symbol="BTCUSDT", bar=NOW_MS, signal=0.5, order=-1.25),
    line("decision", minute=10, symbol="ETHUSDT", bar=NOW_MS, refusal=None),
    "{ torn",
    line("disconnected", "warning", 40, reason="gone away", symbols=2),
    line("error", "error", 50, kind="ExchangeError", message="no answer"),
]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    (tmp_path / "log.jsonl").write_text("\n".join(LINES) + "\n")
    (tmp_path / "journal.db").touch()
    return RunFolder(tmp_path)


def shown(run: RunFolder, wanted: LogFilter) -> list[str]:
    out = io.StringIO()
    assert show_log(run, wanted, out, follow=False, as_json=True) == 1
    return out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("asked", "passing"),
    [
        ({}, [0, 1, 2, 4, 5]),
        ({"events": ["decision", "error"]}, [1, 2, 5]),
        ({"symbol": "ETHUSDT"}, [2]),
        ({"level": "warning"}, [4, 5]),
        ({"level": "error"}, [5]),
        ({"since": "30m"}, [4, 5]),
        ({"since": "2h"}, [0, 1, 2, 4, 5]),
        ({"since": "2023-12-31T23:10:30"}, [4, 5]),
        ({"since": "2024-01-01"}, []),
        ({"events": ["decision"], "symbol": "BTCUSDT", "since": "55m", "level": "info"}, [1]),
    ],
)
def test_filters_let_whole_lines_through(
    run: RunFolder, asked: dict[str, Any], passing: list[int]
) -> None:
    wanted = log_filter(
        asked.get("events", []), asked.get("symbol"), asked.get("since"),
        asked.get("level", "debug"), NOW_MS,
    )  # fmt: skip
    assert shown(run, wanted) == [LINES[k] for k in passing]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (([], None, None, "loud"), "--level loud: expected one of debug, info, warning, error"),
        ((["decisoin"], None, None, "info"), "did you mean 'decision'"),
        ((["xyzzy"], None, None, "info"), "there are run_started"),
        (([], None, "yesterday", "info"), "--since = 'yesterday'"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    asked: tuple[list[str], None, str | None, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        log_filter(*asked, NOW_MS)


def test_an_event_is_a_line_of_columns() -> None:
    event = parse_event(LINES[1])
    assert event is not None
    text = event_text(event | {"extra": [1, 2.5], "forecast": {"return_5": 1234.5678}})
    assert text.plain.startswith("2023-12-31 23:10:00 info    decision")
    assert "bar=2024-01-01T00:00" in text.plain
    assert "signal=0.5 order=-1.25" in text.plain
    assert text.plain.index("forecast={return_5:1234.57}") < text.plain.index("extra=[1 2.5]")
    event = parse_event(line("model_activated", "warning", late=True, reason="two words", x=None))
    assert event is not None
    assert 'late=yes reason="two words" x=–' in event_text(event).plain


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", "{}", line("error", "loud"), '{"level": "info", "event": 1}',
             line("error").replace("2023", "nope")]
)  # fmt: skip
def test_what_is_no_event_is_none(text: str) -> None:
    assert parse_event(text) is None


def test_parts_are_read_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with pytest.raises(JournalError, match="there is no log"):
        list(log_lines(path))
    with pytest.raises(JournalError, match="there is no log"):
        next(follow_lines(path, lambda _: None))
    file = RotatingFile(path, 40, 12)
    lines = [f"line {k:03d} of many" for k in range(24)]
    for each in lines:
        file.write(each)
    file.close()
    (tmp_path / "log.jsonl.bak").write_text("not a part\n")
    assert log_parts(path) == [rotated(path, n) for n in range(11, -1, -1)]
    assert list(log_lines(path)) == lines


class Writer:
    """What happens to a log while it is followed: each wait does the next thing."""

    def __init__(self, *acts: Callable[[], object]) -> None:
        self._acts = list(acts)

    def __call__(self, seconds: float) -> None:
        assert seconds == POLL_S
        if not self._acts:
            raise KeyboardInterrupt
        self._acts.pop(0)()


def followed(path: Path, *acts: Callable[[], object]) -> list[str]:
    found: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        found.extend(follow_lines(path, Writer(*acts)))
    return found


def append(path: Path, text: str) -> Callable[[], object]:
    def act() -> None:
        with path.open("a") as file:
            file.write(text)

    return act


def test_following_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("one\ntw")
    assert followed(path, lambda: None, append(path, "o\nthr"), append(path, "ee\n")) == [
        "one", "two", "three",
    ]  # fmt: skip


def test_following_survives_files_that_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    file = RotatingFile(path, 30, 4)
    for k in range(7):
        file.write(f"line {k:05d}")

    def many(first: int, last: int) -> Callable[[], object]:
        def act() -> None:
            for k in range(first, last):
                file.write(f"line {k:05d}")

        return act

    found = followed(path, many(7, 8), many(8, 9), many(9, 14), lambda: None, many(14, 15))
    file.close()
    assert found == [f"line {k:05d}" for k in range(15)]


def test_following_goes_on_where_the_open_file_was_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    file = RotatingFile(path, 25, 2)
    file.write("line 00000")

    def many() -> None:
        for k in range(1, 21):
            file.write(f"line {k:05d}")

    found = followed(path, many)
    file.close()
    assert found == [f"line {k:05d}" for k in (0, 1, *range(16, 21))]


def test_ctrl_c_ends_following_quietly(run: RunFolder) -> None:
    out = io.StringIO()
    new = line("connected", minute=59, session=1, symbols=3)
    act = append(run.log, new + "\n")
    wanted = LogFilter(frozenset({"connected"}))
    assert show_log(run, wanted, out, follow=True, as_json=False, wait=Writer(act)) == 1
    assert "connected            session=1 symbols=3" in out.getvalue()


def test_the_command_prints_columns_or_lines(cli: Cli, run: RunFolder) -> None:
    said = cli("logs", run.path, "--level", "warning")
    assert said.code == 0
    assert [each.split()[3] for each in said.out.splitlines()] == ["disconnected", "error"]
    assert 'reason="gone away"' in said.out
    assert "1 line(s) of the log are no events" in said.err
    said = cli("logs", run.path, "--json", "--symbol", "BTCUSDT", "--event", "decision")
    assert said.out == LINES[1] + "\n"
    said = cli("logs", run.path, "--event", "decison")
    assert said.code == 2
    assert "did you mean 'decision'" in said.err
