"""What a setting may be, in brackets, from its JSON schema: for the example file and for errors."""

from __future__ import annotations

from typing import Any

from bot.parts.registry import MOST_TOLD, parts


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
    if "part" in schema:
        names = list(parts(schema["part"]))
        if len(names) > MOST_TOLD:
            count = sum(part.is_shipped for part in parts(schema["part"]).values())
            return f"the {count} of 'bot parts list --kind {schema['part']}'"
        return " | ".join(names)
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
