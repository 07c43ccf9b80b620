"""config.example.toml: it names every setting, says what it allows, and loads to the defaults."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from bot.config import example, flatten, load_config
from bot.config.bounds import bounds
from bot.config.whole import section_types

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "config.example.toml"


def test_the_file_is_what_the_schema_says() -> None:
    """Where this fails, run: python -m bot config example > config.example.toml."""
    assert FILE.read_text(encoding="utf-8") == example.example_toml()


def test_it_names_every_setting_and_loads_to_the_defaults() -> None:
    written = tomllib.loads(FILE.read_text(encoding="utf-8"))
    assert written.pop("plugins") == []
    named = {f"{section}.{key}" for section, values in written.items() for key in values}
    assert named | {"plugins"} == set(flatten(load_config(environ={})))
    assert load_config(FILE, environ={}) == load_config(environ={})


def test_every_setting_is_explained_and_every_number_bounded() -> None:
    for name, section in section_types().items():
        for key, schema in section.model_json_schema()["properties"].items():
            assert schema.get("description", "").endswith((".", "}", "…", ")")), f"{name}.{key}"
            if schema["type"] in {"integer", "number"}:
                assert bounds(schema), f"{name}.{key} has no bound"


def test_what_a_section_is_for_is_a_whole_sentence() -> None:
    above = re.findall(r"\n\n# (.*)\n\[(\w+)\]\n", FILE.read_text(encoding="utf-8"))
    assert [name for _, name in above] == list(section_types())
    assert [name for said, name in above if not said.endswith(".")] == []


def test_no_line_is_wider_than_the_page() -> None:
    assert max(map(len, example.example_toml().splitlines())) <= 100
