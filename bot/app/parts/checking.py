"""`bot parts check`: a user's parts, tried against the laws that every part keeps.

Rule: shipped parts go through the same checks in the tests, so that a part is checked by existing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from bot.app.parts.bars import feature_faults, target_faults
from bot.app.parts.trading import policy_faults, scheme_faults
from bot.errors import BotError
from bot.parts.compile import place_of
from bot.parts.registry import Part, of_user


@dataclass(frozen=True)
class Checked:
    """What was found of a part.

    Attributes:
        place: its file and line.
        faults: what it does that its kind must not do, or does not do; empty for none.
    """

    kind: str
    name: str
    place: str
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def checked() -> list[Checked]:
    """Try every part of a user's own that is loaded."""
    return [check(part) for part in of_user()]


def check(part: Part) -> Checked:
    """Try a part against the laws of its kind."""
    place = f"{part.origin}, line {part.line}" if part.line else place_of(part.made)
    try:
        faults = tuple(_checks(part.kind)(part))
    except BotError as error:
        faults = (str(error),)
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything
        faults = (f"raises {type(error).__name__}: {error}",)
    return Checked(part.kind, part.name, place, faults)


def _checks(kind: str) -> Callable[[Part], Iterator[str]]:
    if kind == "feature":
        return feature_faults
    if kind == "target":
        return target_faults
    if kind == "policy":
        return policy_faults
    if kind == "cost_scheme":
        return scheme_faults
    from bot.app.parts.classes import SETTINGS, class_faults  # torch takes seconds to load

    return class_faults if kind in SETTINGS else _none


def _none(part: Part) -> Iterator[str]:
    """Check nothing of a kind whose registration has been checked by loading it."""
    del part
    yield from ()
