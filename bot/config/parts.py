"""The parts that settings name: known, and with sound settings of their own.

Rule: a part that is the default is not looked up, so that a command which needs none imports none.
Must not know any particular part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bot.config.section import Section
from bot.errors import BotError
from bot.parts.registry import find
from bot.parts.sections import section_of

if TYPE_CHECKING:
    from bot.config.whole import Config


def unknown_parts(config: Config) -> list[dict[str, Any]]:
    """Return each name of a part that there is none of, as `faults.value_faults` takes it."""
    return [
        {"loc": (place, key, *where), "input": name}
        for place, section in _sections(config)
        for key, kind, where, name, is_default in _named(section)
        if not is_default and find(kind, name) is None
    ]


def settings_faults(config: Config) -> list[str]:
    """Return a line for each fault of the parts' own settings."""
    return [line for place, section in _sections(config) for line in _faults(place, section)]


def _sections(config: Config) -> Iterator[tuple[str, Section]]:
    for name in type(config).model_fields:
        section = getattr(config, name)
        if isinstance(section, Section):
            yield name, section


def _faults(place: str, section: Section) -> Iterator[str]:
    named = [(kind, name) for _, kind, _, name, _ in _named(section)]
    given: dict[str, dict[str, Any]] = getattr(section, "settings", {})
    for name, values in given.items():
        kinds = {kind for (kind, of) in named if of == name}
        if not kinds:
            yield (
                f"{place}.settings.{name}: no part of that name is chosen in [{place}]; name it there, or "
                "take the table out"
            )
        for kind in kinds:
            part = find(kind, name)
            if part is not None:
                try:
                    section_of(part, values)
                except BotError as error:
                    yield str(error)


def _named(section: Section) -> Iterator[tuple[str, str, tuple[int, ...], str, bool]]:
    """Yield of each part that a section names the key, the kind, its place in a list, its name, and
    whether it is a default."""
    for key, field in type(section).model_fields.items():
        extra = field.json_schema_extra
        if not isinstance(extra, dict) or "part" not in extra:
            continue
        value, default = getattr(section, key), field.get_default()
        names = {(): value} if isinstance(value, str) else {(i,): v for i, v in enumerate(value)}
        usual = (default,) if isinstance(default, str) else default
        for where, name in names.items():
            yield key, str(extra["part"]), where, name, name in usual
