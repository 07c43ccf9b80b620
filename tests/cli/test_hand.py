"""bot pause, resume, flatten, set: what is refused, what is asked, and how the answer is told."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.adapters.files import commands as files
from bot.adapters.files.commands import FOLDER, STOP_FILE
from bot.adapters.journal.forms import open_journal
from bot.adapters.system.run_lock import RunLock
from bot.app.runs.folder import RunFolder, config_of
from bot.practice.synthetic import START_MS
from bot.timegrid import HOUR_MS
from scripts.soaking.rehearsal import PoolHere, Rehearsal

if TYPE_CHECKING:
    from tests.conftest import Cli, Ran


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = Rehearsal.make(
        tmp_path_factory.mktemp("hand") / "run", "retrain.every_bars=12", "data.history_bars=60",
        "training.min_rows=50",
    )  # fmt: skip
    run.run(4, pool=PoolHere(seconds=0.0))
    return run.folder


@pytest.fixture
def run(lived: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(lived.path, tmp_path / "run")))


@pytest.mark.parametrize("command", ["pause", "flatten", "resume"])
def test_a_run_that_does_not_run_takes_it_at_its_next_start(
    cli: Cli, run: RunFolder, command: str
) -> None:
    said = cli(command, run.path)
    assert said.code == 0, said.err
    [name] = files.waiting(run.path)
    assert f"{command} {run.path}: the run is not running" in said.out
    assert f"{FOLDER}/{name}.json" in said.out
    asked = files.read(run.path, name)
    assert asked is not None
    assert (asked.kind, dict(asked.settings)) == (command, {})
    assert asked.asked_by
    assert cli("status", run.path, "--json").json["asked"] == 1


def test_settings_are_checked_and_written_as_they_are_meant(cli: Cli, run: RunFolder) -> None:
    said = cli("set", run.path, "risk.max_gross=1", "retrain.cron=0 0 * * sun", "--json")
    assert said.code == 0, said.err
    assert said.json["answer"] == "not running"
    [warning] = said.json["warnings"]
    assert warning == "retrain.cron is read with retrain.trigger = 'cron' only"
    assert said.err == f"warning: {warning}\n"
    assert said.json["settings"] == {"risk.max_gross": 1.0, "retrain.cron": "0 0 * * sun"}
    asked = files.read(run.path, said.json["id"])
    assert asked is not None
    assert asked.settings == said.json["settings"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("risk.max_gros=1", "did you mean risk.max_gross or"),
        ("max_gross=1", "did you mean risk.max_gross?"),
        ("risk.max_gross=-3", "risk.max_gross = -3"),
        ("risk.max_gross=a lot", "expected a finite number [>= 0, <= 100]"),
        ("market.interval=1m", "market.interval cannot change during a run"),
        ("log.level=debug", "start it again with --set log.level=VALUE"),
        ("retrain.cron=0 0", "expected five fields"),
        ("pause", "expected section.key=value"),
    ],
)
def test_what_cannot_hold_is_refused_before_anything_is_asked(
    cli: Cli, run: RunFolder, change: str, told: str
) -> None:
    said = cli("set", run.path, change, "retrain.trigger=cron")
    assert said.code == 2
    assert told in said.err
    assert said.err.startswith("error: ")
    assert said.out == ""
    assert files.waiting(run.path) == []


def test_a_backtest_is_over_and_takes_nothing(cli: Cli, short: Ran) -> None:
    for command in (["pause"], ["set", "risk.max_gross=1"]):
        said = cli(command[0], short.folder.path, *command[1:])
        assert said.code == 5
        assert "is the run of a backtest, which is over" in said.err
    assert not (short.folder.path / FOLDER).exists()


def test_nothing_resumes_while_the_kill_switch_is_there(cli: Cli, run: RunFolder) -> None:
    (run.path / STOP_FILE).touch()
    said = cli("resume", run.path)
    assert said.code == 2
    assert f"{STOP_FILE} is there, and while it is nothing trades; remove it" in said.err
    assert STOP_FILE in cli("status", run.path).out


def test_a_folder_that_takes_no_file_is_said_to_be_so(cli: Cli, run: RunFolder) -> None:
    (run.path / FOLDER).write_text("in its place")
    said = cli("pause", run.path)
    assert said.code in (3, 5)
    assert FOLDER in said.err


def test_a_daemon_that_does_not_answer_in_time_is_said_to_be_so(cli: Cli, run: RunFolder) -> None:
    with RunLock(run.path):
        said = cli("pause", run.path, "--wait", "0.2")
        assert said.code == 9
        assert "not taken after 0.2 s" in said.err
        assert len(files.waiting(run.path)) == 1
        said = cli("flatten", run.path, "--wait", "0", "--json")
        assert (said.code, said.json["answer"]) == (9, "waiting")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["pause"], "nothing is opened or increased"),
        (["set", "risk.max_gross=0.5"], "risk.max_gross = 0.5"),
    ],
)
def test_the_answer_is_what_the_daemon_has_recorded(
    cli: Cli, run: RunFolder, command: list[str], expected: str
) -> None:
    """The command line asks while a daemon of another thread runs in virtual time."""
    config = config_of(run)
    with RunLock(run.path), ThreadPoolExecutor(1) as threads:
        answer = threads.submit(cli, command[0], run.path, *command[1:], "--wait", "60")
        while not files.waiting(run.path) and not answer.done():
            time.sleep(0.01)
        begin_ms = START_MS + (config.data.history_bars + 8) * HOUR_MS
        Rehearsal(config, run, begin_ms).run(2, pool=PoolHere(seconds=0.0))
        said = answer.result()
    assert said.code == 0, said.err
    assert "taken; from the" in said.out
    assert expected in said.out
    with open_journal(run.journal) as record:
        [row] = record.commands()
    assert row.refused is None
    status = cli("status", run.path, "--json").json
    assert [each["id"] for each in status["commands"]] == [row.id]
    assert json.loads(row.settings) == status["settings"]


def test_the_help_has_an_example_of_each(cli: Cli) -> None:
    for command, example in (("pause", "bot pause runs/live"), ("resume", "bot resume"),
                             ("flatten", "bot flatten runs/live"), ("set", "risk.max_gross=1")):  # fmt: skip
        said = cli(command, "--help")
        assert said.code == 0
        assert example in " ".join(said.out.split())
