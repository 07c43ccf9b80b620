"""A user's own policy and cost scheme: compiled, with the width of the state that they declare.

Rule: the shipped ones are None here, since the kernel has them in its own machine code. Must not
know what a part decides or charges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bot.errors import ConfigError
from bot.parts.compile import NOTHING, OUTPUT, Signature, compiled_part, place_of, record
from bot.parts.registry import part
from bot.parts.sections import section_of
from bot.portfolio.kernel.asked import FILL_ASKED, POLICY_BAR

SIGNATURES = {
    "policy": Signature(("bar", "state"), (record(POLICY_BAR), OUTPUT)),
    "cost_scheme": Signature(("fill", "state"), (record(FILL_ASKED), OUTPUT), NOTHING),
}
MAX_STATE = 10_000


class OwnPart(NamedTuple):
    """A user's part as the kernel takes it.

    Attributes:
        call: the compiled function; None where the part is shipped.
        state: numbers that it carries for each symbol.
        needs_forecast: of a policy, whether its answer counts only where there is a forecast.
    """

    call: Any
    state: int
    needs_forecast: bool


def own_part(kind: str, name: str, given: Mapping[str, Any]) -> OwnPart:
    """Compile a user's policy or cost scheme.

    Args:
        kind: 'policy' or 'cost_scheme'.
        name: as the settings have it.
        given: its own settings, empty where it has none.

    Raises:
        ConfigError: there is none of that name, it does not compile, its settings are refused, or its
            state has no sensible width.
    """
    found = part(kind, name)
    if found.is_shipped:
        return OwnPart(None, 0, needs_forecast=True)
    width = found.facts["state"]
    width = width(section_of(found, given)) if callable(width) else width
    if not isinstance(width, int) or not 0 <= width <= MAX_STATE:
        raise ConfigError(
            f"{place_of(found.made)}: {kind.replace('_', ' ')} '{name}' carries {width!r} numbers; "
            f"expected a whole number from 0 to {MAX_STATE}"
        )
    compiled = compiled_part(found, given, SIGNATURES[kind])
    return OwnPart(compiled.call, width, found.facts.get("needs_forecast", True))
