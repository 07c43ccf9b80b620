"""The parts there are, by kind: where each comes from, what it is, and which settings are its own.

Must not look at what a part does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from bot.errors import ConfigError
from bot.parts.kinds import KINDS
from bot.parts.registry import Part, parts
from bot.parts.sets import SETS


@dataclass(frozen=True)
class Listed:
    """A line of `bot parts`.

    Attributes:
        origin: 'shipped', the file that it is from, or 'set' where the name stands for several parts.
        settings: keys that are its own.
        doc: the first line of its docstring; of a set the names in it.
    """

    kind: str
    name: str
    origin: str
    settings: tuple[str, ...]
    doc: str

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def listed(kind: str | None = None) -> list[Listed]:
    """Return a line a part or set of parts, of one kind or of all.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise ConfigError(f"--kind {kind}: there is none; choose from {', '.join(KINDS)}")
    kinds = list(KINDS) if kind is None else [kind]
    return [line for each in kinds for line in (*map(_line, parts(each).values()), *_sets(each))]


def _sets(kind: str) -> Iterator[Listed]:
    for name, members in SETS.get(kind, {}).items():
        yield Listed(kind, name, "set", (), f"{len(members)} {kind}s: {', '.join(members)}")


def _line(part: Part) -> Listed:
    own: list[str] = []
    if part.settings is not None:
        section = KINDS[part.kind].chosen_by.partition(".")[0]
        own = [f"{section}.settings.{part.name}.{key}" for key in part.settings.model_fields]
    doc = " ".join(part.doc.split("\n\n")[0].split())
    return Listed(part.kind, part.name, part.origin, (*part.keys, *own), doc)
