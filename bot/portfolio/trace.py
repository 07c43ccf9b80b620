"""The trace: what a call of the broker did, a row a bar, with the fills.

Rules: a row has the whole bar's costs, also when the bar was opened and closed by two calls; the
fills are those of the call. `joined` makes one trace of the two calls of a bar.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, FILL, I8, I64
from bot.errors import InvariantError
from bot.portfolio.book import copy_records

_NAN = np.float64(np.nan).tobytes()
_NOBODY_ASKED = np.empty((0, 0))


class Phase(IntEnum):
    """Which part of its bars a call does."""

    OPEN = 1
    CLOSE = 2
    BOTH = 3


class Trace(NamedTuple):
    """What happened, n bars of S symbols.

    Attributes:
        phase: a Phase; after OPEN alone a row shows the bar so far, at the marks of the last close.
        cash, equity: float64[n], at the end of the bar.
        fees, spread, slippage, funding: float64[n], of the bar, positive when paid.
        in_coin: float64[n], what of fees and funding was paid in coin, and cash that coins brought.
        funding_unknown: int64[n], settlements of positions held whose rate was not known.
        quantity: float64[n, S], held at the end of the bar.
        coin: float64[n, S], coins of inverse symbols at the end of the bar, 0 of others; 0 × 0 where no
            symbol is inverse.
        weight: float64[n, S], the target decided, NaN where nothing was.
        order: float64[n, S], the signed quantity ordered at this close, 0 for none.
        refusal: int8[n, S], a Refusal.
        fills: of dtype FILL, in the order of bars and then of symbols.
        edge: float64[n, S], the return over the horizon that the signal is expected to bring; NaN
            without a forecast, a calibration, or a policy or sizing that reads it.
        hurdle: float64[n, S], what the edge had to exceed; NaN where none was asked.
        age: float64[n, S], closes since the side was decided; NaN but for the edge policy.
    """

    phase: int
    cash: F64
    equity: F64
    fees: F64
    spread: F64
    slippage: F64
    funding: F64
    funding_unknown: I64
    quantity: F64
    weight: F64
    order: F64
    refusal: I8
    fills: npt.NDArray[np.void]
    edge: F64
    hurdle: F64
    age: F64
    in_coin: F64
    coin: F64

    @property
    def n_bars(self) -> int:
        """Return n."""
        return len(self.cash)


def blank_trace(
    phase: Phase,
    n: int,
    n_symbols: int,
    *,
    edges: bool = False,
    coins: bool = False,
    fills_a_bar: int = 1,
) -> Trace:
    """Return a trace to be written.

    Args:
        fills_a_bar: most fills of a symbol in a bar, for which there is room.
        coins: whether any symbol is inverse.
        edges: whether edges, hurdles and ages will be written; without, there is no room for them.
    """
    shape = (n, n_symbols)
    row = np.empty((7, n))
    asked = [np.full(shape, np.nan) for _ in range(3)] if edges else [_NOBODY_ASKED] * 3
    return Trace(
        phase=int(phase),
        cash=row[0],
        equity=row[1],
        fees=row[2],
        spread=row[3],
        slippage=row[4],
        funding=row[5],
        in_coin=row[6],
        funding_unknown=np.empty(n, dtype=np.int64),
        quantity=np.empty(shape),
        coin=np.zeros(shape if coins else (0, 0)),
        weight=np.full(shape, np.nan),
        order=np.zeros(shape),
        refusal=np.zeros(shape, dtype=np.int8),
        fills=np.empty(n * n_symbols * fills_a_bar, dtype=FILL),
        edge=asked[0],
        hurdle=asked[1],
        age=asked[2],
    )


def finished(trace: Trace, count: int) -> Trace:
    """Return a written trace with the fills that there are, and NaN for edges that nobody asked."""
    fills = copy_records(trace.fills[:count])
    if trace.edge.shape == trace.weight.shape:
        return trace._replace(fills=fills)
    # as np.broadcast_to does, which takes ten times as long: this is done at every bar of a live run
    none = np.ndarray(trace.weight.shape, np.float64, _NAN, strides=(0, 0))
    return trace._replace(fills=fills, edge=none, hurdle=none, age=none)


def joined(opened: Trace, closed: Trace) -> Trace:
    """Return the one trace of bars that were opened by one call and closed by the next.

    Raises:
        InvariantError: the traces are not of the two phases of one bar.
    """
    phases = (opened.phase, closed.phase)
    if phases != (Phase.OPEN, Phase.CLOSE) or not opened.n_bars == closed.n_bars == 1:
        raise InvariantError(
            "an open and a close of one bar can be joined; given were phases "
            f"{phases} of {opened.n_bars} and {closed.n_bars} bars"
        )
    return closed._replace(
        phase=int(Phase.BOTH),
        refusal=np.where(closed.refusal != 0, closed.refusal, opened.refusal),
        fills=np.concatenate([opened.fills, closed.fills]),
    )
