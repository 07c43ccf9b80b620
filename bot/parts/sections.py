"""The section of a part's own settings: checked against its schema, with faults by key.

Must not know which setting chooses the part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from bot.errors import ConfigError
from bot.parts.kinds import KINDS
from bot.parts.registry import Part


def own_section(part: Part, settings: Mapping[str, Mapping[str, Any]]) -> tuple[BaseModel, ...]:
    """Return a part's settings as the last argument of what builds it; none where it has no schema.

    Args:
        settings: of all parts, by name.

    Raises:
        ConfigError: a key is unknown or a value refused; a line each.
    """
    section = section_of(part, settings.get(part.name, {}))
    return () if section is None else (section,)


def section_of(part: Part, given: Mapping[str, Any]) -> BaseModel | None:
    """Return a part's settings, None where it has no schema.

    Raises:
        ConfigError: a key is unknown or a value refused; a line each.
    """
    place = f"{KINDS[part.kind].chosen_by.partition('.')[0]}.settings.{part.name}"
    if part.settings is None:
        if given:
            raise ConfigError(
                f"{place}: {part.kind.replace('_', ' ')} '{part.name}' has no settings of its own; "
                "take the table out"
            )
        return None
    try:
        return part.settings.model_validate(dict(given))
    except ValidationError as error:
        lines = [
            f"{place}.{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from None
