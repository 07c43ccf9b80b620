"""A user's compiled parts as the kernel takes them, with room for asking them.

Rules: nothing here but the book's state outlives a call. A shipped part is not asked: a function that nobody
calls stands in its place, of the same type, so that the kernel is compiled once and not for each
user's part. The fields of the two records may grow: a part that does not read a new one goes on as it is.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import from_dtype

from bot.blocks import F64, I64
from bot.compiled import cfunc
from bot.parts.compile import NOTHING, NUMBER, OUTPUT
from bot.portfolio.kernel.compiling import cold

POLICY_FIELDS = (
    ("symbol", "<i8", "its place in market.symbols, from 0"),
    ("open_time", "<i8", "of the bar, in ms since 1970"),
    ("open", "<f8", "of the bar, in the quote currency"),
    ("close", "<f8", "of the bar, in the quote currency"),
    ("signal", "<f8", "a return, or a position (signal.source); NaN without a forecast"),
    ("volatility", "<f8", "predicted, a fraction; NaN where there is none"),
    ("cost", "<f8", "of a round trip at the size of this signal, a share of its notional; NaN "
     "where that size is 0 or not known"),
    ("side", "<f8", "-1, 0 or 1: held, or on order"),
    ("bars_held", "<i8", "closes since the position was filled, this one included; 0 when flat"),
    ("tradable", "<i8", "1 where the answer can be acted on"),
)  # fmt: skip
"""What a policy is asked about: name, type, meaning."""

FILL_FIELDS = (
    ("symbol", "<i8", "its place in market.symbols, from 0"),
    ("open_time", "<i8", "of the bar that it fills in, in ms since 1970"),
    ("side", "<f8", "1 bought, -1 sold"),
    ("quantity", "<f8", "in the base currency, negative when sold"),
    ("middle", "<f8", "of bid and ask, else the bar's price"),
    ("met", "<f8", "the quote, else the middle and half a spread"),
    ("turnover", "<f8", "of the account before this fill, in the quote currency"),
    ("taker_fee", "<f8", "the venue's or the settings', a fraction"),
    ("price", "<f8", "to be paid; a taker's, until the scheme writes another"),
    ("fee", "<f8", "to be paid, in the quote currency; a taker's, until the scheme writes another"),
)
"""What a cost scheme is asked about, and where it answers."""

POLICY_BAR = np.dtype([(name, kind) for name, kind, _ in POLICY_FIELDS])
FILL_ASKED = np.dtype([(name, kind) for name, kind, _ in FILL_FIELDS])


class PolicyCall(NamedTuple):
    """A user's policy, with room for asking it.

    Attributes:
        is_own: whether there is a user's policy.
        call: the compiled function.
        bar: one record POLICY_BAR.
        fault: int64[2], bar and symbol of the first answer that cannot be; -1 where there is none.
    """

    is_own: bool
    call: Any
    bar: npt.NDArray[np.void]
    fault: I64


class SchemeCall(NamedTuple):
    """A user's cost scheme, with room for asking it.

    Attributes:
        is_own: whether there is a user's scheme.
        call: the compiled function.
        fill: one record FILL_ASKED.
        state: float64[S, k], the book's.
        trial: float64[k], a copy of a symbol's state for a fill that is asked about and not made.
        fault: as above.
    """

    is_own: bool
    call: Any
    fill: npt.NDArray[np.void]
    state: F64
    trial: F64
    fault: I64


@cache
def _nobody(result: Any, asked: np.dtype[np.void]) -> Any:
    """Return what is never called, of the type of a user's policy or scheme."""

    def answer(_asked: Any, _state: Any) -> float:
        return math.nan

    def write(_asked: Any, _state: Any) -> None:
        return

    signature = result(from_dtype(asked), OUTPUT)
    return cfunc(signature)(write if result is NOTHING else answer)


def policy_call(call: Any) -> PolicyCall:
    """Return room for a call of the kernel.

    Args:
        call: a user's compiled policy; None for a shipped one.
    """
    own = _nobody(NUMBER, POLICY_BAR) if call is None else call
    return PolicyCall(call is not None, own, np.zeros(1, POLICY_BAR), np.full(2, -1))


def scheme_call(call: Any, state: F64) -> SchemeCall:
    """Return room for a call of the kernel.

    Args:
        call: a user's compiled cost scheme; None for the shipped one.
        state: float64[S, k], the book's.
    """
    own = _nobody(NOTHING, FILL_ASKED) if call is None else call
    trial = np.empty(state.shape[1])
    return SchemeCall(
        call is not None, own, np.zeros(1, FILL_ASKED), state, trial=trial, fault=np.full(2, -1)
    )


@cold
def note_fault(fault: I64, i: int, s: int) -> None:
    """Note the first bar and symbol at which a user's part answered what cannot be."""
    if fault[0] < 0:
        fault[0] = i
        fault[1] = s
