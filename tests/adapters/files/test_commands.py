"""Commands in a run's folder: whole or not there, read once, and whatever else lies there is refused."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.files.commands import (
    FOLDER,
    STOP_FILE,
    Asked,
    ask,
    new_id,
    read,
    remove,
    stopped_by_file,
    user_name,
    waiting,
)
from bot.errors import BotError, DataError, JournalError

AT_MS = 1_700_000_000_123


def asked(at_ms: int = AT_MS, **changed: Any) -> Asked:
    one = Asked(new_id(at_ms), "pause", {}, "ann", at_ms)
    return replace(one, **changed)


def test_what_is_asked_is_read_back_and_gone_when_removed(tmp_path: Path) -> None:
    one = asked(settings={"risk.max_gross": 1.0, "retrain.cron": "0 0 * * sun"})
    path = ask(tmp_path, one)
    assert path == tmp_path / FOLDER / f"{one.id}.json"
    assert os.listdir(tmp_path / FOLDER) == [path.name]
    assert waiting(tmp_path) == [one.id]
    assert read(tmp_path, one.id) == one
    remove(tmp_path, one.id)
    remove(tmp_path, one.id)
    assert waiting(tmp_path) == []
    assert read(tmp_path, one.id) is None


def test_ids_sort_by_time_differ_and_are_names_on_any_system() -> None:
    ids = [new_id(AT_MS + k) for k in (0, 1, 1000, 10**9)]
    assert ids == sorted(ids)
    assert len({new_id(AT_MS) for _ in range(50)}) == 50
    assert all(c.isalnum() or c == "-" for c in "".join(ids))


def test_two_that_are_asked_at_once_both_wait_in_order(tmp_path: Path) -> None:
    later, earlier = asked(AT_MS + 5), asked(AT_MS)
    ask(tmp_path, later)
    ask(tmp_path, earlier)
    assert waiting(tmp_path) == [earlier.id, later.id]


def test_what_is_half_written_or_of_another_name_does_not_wait(tmp_path: Path) -> None:
    assert waiting(tmp_path) == []
    folder = tmp_path / FOLDER
    folder.mkdir()
    name = new_id(AT_MS)
    for other in (
        f".{name}.part-x.json",
        "note.txt",
        "pause.json",
        f"{name}.txt",
        f"{name}.json.json",
    ):
        (folder / other).write_text("{}")
    (folder / os.fsdecode(b"\xff.json")).write_text("{}")
    assert waiting(tmp_path) == []


def whole(command_id: str) -> dict[str, Any]:
    return {
        "id": command_id, "kind": "pause", "settings": {}, "asked_by": "ann", "asked_ms": AT_MS,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"asked_ms": "now"}, "asked_ms is"),
        ({"asked_ms": True}, "asked_ms is"),
        ({"asked_ms": -1}, "asked_ms is -1"),
        ({"asked_ms": 10**30}, "asked_ms is"),
        ({"settings": []}, "settings is"),
        ({"kind": "pa\x00use"}, "kind is"),
        ({"asked_by": "\ud800"}, "asked_by is"),
        ({"asked_by": "x" * 300}, "asked_by is"),
        ({"id": "20231114T221320123Z-00000000"}, "its id is"),
        ({"more": 1}, "expected a JSON object with id, kind"),
    ],
)
def test_a_damaged_command_is_refused_with_the_reason(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    one = asked()
    path = ask(tmp_path, one)
    path.write_text(json.dumps(whole(one.id) | change))
    with pytest.raises(DataError, match=told):
        read(tmp_path, one.id)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b"7", b"[" * 90_000, b'{"id": 1e999}']
)
def test_what_is_no_command_is_refused(tmp_path: Path, content: bytes) -> None:
    path = ask(tmp_path, one := asked())
    path.write_bytes(content)
    with pytest.raises(DataError):
        read(tmp_path, one.id)


def test_a_pipe_a_folder_or_a_link_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    path = ask(tmp_path, one := asked())
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="it is no file"):
        read(tmp_path, one.id)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="it is no file"):
        read(tmp_path, one.id)
    path.rmdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="it is no file"):
        read(tmp_path, one.id)
    assert waiting(tmp_path) == [one.id]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=80), at=st.integers(0, 200))
def test_no_changed_bytes_end_the_reader(tmp_path: Path, content: bytes, at: int) -> None:
    one = asked()
    path = ask(tmp_path, one)
    text = json.dumps(whole(one.id)).encode()
    path.write_bytes(text[:at] + content + text[at:])
    try:
        found = read(tmp_path, one.id)
    except DataError as error:
        str(error).encode("utf-8")
    else:
        assert found is not None
        assert found.id == one.id


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.write_text("no folder")
    with pytest.raises(BotError, match="run"):
        ask(run, asked())
    other = tmp_path / "other"
    other.mkdir()
    (other / FOLDER).symlink_to(tmp_path)
    with pytest.raises(DataError, match="is a link"):
        ask(other, asked())


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_asks_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(JournalError, match=r"cannot be written.*so nothing was asked"):
            ask(tmp_path, asked())
    finally:
        tmp_path.chmod(0o755)


def test_a_disk_that_takes_nothing_asks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(JournalError, match=r"Read-only file system\), so nothing was asked"):
        ask(tmp_path, asked())
    assert waiting(tmp_path) == []


def test_the_kill_switch_is_anything_of_its_name(tmp_path: Path) -> None:
    assert not stopped_by_file(tmp_path)
    path = tmp_path / STOP_FILE
    path.symlink_to("nowhere")
    assert stopped_by_file(tmp_path)
    path.unlink()
    path.mkdir()
    assert stopped_by_file(tmp_path)


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("no such uid")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert user_name() == f"user {os.getuid()}"
