"""bot init: questions that are asked again until they are answered well, and a file that loads."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from bot.app.first_hour.questions import COMMON, QUESTIONS, ask_all, write_settings
from bot.config import load_config

if TYPE_CHECKING:
    from tests.conftest import Cli


def asked(answers: list[str], monkeypatch: pytest.MonkeyPatch, given: list[str] | None = None) -> tuple[list[str], str]:  # fmt: skip
    out = io.StringIO()
    console, left = Console(file=out, width=200), iter(answers)
    monkeypatch.setattr(console, "input", lambda prompt: out.write(str(prompt)) and next(left))
    return ask_all(given or [], console), out.getvalue()


def test_enter_takes_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, shown = asked([""] * len(QUESTIONS), monkeypatch)
    assert answers == []
    for default in ("BTCUSDT,ETHUSDT", "[1h]", "[global]", "[100000]", "[UTC]"):
        assert default in shown


def test_an_answer_that_is_refused_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    given = [
        "btcusdt",
        "BTCUSDT,SOLUSDT",
        "7m",
        "15m",
        "atlantis",
        "eea",
        "much",
        "5000",
        "Europe/Berln",
        "Europe/Berlin",
    ]
    answers, shown = asked(given, monkeypatch)
    assert answers == [
        "market.symbols=BTCUSDT,SOLUSDT", "market.interval=15m", "exchange.region=eea",
        "portfolio.initial_capital=5000", "notify.timezone=Europe/Berlin",
    ]  # fmt: skip
    assert "its symbols are in capitals" in shown
    assert "expected one of" in shown
    assert "did you mean Europe/Berlin?" in shown


def test_what_is_given_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, shown = asked([""] * 4, monkeypatch, ["market.symbols=BTCUSDT"])
    assert answers == []
    assert "Which symbols" not in shown


def test_the_file_explains_each_setting_and_loads(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_settings(path, ["market.symbols=BTCUSDT,SOLUSDT", "costs.taker_fee=0.001"])
    config = load_config(path, environ={})
    assert config.market.symbols == ("BTCUSDT", "SOLUSDT")
    assert config.costs.taker_fee == 0.001
    keys = {
        f"{section}.{key}"
        for section, values in tomllib.loads(path.read_text()).items()
        for key in values
    }
    assert keys == {*COMMON, "costs.taker_fee"}
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert lines[number - 1].startswith("# "), line
    plain = load_config(environ={})
    write_settings(tmp_path / "plain.toml", [])
    assert load_config(tmp_path / "plain.toml", environ={}) == plain


def test_on_the_command_line(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = cli("init", "--yes", "--set", "market.symbols=BTCUSDT")
    assert said.code == 0
    assert "bot doctor --config config.toml" in said.out
    assert cli("config", "check", "--config", "config.toml", "--for", "run").code == 0
    before = (tmp_path / "config.toml").read_text()
    said = cli("init", "--yes")
    assert (said.code, "is there already" in said.err) == (2, True)
    assert (tmp_path / "config.toml").read_text() == before
    said = cli("init", "other.toml")
    assert (said.code, "--yes takes the defaults" in said.err) == (2, True)
    assert cli("init", "--yes", "x.toml", "--set", "market.interval=7m").code == 2
    assert not (tmp_path / "x.toml").exists()
    (tmp_path / "link.toml").symlink_to(tmp_path / "nowhere.toml")
    assert cli("init", "--yes", "link.toml").code == 2


def test_a_question_broken_off_writes_nothing(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    def leave(*given: Any) -> str:
        raise KeyboardInterrupt

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", Terminal(""))
    monkeypatch.setattr(Console, "input", leave)
    assert cli("init").code == 130
    monkeypatch.setattr(Console, "input", lambda *given: (_ for _ in ()).throw(EOFError))
    assert cli("init").code == 2
    assert list(tmp_path.iterdir()) == []
