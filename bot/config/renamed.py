"""Settings that have another name now: refused in a user's file, translated in an old run's folder.

Rule: a name stays here for good, since runs made with it do; the value means what it meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED: dict[str, str] = {
    "sizing.spread_penalty": "sizing.disagreement_penalty",
}
"""The new name of each old one, both as section.key."""


def refusal_of(dotted: str) -> str | None:
    """Return what to tell of a key that is no setting any more, None where it never was one."""
    new = RENAMED.get(dotted)
    return None if new is None else f"'{dotted}' is called '{new}' now; write that"


def translated(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's sections under the names that settings have now."""
    found: dict[str, Any] = {}
    for section, values in sections.items():
        if not isinstance(values, Mapping):
            found[section] = values
            continue
        for key, value in values.items():
            new = RENAMED.get(f"{section}.{key}", f"{section}.{key}")
            place, _, name = new.partition(".")
            found.setdefault(place, {})[name] = value
    return found
