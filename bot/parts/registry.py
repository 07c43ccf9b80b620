"""The registry: what parts there are, by kind and name, and where each comes from.

Rules: one name of a kind is entered once; shipped parts are entered when a question about their
kind first comes, so that a command that asks nothing imports nothing heavy. Must not know what a
part does.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from bot.errors import ConfigError
from bot.parts.kinds import KINDS
from bot.parts.sets import SETS

SHIPPED = "shipped"

MOST_TOLD = 30
"""Names that a message lists; of a kind with more it says where they are listed."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part as it was entered.

    Attributes:
        made: the function or class itself; what it must be depends on the kind.
        settings: the schema of its section, such as `[features.settings.NAME]`; None where it has none.
        keys: settings of other sections that are this part's own, such as 'training.stch_mu'.
        facts: what else the kind wants to know, such as the bars that a feature reads.
        doc: its docstring.
        origin: 'shipped', or the file that a user's part is from.
        line: where in that file it is; 0 where shipped.
    """

    kind: str
    name: str
    made: Any
    settings: type[BaseModel] | None
    keys: tuple[str, ...]
    facts: dict[str, Any]
    doc: str
    origin: str
    line: int

    @property
    def is_shipped(self) -> bool:
        """Return whether it came with the bot."""
        return self.origin == SHIPPED


_parts: dict[tuple[str, str], Part] = {}
_entered: set[str] = set()


def enter(part: Part) -> None:
    """Enter a part.

    Raises:
        ConfigError: there is another one of that kind and name.
    """
    if not part.is_shipped:
        _enter_shipped(part.kind)
    there = _parts.get((part.kind, part.name))
    if there is not None and (there.origin, there.line) != (part.origin, part.line):
        raise ConfigError(
            f"{part.origin}, line {part.line}: there is a {part.kind} '{part.name}' already "
            f"({there.origin}{f', line {there.line}' if there.line else ''}); give yours another name"
        )
    _parts[part.kind, part.name] = part


def withdraw(origin: str) -> None:
    """Take out all parts of a file, before it is loaded anew or where it turned out faulty."""
    for key in [key for key, part in _parts.items() if part.origin == origin]:
        del _parts[key]


def parts(kind: str) -> dict[str, Part]:
    """Return the parts of a kind by name, in the order of the alphabet, the shipped ones first."""
    _enter_shipped(kind)
    found = [part for (of, _), part in _parts.items() if of == kind]
    return {p.name: p for p in sorted(found, key=lambda p: (not p.is_shipped, p.name))}


def of_user() -> list[Part]:
    """Return the parts of a user's own, in the order of their entry."""
    return [part for part in _parts.values() if not part.is_shipped]


def find(kind: str, name: str) -> Part | None:
    """Return a part, None where there is none of that name."""
    _enter_shipped(kind)
    return _parts.get((kind, name))


def part(kind: str, name: str) -> Part:
    """Return a part.

    Raises:
        ConfigError: there is none of that name; with those that there are.
    """
    found = find(kind, name)
    if found is None:
        raise ConfigError(unknown(kind, name))
    return found


def unknown(kind: str, name: str) -> str:
    """Return what to tell of a name that no part of the kind has."""
    known = list(parts(kind))
    close = difflib.get_close_matches(name, [*known, *SETS.get(kind, {})], n=3)
    hint = f"choose from {', '.join(known)}"
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    elif len(known) > MOST_TOLD:
        hint = f"'bot parts list --kind {kind}' lists the {len(known)} that there are"
    setting = KINDS[kind].chosen_by
    return f"{setting}: there is no {kind.replace('_', ' ')} '{name}'; {hint}"


def shipped(kind: str, name: str, **said: Any) -> Callable[[Any], Any]:
    """Enter what is decorated as a part that comes with the bot.

    Args:
        said: `keys`, its settings in other sections; `settings`, a section of its own; `doc` where
            it has no docstring; all else is a fact of its kind.
    """

    def decorate(made: Any) -> Any:
        facts = dict(said)
        doc = facts.pop("doc", None) or made.__doc__ or ""
        settings, keys = facts.pop("settings", None), tuple(facts.pop("keys", ()))
        enter(
            Part(
                kind,
                name,
                made,
                settings=settings,
                keys=keys,
                facts=facts,
                doc=doc.strip(),
                origin=SHIPPED,
                line=0,
            )
        )
        return made

    return decorate


def _enter_shipped(kind: str) -> None:
    if kind in _entered:
        return
    _entered.add(kind)
    room = importlib.import_module(KINDS[kind].room)
    for found in pkgutil.iter_modules(getattr(room, "__path__", [])):
        importlib.import_module(f"{room.__name__}.{found.name}")
