"""The example file: every setting with its explanation, bounds and default, from the schema alone.

Rule: what it prints loads to the defaults, so that it can be copied and thinned out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import tomli_w
from pydantic import BaseModel

from bot.config.bounds import bounds
from bot.config.whole import PLUGINS, Config, section_types

_WIDTH = 100

_HEADER = """\
# Every setting of the bot, with its default: copy this file and keep the lines that you change.
# Stronger than the file are environment variables (BOT_COSTS__TAKER_FEE=0.001), and stronger still
# is the command line (--set costs.taker_fee=0.001). Units stand in the names (_bars, _bps, _s) or
# in the line above a setting. Written by 'bot config example'.
"""


def example_toml() -> str:
    """Return the text of config.example.toml."""
    plugins = Config.model_fields[PLUGINS]
    parts = [_HEADER, "\n", _setting(PLUGINS, {"description": plugins.description}, [])]
    for name, section in section_types().items():
        parts.append(_section(name, section, section().model_dump(mode="json")))
    return "".join(parts)


def chosen_toml(values: Mapping[str, Any], header: str) -> str:
    """Return a file of some settings, by dotted key, each with its explanation and these values."""
    parts = [header]
    for name, section in section_types().items():
        mine = {k.partition(".")[2]: v for k, v in values.items() if k.partition(".")[0] == name}
        if mine:
            parts.append(_section(name, section, mine))
    return "".join(parts)


def _section(name: str, section: type[BaseModel], values: Mapping[str, Any]) -> str:
    title = (section.__doc__ or "").strip().splitlines()[0]
    properties = section.model_json_schema()["properties"]
    settings = (_setting(key, properties[key], value) for key, value in values.items())
    return "".join([f"\n# {title}\n[{name}]\n", *settings])


def _setting(key: str, schema: dict[str, Any], default: Any) -> str:
    note = f"{schema['description']} {bounds(schema)}".strip()
    comment = textwrap.wrap(note, _WIDTH - 2, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in comment) + _assignment(key, default)


def _assignment(key: str, default: Any) -> str:
    if isinstance(default, dict):
        inner = ", ".join(f"{k} = {v}" for k, v in default.items())
        return f"{key} = {{{inner}}}\n"
    if isinstance(default, list):
        words = [tomli_w.dumps({"v": item}).removeprefix("v = ").strip() for item in default]
        line = f"{key} = [{', '.join(words)}]"
        if len(line) <= _WIDTH:
            return line + "\n"
        rows = textwrap.wrap(", ".join(words) + ",", _WIDTH - 2)
        return f"{key} = [\n" + "".join(f"  {row}\n" for row in rows) + "]\n"
    return tomli_w.dumps({key: default})
