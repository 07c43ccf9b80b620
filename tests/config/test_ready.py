"""The ready files come with the package, say what they are for, and are what the clone's folder shows."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.config import load_config
from bot.config.ready import FOLDER, ready_names, ready_path, ready_purpose
from bot.errors import ConfigError

if TYPE_CHECKING:
    from tests.conftest import Cli

ROOT = Path(__file__).resolve().parents[2]


def test_the_folder_of_a_clone_leads_to_those_of_the_package() -> None:
    assert (ROOT / "configs").resolve() == FOLDER
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "config/ready_files/*.toml" in settings["tool"]["setuptools"]["package-data"]["bot"]


@pytest.mark.parametrize("name", ready_names())
def test_each_is_printed_copied_and_loads(cli: Cli, tmp_path: Path, name: str) -> None:
    text = ready_path(name).read_text(encoding="utf-8")
    assert len(ready_purpose(name)) > 20
    assert cli("config", "example", name).out == text
    copy = tmp_path / "config.toml"
    assert cli("init", copy, "--ready", name).code == 0
    assert copy.read_text(encoding="utf-8") == text
    assert load_config(copy, environ={}) == load_config(ready_path(name), environ={})


def test_what_is_there_is_not_overwritten_and_a_wrong_name_is_told(cli: Cli, tmp_path: Path) -> None:  # fmt: skip
    copy = tmp_path / "config.toml"
    copy.write_text("mine", encoding="utf-8")
    assert cli("init", copy, "--ready", "synthetic").code == 2
    assert copy.read_text(encoding="utf-8") == "mine"
    for words in (("config", "example", "sinthetic"), ("init", tmp_path / "b", "--ready", "sinthetic")):  # fmt: skip
        said = cli(*words)
        assert said.code == 2
        assert "of this name; did you mean 'synthetic'?; there are practice, " in said.err
    both = cli("init", tmp_path / "b", "--ready", "synthetic", "--set", "run.seed=1")
    assert (both.code, (tmp_path / "b").exists()) == (2, False)
    with pytest.raises(ConfigError, match="no ready file"):
        ready_path("../schema")
