"""The example file: every setting with its explanation, bounds and default, from the schema alone.

Rule: what it prints loads to the defaults, so that it can be copied and thinned out.
"""

from __future__ import annotations

import textwrap
from typing import Any

import tomli_w

from bot.config.load import section_types

_WIDTH = 100

_HEADER = """\
# Every setting of the bot, with its default: copy this file and keep the lines that you change.
# Stronger than the file are environment variables (BOT_COSTS__TAKER_FEE=0.001), and stronger still
# is the command line (--set costs.taker_fee=0.001). Units stand in the names (_bars, _bps, _s) or
# in the line above a setting. Written by 'bot config example'.
"""


def example_toml() -> str:
    """Return the text of config.example.toml."""
    parts = [_HEADER]
    for name, section in section_types().items():
        title = (section.__doc__ or "").strip().splitlines()[0]
        properties = section.model_json_schema()["properties"]
        defaults = section().model_dump(mode="json")
        parts.append(f"\n# {title}\n[{name}]\n")
        parts.extend(_setting(key, properties[key], value) for key, value in defaults.items())
    return "".join(parts)


def _setting(key: str, schema: dict[str, Any], default: Any) -> str:
    note = f"{schema['description']} {bounds(schema)}".strip()
    comment = textwrap.wrap(note, _WIDTH - 2, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in comment) + _assignment(key, default)


def bounds(schema: dict[str, Any]) -> str:
    """Return what a property of a JSON schema allows, in brackets; empty where it says nothing.

    >>> bounds({"minimum": 0, "exclusiveMaximum": 1})
    '[>= 0, < 1]'
    >>> bounds({"enum": ["rolling", "expanding"]})
    '[rolling | expanding]'
    >>> bounds({"items": {"type": "integer", "minimum": 1}, "minItems": 1})
    '[each >= 1; 1 or more of them]'
    """
    each = _range(schema.get("items", {})) or _range(schema.get("additionalProperties", {}))
    said = [_range(schema), f"each {each}" if each else "", _count(schema)]
    text = "; ".join(part for part in said if part)
    return f"[{text}]" if text else ""


def _count(schema: dict[str, Any]) -> str:
    if "minItems" not in schema:
        return ""
    least, most = schema["minItems"], schema.get("maxItems")
    if most is None:
        return f"{least} or more of them"
    return f"{least} of them" if most == least else f"{least} to {most} of them"


def _range(schema: Any) -> str:
    if not isinstance(schema, dict):
        return ""
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " | ".join(str(choice) for choice in schema["enum"])
    signs = {
        "minimum": ">=",
        "exclusiveMinimum": ">",
        "maximum": "<=",
        "exclusiveMaximum": "<",
    }
    return ", ".join(
        f"{sign} {_number(schema[key])}" for key, sign in signs.items() if key in schema
    )


def _number(value: float) -> str:
    return f"{int(value):_}" if value == int(value) else f"{value:g}"


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
