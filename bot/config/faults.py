"""The words for a value that the schema refuses: key, value, where it came from, what is expected.

Rules: one sentence a key, made from the field's own schema, so that it says what the example file
says; nothing of the validating library shows. Must not look at combinations of keys.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bot.config.bounds import bounds
from bot.config.section import Section
from bot.parts.registry import parts
from bot.parts.sets import SETS


def value_faults(
    errors: Iterable[Mapping[str, Any]],
    sections: Mapping[str, type[Section]],
    origins: Mapping[str, str],
    *,
    of_change: bool = False,
) -> dict[str, str]:
    """Return a line for each refused setting, by its dotted key.

    Args:
        errors: the library's; of each its `loc` and `input` are used.
        sections: the class of each section.
        origins: what gave each setting, by its dotted key.
        of_change: what is left out stays as it is, and is not the default.
    """
    found: dict[str, str] = {}
    for error in errors:
        section, *rest = (str(part) for part in error["loc"])
        if section not in sections:  # the one setting that stands in no section
            found[section] = (
                f"{section} = {_shown(error['input'])} ({origins[section]}): expected a list of paths, for "
                'example ["my_parts.py"]'
            )
            continue
        key, *inner = rest
        dotted = f"{section}.{key}"
        if dotted in found:
            continue
        schema = sections[section].model_json_schema()["properties"][key]
        member = f", of which {_shown(error['input'])}" if inner else ""
        if inner and not inner[0].isdigit():
            member = f", of which {inner[0]} = {_shown(error['input'])}"
        start = f"{dotted} = {_shown(error['input'])}" if not inner else f"{dotted}{member}"
        default = _shown(sections[section].model_fields[key].get_default(call_default_factory=True))
        instead = "" if of_change else f"; or leave it out, for {default}"
        found[dotted] = (
            f"{start} ({origins[dotted]}): expected {_expected(schema)}"
            f"{_meant(schema, error['input'], whole=not inner)}{instead}. {schema['description']}"
        )
    return found


def _expected(schema: Mapping[str, Any]) -> str:
    """Return what a setting may be, in words and the bounds of the example file."""
    limits = bounds(dict(schema))
    if schema.get("enum") or "const" in schema or ("part" in schema and schema["type"] == "string"):
        return f"one of {limits[1:-1]}"
    kind = {
        "integer": "a whole number",
        "number": "a finite number",
        "boolean": "true or false",
        "string": "a text",
        "array": "a list",
        "object": "a table" if schema.get("of_parts") else "a table {name = number, …}",
    }[schema["type"]]
    pattern = " of another form" if "pattern" in schema else ""
    return f"{kind}{pattern} {limits}".strip()


def _meant(schema: Mapping[str, Any], given: Any, *, whole: bool) -> str:
    """Return what was likely meant; `whole` where the setting was given, and not one of its members."""
    choices = schema.get("enum") or schema.get("items", {}).get("enum") or ()
    if "part" in schema:
        choices = [*parts(schema["part"]), *SETS.get(schema["part"], {})]
    close = difflib.get_close_matches(str(given), [str(c) for c in choices], n=1, cutoff=0.5)
    if not close and "pattern" in schema:
        close = [text for text in _otherwise(str(given)) if re.search(schema["pattern"], text)]
    if close and whole and schema.get("type") == "array":
        return f'; did you mean ["{close[0]}"]?'
    return f"; did you mean '{close[0]}'?" if close else ""


def _otherwise(given: str) -> tuple[str, ...]:
    """Return a text in other letters and with other marks between its words."""
    lower = given.strip().lower()
    return lower, lower.upper(), re.sub(r"[^a-z0-9]+", "_", lower).strip("_")


def _shown(value: Any) -> str:
    """Return a value as TOML would write it, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, (list, tuple)):
        text = f"[{', '.join(_shown(v) for v in value)}]"
    elif isinstance(value, float):
        text = f"{value:g}"
    else:
        text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
