"""What a person asks from the page goes the way of `bot pause`: confirmed, once, and through the folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bot.portfolio.hand import Command
from bot.serve.api.commands import LIFETIME_S, Confirmations
from bot.serve.problems import Problem
from tests.conftest import Cli
from tests.serve.conftest import Served

OLD = Path(__file__).parents[1] / "fixtures" / "runs" / "v3" / "live"
RUN = "/api/v1/runs/asked"


@pytest.fixture
def asked(served: Served, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The run of a daemon that is not there, so that what is asked stays asked."""
    folder = served.runs_dir / "asked"
    shutil.copytree(OLD, folder)
    yield folder
    shutil.rmtree(folder)


def waiting(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("commands/*.json"))]


def confirmation(served: Served, **wanted: Any) -> str:
    answer = served.owner().post(f"{RUN}/confirmations", json=wanted)
    assert answer.status_code == 200, answer.text
    assert answer.json()["says"].startswith("asked: it is not running; at its next start, ")
    code: str = answer.json()["confirm"]
    return code


@pytest.mark.parametrize("kind", ["pause", "resume", "flatten"])
def test_a_command_is_asked_once_it_is_confirmed(served: Served, asked: Path, kind: str) -> None:
    code = confirmation(served, kind=kind)
    assert waiting(asked) == []
    answer = served.owner().post(f"{RUN}/commands", json={"kind": kind, "confirm": code})
    assert (answer.status_code, answer.json()["outcome"]) == (202, "waiting")
    assert "not running" in answer.json()["says"]
    assert str(served.runs_dir.parent) not in answer.text
    (command,) = waiting(asked)
    assert command["kind"] == kind
    assert command["id"] == answer.json()["id"]
    again = served.owner().post(f"{RUN}/commands", json={"kind": kind, "confirm": code})
    assert again.status_code == 409
    assert len(waiting(asked)) == 1


def test_settings_are_those_of_bot_set(served: Served, asked: Path) -> None:
    changes = ["risk.max_gross=1.5"]
    code = confirmation(served, kind="set", changes=changes)
    told = {"kind": "set", "changes": changes, "confirm": code}
    assert served.owner().post(f"{RUN}/commands", json=told).status_code == 202
    (command,) = waiting(asked)
    assert command["settings"] == {"risk.max_gross": 1.5}


@pytest.mark.parametrize(
    "changes", [["risk.max_gross=x"], ["risk.nothing=1"], ["model.hidden=[1]"]]
)
def test_settings_that_cannot_hold_are_confirmed_by_nobody_in_the_commands_words(
    cli: Cli, served: Served, asked: Path, changes: list[str]
) -> None:
    answer = served.owner().post(f"{RUN}/confirmations", json={"kind": "set", "changes": changes})
    assert answer.status_code == 422
    assert "confirm" not in answer.json()
    told = cli("set", asked, *changes, "--wait", "0")
    assert told.code == 2
    for line in answer.json()["detail"].splitlines():
        assert line in told.err
    assert changes[0].partition("=")[0] in answer.json()["detail"]
    assert waiting(asked) == []


def test_what_came_in_between_is_refused_by_the_command(served: Served, asked: Path) -> None:
    code = confirmation(served, kind="resume")
    (asked / "STOP_TRADING").touch()
    told = {"kind": "resume", "confirm": code}
    assert served.owner().post(f"{RUN}/commands", json=told).status_code == 422
    again = served.owner().post(f"{RUN}/confirmations", json={"kind": "resume"})
    assert again.status_code == 422
    assert "STOP_TRADING" in again.json()["detail"]
    assert waiting(asked) == []


@pytest.mark.parametrize(
    "other", [{"kind": "flatten"}, {"kind": "set", "changes": ["risk.max_gross=2"]}, {"kind": "pause", "confirm": "guessed-it"}]
)  # fmt: skip
def test_a_confirmation_is_for_just_what_it_was_given_for(
    served: Served, asked: Path, other: dict[str, Any]
) -> None:
    code = confirmation(served, kind="pause")
    answer = served.owner().post(f"{RUN}/commands", json={"confirm": code, **other})
    assert answer.status_code == 409
    assert waiting(asked) == []


def test_a_confirmation_of_another_run_and_an_old_one_are_none() -> None:
    now = [0.0]
    confirmations = Confirmations(lambda: now[0])
    code = confirmations.new("one", Command.PAUSE, [])
    with pytest.raises(Problem):
        confirmations.spend(code, "two", Command.PAUSE, [])
    code = confirmations.new("one", Command.PAUSE, [])
    now[0] = LIFETIME_S
    with pytest.raises(Problem):
        confirmations.spend(code, "one", Command.PAUSE, [])


@pytest.mark.parametrize(
    "body",
    [{"kind": "instruments"}, {"kind": "sell"}, {"kind": "set"}, {"kind": "pause", "changes": ["a.b=1"]}, {"kind": "set", "changes": ["no"]},
     {"kind": "pause", "more": 1}, [], "pause", None],
)  # fmt: skip
def test_what_is_no_command_is_refused(served: Served, asked: Path, body: Any) -> None:
    answer = served.owner().post(f"{RUN}/confirmations", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_backtest_takes_no_command(served: Served) -> None:
    answer = served.owner().post("/api/v1/runs/short/confirmations", json={"kind": "pause"})
    assert answer.status_code == 409
    assert "nobody would take the command" in answer.json()["detail"]
    code = served.site.confirmations.new("short", Command.PAUSE, [])
    told = {"kind": "pause", "confirm": code}
    answer = served.owner().post("/api/v1/runs/short/commands", json=told)
    assert answer.status_code == 409
    assert "nobody would take the command" in answer.json()["detail"]
