"""An account walked bar by bar over given round trips: what the controls of a run would have earned.

Owns arithmetic only, the engine's own: an order's quantity is fixed at the close before its bar from
that equity and price, it is filled in the middle of the market and pays its share of the notional, and
funding is paid on what is held. Rules: compiled, and so hashed into the folder of machine code; what
is walked over is handed in, so that a run, a control and a thousand twins meet the same market. An
account that has nothing left opens nothing. Must not know a run, a policy or chance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bot.blocks import F64, I64
from bot.compiled import njit


class Tape(NamedTuple):
    """The market of m bars and S symbols that accounts are walked over.

    Attributes:
        fill: float64[m, S], the middle price at which orders of the bar are filled.
        mark: float64[m + 1, S], the last known close before each bar, and behind the last one.
        paid_before, paid_after: float64[m, S], funding in the quote currency that each unit held
            long pays in the bar: on what is held before its fills, and on what is held after them.
        cost: float64[S], what a fill pays beside its middle price, as a share of the notional.
    """

    fill: F64
    mark: F64
    paid_before: F64
    paid_after: F64
    cost: F64


class Legs(NamedTuple):
    """Round trips of D accounts, K each: those of symbol s in columns bounds[s]..bounds[s + 1]-1.

    Attributes:
        entry, exit: int64[D, K], the bars at which a trip is opened and closed, in order and without
            overlap within a symbol; m where it stays open.
        size: float64[D, K], the signed share of equity that it is opened with.
        bounds: int64[S + 1].
    """

    entry: I64
    exit: I64
    size: F64
    bounds: I64


@njit(cache=True, error_model="numpy")
def _walk(tape: Tape, legs: Legs, d: int, capital: float, curve: F64) -> None:
    """Write the equity of account d at each close into `curve`, float64[m]."""
    n_symbols = len(tape.cost)
    held = np.zeros(n_symbols)
    leg = legs.bounds[:-1].copy()
    cash = equity = capital
    for i in range(len(tape.fill)):
        worth = 0.0
        for s in range(n_symbols):
            if held[s] != 0.0:
                cash -= held[s] * tape.paid_before[i, s]
                if legs.exit[d, leg[s]] == i:
                    value = held[s] * tape.fill[i, s]
                    cash += value - tape.cost[s] * abs(value)
                    held[s] = 0.0
                    leg[s] += 1
            if leg[s] < legs.bounds[s + 1] and legs.entry[d, leg[s]] == i:
                if equity > 0.0:
                    held[s] = legs.size[d, leg[s]] * equity / tape.mark[i, s]
                    value = held[s] * tape.fill[i, s]
                    cash -= value + tape.cost[s] * abs(value)
                else:
                    leg[s] += 1
            if held[s] != 0.0:
                cash -= held[s] * tape.paid_after[i, s]
                worth += held[s] * tape.mark[i + 1, s]
        equity = cash + worth
        curve[i] = equity


@njit(cache=True, error_model="numpy")
def _last_equities(tape: Tape, legs: Legs, capital: float) -> F64:
    last = np.empty(len(legs.entry))
    curve = np.empty(len(tape.fill))
    for d in range(len(last)):
        _walk(tape, legs, d, capital, curve)
        last[d] = curve[-1]
    return last


def equity_curve(tape: Tape, legs: Legs, capital: float) -> F64:
    """Return float64[m], the equity of the one account at each close."""
    curve = np.empty(len(tape.fill))
    _walk(tape, legs, 0, capital, curve)
    return curve


def last_equities(tape: Tape, legs: Legs, capital: float) -> F64:
    """Return float64[D], the equity of each account at the last close."""
    last: F64 = _last_equities(tape, legs, capital)
    return last
