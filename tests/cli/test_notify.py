"""bot notify on the command line: a test, a crash, who is refused, and that no secret shows anywhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.app.runs.folder import RunFolder
from tests.app.messages.sinks import HttpSink

if TYPE_CHECKING:
    from tests.conftest import Cli, Ran

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
SECRET = "geheimgeheimgeheim"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> HttpSink:
    sink = HttpSink()
    monkeypatch.setenv("PAPERBOT_NOTIFY_WEBHOOK_URL", f"http://127.0.0.1:{sink.port}/hook/{SECRET}")
    monkeypatch.setenv("PAPERBOT_NOTIFY_WEBHOOK_SECRET", SECRET)
    return sink


def test_a_test_says_what_each_address_did(cli: Cli, hook: HttpSink) -> None:
    with hook.up():
        said = cli("notify", "test")
    assert (said.code, said.out) == (0, "")
    assert said.err.rstrip().endswith("webhook: taken")
    assert json.loads(hook.taken[0][2])["title"].endswith(": test")
    assert hook.taken[0][0] == f"/hook/{SECRET}"
    down = cli("notify", "test")
    assert down.code == 4
    assert "webhook: not taken (Connection refused)" in down.err


def test_a_redirect_is_not_followed(cli: Cli, hook: HttpSink) -> None:
    hook.status = 302
    with hook.up():
        said = cli("notify", "test")
    assert (said.code, hook.taken) == (4, [])
    assert "answered with HTTP 302" in said.err


def test_a_crash_names_the_unit(cli: Cli, hook: HttpSink) -> None:
    with hook.up():
        assert cli("notify", "crash", "paper.service").code == 0
    (message,) = json.loads(hook.taken[0][2])["messages"]
    assert message["text"].startswith("paper.service has failed")
    assert json.loads(hook.taken[0][2])["urgent"]


def test_without_an_address_it_says_how_to_give_one(cli: Cli, tmp_path: Path) -> None:
    for words in ([tmp_path], ["test"], ["crash", "x"]):
        said = cli("notify", *words)
        assert said.code == 2
        assert "nobody to tell" in said.err


def test_without_the_extra_it_says_what_to_install(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PAPERBOT_NOTIFY_URLS", f"tgram://{SECRET}/x")
    monkeypatch.setattr("bot.adapters.messages.services.find_spec", lambda _: None)
    said = cli("notify", tmp_path)
    assert said.code == 2
    assert "pip install" in said.err
    assert len(said.err.splitlines()) == 1


def test_status_says_how_each_address_stands(
    cli: Cli, hook: HttpSink, live_folder: RunFolder
) -> None:
    place = live_folder.path.parent
    before = cli("notify", "status", place)
    assert (before.code, f"'bot notify {place}' starts it" in before.err) == (5, True)
    cli("notify", place, "--once")
    event = {"event": "training_failed", "level": "warning", "timestamp": "2030-01-01T00:00:00Z",
             "schema": 1, "due": 0, "failures": 1, "reason": "r"}  # fmt: skip
    with live_folder.log.open("a") as log:
        log.write(json.dumps(event) + "\n")
    hook.status = 410
    with hook.up():
        cli("notify", place, "--once", "--set", "notify.group_s=0")
    said = cli("notify", "status", place)
    assert said.code == 0, said.err
    assert "not taken 1 time in a row (answered with HTTP 410); asked again in 1" in said.out
    (found,) = cli("notify", "status", place, "--json").json["addresses"]
    assert (found["address"], found["failures"], found["refusals"]) == ("webhook", 1, 1)
    assert found["waiting"] >= 1
    assert SECRET not in said.out


def test_what_is_refused(cli: Cli, hook: HttpSink, short: Ran, tmp_path: Path) -> None:
    assert "only 'bot notify crash UNIT'" in cli("notify", tmp_path, "x").err
    said = cli("notify", tmp_path, "--set", "notify.timezone=Europe/Berln")
    assert (said.code, "did you mean Europe/Berlin?" in said.err) == (2, True)
    assert cli("notify", tmp_path, "--set", "notify.quiet=7-9").code == 2
    assert "a backtest's" in cli("notify", short.folder.path).err
    assert cli("notify", "no/such/run").code == 5


@pytest.mark.parametrize("bad", ["tgram://geheimgeheimgeheim", "nonsense://geheimgeheimgeheim/a"])
def test_an_address_that_apprise_does_not_know(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bad: str
) -> None:
    monkeypatch.setenv("PAPERBOT_NOTIFY_URLS", bad)
    said = cli("notify", tmp_path)
    assert said.code == 2
    assert "number 1 is no address that apprise knows" in said.err
    assert SECRET not in said.err


def test_no_secret_is_in_any_file_or_word(live_folder: RunFolder, hook: HttpSink) -> None:
    """As its own process, against a service that refuses and an address that nobody answers."""
    place = live_folder.path.parent
    env = {
        "PATH": "/usr/bin:/bin", "HOME": str(place), "PYTHONPATH": str(Path(__file__).parents[2]),
        "PAPERBOT_NOTIFY_URLS": f"json://user{SECRET}:pw{SECRET}@127.0.0.1:9/{SECRET}",
        "PAPERBOT_NOTIFY_WEBHOOK_URL": f"http://127.0.0.1:{hook.port}/{SECRET}",
        "PAPERBOT_NOTIFY_WEBHOOK_SECRET": SECRET, "PAPERBOT_NOTIFY_PING_URL": f"http://127.0.0.1:9/{SECRET}",
    }  # fmt: skip
    words = [sys.executable, "-m", "bot", "notify", str(place), "--once", "--set", "notify.group_s=0",
             "--set", "notify.disk_low_mb=900000000"]  # fmt: skip
    ran = [
        subprocess.run(words, env=env, capture_output=True, text=True, check=True) for _ in range(2)
    ]
    said = "".join(each.stdout + each.stderr for each in ran)
    assert "not taken" in said
    files = [path for path in place.rglob("*") if path.is_file()]
    assert place / "notify.json" in files
    assert SECRET not in said
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


@pytest.fixture
def live_folder(tmp_path: Path, short: Ran) -> RunFolder:
    """A run that says of itself that it is live."""
    import sqlite3

    folder = RunFolder(Path(shutil.copytree(short.folder.path, tmp_path / "runs" / "alpha")))
    db = sqlite3.connect(folder.journal)
    with db:
        db.execute("UPDATE meta SET value = 'live' WHERE key = 'mode'")
    db.close()
    return folder
