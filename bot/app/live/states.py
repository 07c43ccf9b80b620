"""The states of the live loop as data: what it is doing, what can happen then, and what follows.

Rules:
1. Bars that are too late to decide on are caught up with before the next one is waited for.
2. A bar is opened once and closed once, in that order; only a bar that is open can close.
3. Once its candles are complete, a bar is closed, however late it has become.
4. The loop is done at a committed close only. A stop (SIGTERM, a kill) is no event: it ends the
   process between two commits, and the next start begins at STARTING.
Whatever the table does not list is a fault of the loop. Must not do or wait for anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from bot.errors import InvariantError


class LoopState(StrEnum):
    """What the loop is doing."""

    STARTING = "starting"
    """History is fetched, and a first model trained where there is none."""
    CATCHING_UP = "catching_up"
    """Bars that are too late to decide on are fetched and taken in."""
    WAITING_OPEN = "waiting_open"
    """The next bar is not open yet: prices are awaited that its orders can be filled at."""
    OPENED = "opened"
    """The bar's open is committed: its candles are awaited."""
    CLOSING = "closing"
    """The bar's candles are complete, its close is not committed yet."""
    DONE = "done"
    """As many bars are closed as were wanted."""


class LoopEvent(StrEnum):
    """What happened to it."""

    STARTED = "started"
    """The history is there, and a first model if one could be trained."""
    CAUGHT_UP = "caught_up"
    """What could be caught up with is taken in; the next bar is not open."""
    CAUGHT_UP_INSIDE = "caught_up_inside"
    """Nothing is to be caught up with, and the bar that was open at the last stop still is."""
    FELL_BEHIND = "fell_behind"
    """The next bar can no longer be decided on."""
    OPEN_COMMITTED = "open_committed"
    CANDLES_COMPLETE = "candles_complete"
    """Each symbol's candle is confirmed, or is known not to exist."""
    CLOSE_COMMITTED = "close_committed"
    LAST_CLOSE_COMMITTED = "last_close_committed"
    """The close of the last bar that is wanted."""


TRANSITIONS: Mapping[tuple[LoopState, LoopEvent], LoopState] = MappingProxyType(
    {
        (LoopState.STARTING, LoopEvent.STARTED): LoopState.CATCHING_UP,
        (LoopState.CATCHING_UP, LoopEvent.CAUGHT_UP): LoopState.WAITING_OPEN,
        (LoopState.CATCHING_UP, LoopEvent.CAUGHT_UP_INSIDE): LoopState.OPENED,
        (LoopState.WAITING_OPEN, LoopEvent.FELL_BEHIND): LoopState.CATCHING_UP,
        (LoopState.WAITING_OPEN, LoopEvent.OPEN_COMMITTED): LoopState.OPENED,
        (LoopState.OPENED, LoopEvent.FELL_BEHIND): LoopState.CATCHING_UP,
        (LoopState.OPENED, LoopEvent.CANDLES_COMPLETE): LoopState.CLOSING,
        (LoopState.CLOSING, LoopEvent.CLOSE_COMMITTED): LoopState.WAITING_OPEN,
        (LoopState.CLOSING, LoopEvent.LAST_CLOSE_COMMITTED): LoopState.DONE,
    }
)


def next_state(state: LoopState, event: LoopEvent) -> LoopState:
    """Return the state that follows.

    Raises:
        InvariantError: this cannot happen in that state.

    >>> next_state(LoopState.CLOSING, LoopEvent.CLOSE_COMMITTED).name
    'WAITING_OPEN'
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise InvariantError(
            f"the live loop got '{event}' while it was '{state}', which cannot happen; the "
            "journal holds what was committed until then: report this, with the run's log"
        ) from None
