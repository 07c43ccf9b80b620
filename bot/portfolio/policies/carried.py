"""What shipped policies carry from bar to bar: places in a symbol's row of `Book.policy_state`.

Rules: all begin as 0; a place has one meaning for good, since journals hold it. Must not decide.
"""

from __future__ import annotations

from enum import IntEnum

from bot.config import Config

AGE = 0
"""Closes since the side was decided."""
FUNDING_AT_MS = 1
"""Open time of the bar in which funding was last settled; 0 before."""
FUNDING_PER_MS = 2
"""What a long position paid per millisecond until then, a share of its value."""
HALF_SPREAD = 3
"""Of the quote seen last, a fraction; 0 before the first."""

EDGE_WIDTH = 4
MOMENTUM_FIXED = 1
"""Before the closes themselves: how many there were."""


class PolicyKind(IntEnum):
    """The shipped policies; OWN is a user's."""

    THRESHOLD = 0
    EDGE = 1
    HYSTERESIS = 2
    MOMENTUM = 3
    OWN = 4


OBSERVING = (int(PolicyKind.EDGE), int(PolicyKind.MOMENTUM))
"""Policies that carry something of the market, and so also see bars before the first trade."""


def kind_of(config: Config) -> PolicyKind:
    """Return which policy is in force."""
    return PolicyKind.__members__.get(config.policy.kind.upper(), PolicyKind.OWN)


def width_of(kind: PolicyKind, momentum_bars: int) -> int:
    """Return how many numbers a shipped policy carries for each symbol."""
    if kind is PolicyKind.EDGE:
        return EDGE_WIDTH
    return MOMENTUM_FIXED + momentum_bars if kind is PolicyKind.MOMENTUM else 0
