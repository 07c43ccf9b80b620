"""What every command does with a path, an option or a reader that is not what it should be.

The rule: the documented exit code, one clear error on stderr, nothing on stdout even with --json, no
traceback, and nothing made on disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot import __version__

if TYPE_CHECKING:
    from tests.conftest import Cli, Ran

SYNTHETIC = ["--set", "data.source=synthetic", "--set", "synthetic.bars=300"]

NO_RUN = [
    ["report"], ["report", "--json"], ["status"], ["status", "--json"], ["verify"],
    ["verify", "--json"], ["logs"], ["logs", "--json"], ["export", "--symbol", "A"],
]  # fmt: skip
NO_CANDLES = [
    ["backtest", "--json", "--data"], ["exchange", "--port", "0", "--source"],
    ["compare", "--preset", "mtl-vs-single", "--data"], ["discover", "--data"],
]  # fmt: skip
NO_SETTINGS = [
    ["backtest"], ["run"], ["fetch"], ["exchange"], ["compare", "--preset", "weightings"], ["discover"], ["data"],
    ["config", "show", "--json"], ["config", "check", "--json"],
]  # fmt: skip


@pytest.fixture(params=["absent", "file", "empty"])
def wrong(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path at which there is nothing, a text file, or an empty folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "wrong"
    if request.param == "file":
        path.write_text("hello, this is no file of ours\n", encoding="utf-8")
    if request.param == "empty":
        path.mkdir()
    return path


def refused(cli: Cli, code: int, *args: str | Path) -> str:
    before = sorted(Path.cwd().rglob("*"))
    said = cli(*args)
    assert (said.code, said.out) == (code, ""), said.err
    assert said.err.strip().startswith("error: ")
    assert "Traceback" not in said.err
    assert sorted(Path.cwd().rglob("*")) == before
    return said.err


@pytest.mark.parametrize("args", NO_RUN, ids=" ".join)
def test_a_path_that_is_no_run(cli: Cli, wrong: Path, args: list[str]) -> None:
    command, *options = args
    assert f"{wrong}: no run here" in refused(cli, 5, command, wrong, *options)


@pytest.mark.parametrize("args", NO_CANDLES, ids=" ".join)
def test_a_path_that_has_no_candles(cli: Cli, wrong: Path, args: list[str]) -> None:
    assert str(wrong) in refused(cli, 3, *args, wrong)


@pytest.mark.parametrize("args", NO_SETTINGS, ids=" ".join)
def test_a_path_that_is_no_settings_file(cli: Cli, wrong: Path, args: list[str]) -> None:
    told = refused(cli, 2, *args, "--config", wrong)
    assert str(wrong) in told
    assert "TOML" in told or "bot config example" in told


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_folder_of_runs_that_is_none(cli: Cli, wrong: Path, json: list[str]) -> None:
    if wrong.is_dir():
        assert cli("runs", "--runs-dir", wrong, *json).code == 0
    else:
        assert f"{wrong}: no such folder of runs" in refused(
            cli, 5, "runs", "--runs-dir", wrong, *json
        )


def test_no_runs_yet_is_no_error(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = cli("runs")
    assert said.code == 0
    assert "no runs in runs/" in said.out


def test_a_run_folder_inside_a_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    said = cli("backtest", *SYNTHETIC, "--run-dir", tmp_path / "file" / "run")
    assert said.code == 5
    assert f"{tmp_path / 'file'} is a file; name a folder" in said.err


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["backtest", "--block", "many"], 2, "--block"),
        (["run", "--bars", "0"], 2, "--bars"),
        (["run", "--bars", "1.5"], 2, "--bars"),
        (["compare", "--folds", "-1"], 2, "--folds"),
        (["exchange", "--speed", "fast"], 2, "--speed"),
        (["backtes"], 2, "Did you mean 'backtest'"),
        (["config", "chek"], 2, "Did you mean 'check'"),
        (["backtest", "--form", "2024"], 2, "--form"),
        (["fetch"], 2, "--from"),
        (["config", "check", "--for", "work"], 2, "run, practice, backtest"),
        (["logs", "{run}", "--symbol", "NOPE"], 3, "the run has SYN0USDT, SYN1USDT"),
        (["logs", "{run}", "--symbol", "syn1usdt"], 3, "did you mean SYN1USDT"),
        (["logs", "{run}", "--level", "loud"], 2, "--level"),
        (["logs", "{run}", "--since", "yesterday"], 2, "--since"),
        (["export", "{run}", "--symbol", "NOPE"], 3, "the run has SYN0USDT"),
        (["export", "{run}", "--symbol", "SYN0USDT", "--out", "rows.xlsx"], 2, ".csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_option_that_cannot_be(
    cli: Cli, short: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str],
    code: int, told: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    said = cli(*(arg.format(run=short.folder.path) for arg in args))
    assert (said.code, said.out) == (code, ""), said.err
    assert told in said.err
    assert "Traceback" not in said.err
    assert not list(tmp_path.iterdir())


def test_the_version(cli: Cli) -> None:
    said = cli("--version")
    assert (said.code, said.out.splitlines()[0]) == (0, f"bot {__version__}")


def test_a_stray_variable_is_warned_of_and_stops_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT_TOKEN", "secret")
    monkeypatch.setenv("BOT_COSTS_TAKER_FEE", "0.1")
    said = cli("config", "check", "--for", "run")
    assert (said.code, said.out) == (0, "the settings are valid for: run\n")
    assert (
        said.err == "warning: BOT_COSTS_TAKER_FEE is not read; did you mean BOT_COSTS__TAKER_FEE?\n"
    )
    said = cli("runs", "--runs-dir", "/tmp", "--json")
    assert said.code == 0
    assert "BOT_COSTS__TAKER_FEE" in said.err


@pytest.mark.parametrize(
    "args",
    [["config", "schema"], ["--help"], ["run", "--help"], ["--version"], ["logs", "{run}"],
     ["status", "{run}"], ["export", "{run}", "--symbol", "SYN0USDT"]],
    ids=" ".join,
)  # fmt: skip
def test_a_reader_that_leaves_is_no_error(short: Ran, args: list[str]) -> None:
    """`bot … | true`: 141, as a shell sees a process that SIGPIPE has ended, and no word of it."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "bot", *(a.format(run=short.folder.path) for a in args)]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")
