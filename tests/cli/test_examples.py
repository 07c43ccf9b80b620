"""Every command shows examples that could be typed, a version with its build, and what was meant."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from bot.adapters.system.build import present_build
from bot.cli.examples import EXAMPLES
from bot.cli.main import app
from bot.cli.options import run_names

if TYPE_CHECKING:
    from tests.conftest import Cli, Ran


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


ALL = dict(commands(typer.main.get_command(app)))


def test_every_command_has_examples() -> None:
    assert ALL.keys() == EXAMPLES.keys()
    assert all(lines for _, lines in EXAMPLES.values())


@pytest.mark.parametrize("name", sorted(ALL))
def test_help_leaves_out_no_word(name: str, cli: Cli) -> None:
    shown = " ".join(cli(*name.split(), "--help").out.replace("│", " ").split())
    for line in filter(None, map(str.strip, str(ALL[name].help).splitlines())):
        assert " ".join(line.split()) in shown
    for option in ALL[name].params:
        for word in (getattr(option, "help", None) or "").split():
            assert word in shown


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_paragraph_of_help_breaks_where_the_terminal_ends(name: str) -> None:
    assert all("\n" not in paragraph for paragraph in str(ALL[name].help).split("\n\n"))


@pytest.mark.parametrize("name", sorted(ALL))
def test_help_shows_them_and_they_could_be_typed(name: str, cli: Cli) -> None:
    shown = " ".join(cli(*name.split(), "--help").out.split())
    for line in EXAMPLES[name][1]:
        assert line[:60] in shown
        words = shlex.split(line)[1:]
        assert " ".join(words[: len(name.split())]) == name
        context = ALL[name].make_context(name, words[len(name.split()) :], resilient_parsing=False)
        assert context.params is not None


def test_the_first_hour_comes_first(cli: Cli) -> None:
    text = cli("--help").out
    places = [
        text.index(f"│ {name} ") for name in ("demo", "init", "doctor", "run", "pause", "status")
    ]
    assert places == sorted(places)


def test_the_version_names_the_build_and_its_packages(cli: Cli) -> None:
    said = cli("--version")
    assert said.code == 0
    assert said.out.splitlines()[1] == str(present_build())
    assert "torch" in said.out


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["statsu"], "status"),
        (["run", "--barz", "3"], "--bars"),
        (["config", "show", "--set", "costs.taker_fe=0"], "costs.taker_fee"),
        (["config", "show", "--set", "policy.kind=egde"], "edge"),
        (["config", "show", "--set", "features.names=rsii"], "rsi"),
        (["config", "show", "--set", "model.architecture=mmoee"], "mmoe"),
        (["logs", "nothing", "--event", "decison"], "decision"),
    ],
)
def test_what_was_meant_is_said(
    words: list[str], meant: str, cli: Cli, short: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words[0] == "logs":
        words[1] = str(short.folder.path)
    said = cli(*words)
    assert said.code == 2
    assert meant in said.err


def test_of_a_run_that_is_not_there_the_nearest_name(
    cli: Cli, short: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "alpha").symlink_to(short.folder.path.resolve())
    monkeypatch.chdir(tmp_path)
    said = cli("status", "aplha")
    assert (said.code, "did you mean runs/alpha?" in said.err) == (5, True)
    assert run_names("al") == ["alpha"]
    assert run_names("b") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_for_each_shell(shell: str) -> None:
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="bot", complete_var="_BOT_COMPLETE", shell=shell)
    assert "_BOT_COMPLETE" in script
