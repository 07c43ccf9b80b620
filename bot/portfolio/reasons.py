"""Why a fill happened, why a decision was refused, and why trading is halted.

The numbers stand in journals and in the ledger's hash: never reuse or renumber one. The name in
lower case is the word that logs and tables print.
"""

from __future__ import annotations

from enum import IntEnum


class FillReason(IntEnum):
    """What a fill carries out."""

    SIGNAL = 1
    """An order decided on a signal."""
    HALT = 2
    """The closing of a position by a halt."""
    LATE_FLATTEN = 3
    """The closing of a position whose order came too late (late policy "flatten")."""
    RESCALE = 4
    """The free rescaling of the reference backtest."""


class Refusal(IntEnum):
    """Why a decision is not what the signal asked for; where several apply, the last one met."""

    NONE = 0
    SHORT_NOT_ALLOWED = 1
    """Short wanted, flat taken."""
    NO_VOLATILITY = 2
    """Proportional sizing without a positive predicted volatility: nothing decided."""
    CAP_SYMBOL = 3
    """The weight was cut to the cap on a symbol."""
    CAP_GROSS = 4
    """The increase was cut to the cap on the sum of weights."""
    STEP_ROUNDS_TO_ZERO = 5
    """Less than one step of the quantity would have been traded."""
    MIN_QUANTITY = 6
    """The order is below the instrument's smallest quantity."""
    MIN_NOTIONAL = 7
    """The order is below the instrument's smallest notional."""
    HALTED_DAY = 8
    """The daily-loss halt is on."""
    HALTED_DRAWDOWN = 9
    """The drawdown halt is on."""
    HALTED_BANKRUPT = 10
    """Equity is not positive."""
    LATE_CANCELLED = 11
    """The order's bar could not be filled, and the late policy dropped it."""
    CALIBRATING = 12
    """Too few past signals are scored to know what this one is worth."""
    EDGE_BELOW_COST = 13
    """The calibrated edge does not exceed its cost."""


class Halt(IntEnum):
    """Why the account does not trade; a higher one replaces a lower one."""

    NONE = 0
    DAY = 1
    """Until the next UTC day."""
    DRAWDOWN = 2
    """For good."""
    BANKRUPT = 3
    """For good: equity is not positive."""


FILL_REASON: dict[int, str] = {int(reason): reason.name.lower() for reason in FillReason}
"""The word of each code in a fill's `reason`."""

REFUSAL: dict[int, str | None] = {
    int(reason): reason.name.lower() if reason else None for reason in Refusal
}
"""The word of each code of a refusal; None where nothing was refused."""

FILL_REASON_CODE = {name: code for code, name in FILL_REASON.items()}
REFUSAL_CODE = {name: code for code, name in REFUSAL.items()}
"""The codes by their words."""
