"""A user's compiled parts as the kernel takes them, with room for asking them.

Rules: nothing here but the book's state outlives a call. A shipped part is not asked. The fields of the
two records may grow: a part that does not read a new one goes on as it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64
from bot.parts.compile import NOTHING, NUMBER, OUTPUT, record
from bot.portfolio.kernel.by_address import address_of, caller
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

call_policy = caller(NUMBER, record(POLICY_BAR), OUTPUT)
"""Ask the policy at an address about a bar; (address, bar, state) to a side."""

call_scheme = caller(NOTHING, record(FILL_ASKED), OUTPUT)
"""Let the cost scheme at an address write price and fee; (address, fill, state)."""


class PolicyCall(NamedTuple):
    """A user's policy, with room for asking it.

    Attributes:
        is_own: whether there is a user's policy.
        address: of the compiled function, 0 where there is none.
        bar: one record POLICY_BAR.
        fault: int64[2], bar and symbol of the first answer that cannot be; -1 where there is none.
    """

    is_own: bool
    address: int
    bar: npt.NDArray[np.void]
    fault: I64


class SchemeCall(NamedTuple):
    """A user's cost scheme, with room for asking it.

    Attributes:
        is_own: whether there is a user's scheme.
        address: of the compiled function, 0 where there is none.
        fill: one record FILL_ASKED.
        state: float64[S, k], the book's.
        trial: float64[k], a copy of a symbol's state for a fill that is asked about and not made.
        fault: as above.
    """

    is_own: bool
    address: int
    fill: npt.NDArray[np.void]
    state: F64
    trial: F64
    fault: I64


_NO_POLICY = PolicyCall(is_own=False, address=0, bar=np.zeros(1, POLICY_BAR), fault=np.full(2, -1))
_NO_SCHEME = SchemeCall(
    is_own=False, address=0, fill=np.zeros(1, FILL_ASKED),
    state=np.zeros((0, 0)), trial=np.zeros(0), fault=np.full(2, -1),
)  # fmt: skip
"""Where there is none of a user's; nobody writes to them."""


def policy_call(call: Any) -> PolicyCall:
    """Return room for a call of the kernel.

    Args:
        call: a user's compiled policy; None for a shipped one.
    """
    if call is None:
        return _NO_POLICY
    return PolicyCall(True, address_of(call), np.zeros(1, POLICY_BAR), np.full(2, -1))


def scheme_call(call: Any, state: F64) -> SchemeCall:
    """Return room for a call of the kernel.

    Args:
        call: a user's compiled cost scheme; None for the shipped one.
        state: float64[S, k], the book's.
    """
    if call is None:
        return _NO_SCHEME
    trial = np.empty(state.shape[1])
    return SchemeCall(
        True,
        address_of(call),
        np.zeros(1, FILL_ASKED),
        state,
        trial=trial,
        fault=np.full(2, -1),
    )


@cold
def note_fault(fault: I64, i: int, s: int) -> None:
    """Note the first bar and symbol at which a user's part answered what cannot be."""
    if fault[0] < 0:
        fault[0] = i
        fault[1] = s
