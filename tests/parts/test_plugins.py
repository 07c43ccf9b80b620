"""Loading a user's parts: what is hashed, what is refused and how, and what is never run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bot.adapters.system.build import present_build
from bot.app.runs.own_parts import check_parts
from bot.config import load_config, to_toml
from bot.errors import ConfigError
from bot.parts.plugins import load_plugins, loaded
from bot.parts.registry import find, of_user
from tests.parts.conftest import MINE, Write


def test_a_source_is_named_by_its_bytes_and_is_part_of_the_build(write: Write) -> None:
    before = present_build()
    path = write()
    load_plugins([str(path)])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded() == {"mine.py": digest}
    assert f'"parts:mine.py": "{digest}"' in present_build().made_by
    assert present_build().digest != before.digest


def test_a_changed_source_takes_the_place_of_the_old_one(write: Write) -> None:
    load_plugins([str(write())])
    load_plugins([str(write(MINE.replace('"upside"', '"rise"')))])
    assert find("target", "upside") is None
    assert find("target", "rise") is not None


def test_a_changed_source_that_is_faulty_leaves_nothing_of_the_old_one(write: Write) -> None:
    load_plugins([str(write())])
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        load_plugins([str(write("x = 1 / 0"))])
    assert of_user() == []
    assert loaded() == {}


def test_a_file_of_the_same_name_takes_the_place_of_another(write: Write, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    load_plugins([str(write())])
    load_plugins([str(write(MINE.replace('"upside"', '"rise"'), "other/mine.py"))])
    assert find("target", "upside") is None
    assert {part.origin for part in of_user()} == {str(tmp_path / "other" / "mine.py")}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1\ny = = 2\n", r"mine\.py, line 2: SyntaxError"),
        ("x = 1\n\nimport nothing_like_this\n", r"mine\.py, line 3: ModuleNotFoundError"),
        ("x = 1 / 0\n", r"mine\.py, line 1: ZeroDivisionError"),
        ("from bot.parts import feature\n@feature('a b', bars=1)\ndef f(): 'X.'\n", r"line 2: 'a b' is no name"),
        ("from bot.parts import feature\n@feature('ab', bars=0)\ndef f(): 'X.'\n", r"line 2: bars = 0"),
        ("from bot.parts import feature\n@feature('ab', bars=1)\ndef f(): pass\n", r"line 2.*no docstring"),
        ("from bot.parts import feature\n@feature('rsi', bars=1)\ndef f(): 'X.'\n", r"already \(shipped\)"),
    ],
)  # fmt: skip
def test_a_fault_is_told_by_line_and_leaves_nothing_entered(
    write: Write, source: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        load_plugins([str(write(source))])
    assert of_user() == []
    assert loaded() == {}


def test_files_are_found_from_the_settings_folder(write: Write, tmp_path: Path) -> None:
    write()
    settings = tmp_path / "bot.toml"
    settings.write_text('plugins = ["mine.py"]\n[features]\nnames = ["true_range", "rsi"]\n')
    config = load_config(settings, environ={})
    assert config.plugins == (str(tmp_path / "mine.py"),)
    again = tmp_path / "other" / "bot.toml"
    again.parent.mkdir()
    again.write_text(to_toml(config))
    assert load_config(again, environ={}) == config


def test_what_a_runs_folder_names_is_not_run(write: Write, tmp_path: Path) -> None:
    write("raise SystemExit('run')\n")
    settings = tmp_path / "config.toml"
    settings.write_text('plugins = ["mine.py"]\n')
    config = load_config(settings, environ={}, recorded=True)
    assert loaded() == {}
    with pytest.raises(
        ConfigError, match=r"r1: was made with parts of mine\.py.*--plugin mine\.py"
    ):
        check_parts(config, "", "r1")


def test_another_source_is_refused_by_name(write: Write) -> None:
    path = write()
    config = load_config(None, [f"plugins={path}"], environ={})
    made_by = present_build().made_by
    check_parts(config, made_by, "r1")
    write(MINE + "\n# changed\n")
    load_plugins([str(path)])
    with pytest.raises(ConfigError, match=r"r1: was made with another mine\.py \(SHA-256"):
        check_parts(config, made_by, "r1")


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("features.settings={mean_close={window=1}}", r"features\.settings\.mean_close\.window: .*2"),
        ("features.settings={mean_close={wide=3}, true_range={a=1}}", r"true_range' has no settings"),
        ("features.settings={rank2={a=1}}", r"no part of that name is chosen in \[features\]"),
        ("plugins=[3]", r"plugins = 3 .*expected a list of paths"),
        ("plugins=package:none", r"no installed package has the parts 'none'"),
    ],
)  # fmt: skip
def test_faulty_settings_of_parts_are_refused_with_the_key(
    write: Write, item: str, told: str
) -> None:
    sets = [f"plugins={write()}", "features.names=mean_close,true_range,rsi", item]
    with pytest.raises(ConfigError, match=told):
        load_config(None, sets, environ={})


def test_sound_settings_of_a_part_reach_it(write: Write) -> None:
    sets = [
        f"plugins={write()}",
        "features.names=mean_close",
        "features.settings={mean_close={window=9}}",
    ]
    assert load_config(None, sets, environ={}).features.settings == {"mean_close": {"window": 9}}
