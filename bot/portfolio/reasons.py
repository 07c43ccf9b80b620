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
    LIQUIDATION = 5
    """The taking over of a position whose margin is used up."""
    STOP_LOSS = 6
    """The price inside the bar reached the stop."""
    TAKE_PROFIT = 7
    """The price inside the bar reached the target."""
    TRAILING_STOP = 8
    """The price inside the bar fell back from its best by the trailing stop."""
    SETTLEMENT = 9
    """The contract ended, or its data did."""
    COMMAND = 10
    """A person's command to close the position."""
    RISK = 11
    """A reduction that a limit of risk asked for."""


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
    PAUSED = 14
    """A person has paused the account: nothing is opened or increased."""
    NO_CASH = 15
    """The order was cut to the cash that was there."""
    MARGIN = 16
    """The increase was cut to the margin that is free."""
    PARTICIPATION = 17
    """The fill was cut to a share of the volume, or to the size at the quote."""
    MAX_ORDER = 18
    """The order was cut to the largest that the exchange takes."""
    LEAVING = 19
    """The symbol is about to be delisted, or is not of the universe: nothing is opened."""
    COOL_DOWN = 20
    """A stop or a row of losses is too recent."""
    STALE = 21
    """The symbol has had no bar for too long."""
    MODEL_TOO_OLD = 22
    """The model in force is older than it may be."""
    DIVIDED = 23
    """The ensemble is too divided."""
    OUT_OF_RANGE = 24
    """The features are too far from those that the model has learned from."""
    CAP_NET = 25
    """The increase was cut to the cap on longs less shorts."""
    LEVERAGE = 26
    """The increase was cut to the leverage that is allowed."""
    DRAWDOWN_STAGE = 27
    """The drawdown has halved the sizes, or closed everything."""
    STOPPED = 28
    """A stop has closed this side, and the policy has not let go of it since."""
    POST_ONLY = 29
    """The limit order would have met the other side at once, and was dropped."""
    UNFILLED = 30
    """The limit order's bars are over, and it was cancelled."""


class Halt(IntEnum):
    """Why the account does not trade; a higher one replaces a lower one."""

    NONE = 0
    DAY = 1
    """Until the next UTC day."""
    DRAWDOWN = 2
    """Until a person resumes ('bot resume')."""
    BANKRUPT = 3
    """For good: equity is not positive."""


class DrawdownStage(IntEnum):
    """What the drawdown from the peak of the stages has done to the account."""

    NONE = 0
    HALVED = 1
    """Until equity is at the peak again."""
    FLATTENED = 2
    """Until the cool-down is over."""


FILL_REASON: dict[int, str] = {int(reason): reason.name.lower() for reason in FillReason}
"""The word of each code in a fill's `reason`."""

REFUSAL: dict[int, str | None] = {
    int(reason): reason.name.lower() if reason else None for reason in Refusal
}
"""The word of each code of a refusal; None where nothing was refused."""

FILL_REASON_CODE = {name: code for code, name in FILL_REASON.items()}
REFUSAL_CODE = {name: code for code, name in REFUSAL.items()}
"""The codes by their words."""
