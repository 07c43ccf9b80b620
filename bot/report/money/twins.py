"""Random twins of a run: its own round trips at times of chance, through the same costs.

A twin has as many trips of each symbol as the run, held as many of the symbol's bars and as large;
only when they are, and which of them are long, is drawn: the sides of a symbol's trips are dealt out
among them, so the share of longs is the run's in each symbol. Trips of a symbol follow one another in
a random order; each begins after a number of idle bars that is uniform over what is left of the span.
What is left of a run's return against its twins is timing. Rules: seeded by the run, so that the same
run has the same twins; the trips of a symbol never overlap. Must not judge the run in words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bot.blocks import F64, I64, Bool
from bot.report.inputs import RunData
from bot.report.money.retraced import legs_of_run, open_bars
from bot.report.money.walk import Legs, Tape, last_equities

TWINS = 1000
_CHUNK = 100
_TAIL = 2.5


def random_twins(run: RunData, start: int, tape: Tape, draws: int = TWINS) -> dict[str, Any]:
    """Return what random twins of the run earned, and where the run stands among them.

    Returns:
        `draws`; `trips` of each; the `total_return` of the median twin, with `low` and `high`, between
        which 95 % lie; `percentile`, the share of twins that the run beats (half of those it equals),
        None where it has no trip.
    """
    own = legs_of_run(run, start)
    trips = int(own.bounds[-1])
    figures: dict[str, Any] = {"draws": draws, "trips": trips}
    if trips == 0:
        return figures | dict.fromkeys(("total_return", "low", "high", "percentile"))
    rng = np.random.default_rng(run.seed)
    returns = twin_returns(own, open_bars(run, start), tape, draws, rng=rng, empty=run.empty)
    mine = float(run.equity[-1]) / run.equity_before(start) - 1.0
    low, middle, high = np.percentile(returns, [_TAIL, 50.0, 100.0 - _TAIL])
    return figures | {
        "total_return": float(middle),
        "low": float(low),
        "high": float(high),
        "percentile": beaten(returns, mine),
    }


def beaten(returns: F64, mine: float) -> float:
    """Return the share of the returns that are below mine, with half of those that equal it.

    >>> beaten(np.array([0.1, 0.2, 0.2, 0.3]), 0.2)
    0.5
    """
    return float(np.mean(returns < mine) + 0.5 * np.mean(returns == mine))


def twin_returns(
    own: Legs, allowed: Bool, tape: Tape, draws: int, rng: np.random.Generator,
    empty: Callable[..., Any] = np.empty,
) -> F64:  # fmt: skip
    """Return float64[draws], the total return of each twin of the account `own` (see `dealt`)."""
    sizes = [min(_CHUNK, draws - first) for first in range(0, draws, _CHUNK)]
    last = [last_equities(tape, dealt(own, allowed, size, rng, empty=empty), 1.0) for size in sizes]
    returns: F64 = np.concatenate(last) - 1.0
    return returns


def dealt(
    own: Legs, allowed: Bool, draws: int, rng: np.random.Generator,
    empty: Callable[..., Any] = np.empty,
) -> Legs:  # fmt: skip
    """Return the trips of `draws` twins.

    Args:
        own: the run's own, one account.
        allowed: bool[m, S], bars in which an order can be filled; a trip lasts as many of them in a
            twin as in the run.
        draws: twins.
        rng: chance.
        empty: makes arrays of so many trips.
    """
    shape = draws, int(own.bounds[-1])
    entry, exit_, signed = empty(shape, np.int64), empty(shape, np.int64), empty(shape)
    for s, (first, stop) in enumerate(zip(own.bounds[:-1], own.bounds[1:], strict=True)):
        places = np.flatnonzero(allowed[:, s])
        behind = np.append(places, len(allowed))  # a trip that ends behind the last bar stays open
        begun, ended = (
            np.searchsorted(places, each[0, first:stop]) for each in (own.entry, own.exit)
        )
        held = np.maximum(ended - begun, 1)  # 0 between quotes of a bar without a candle
        order, starts = placed(held, len(places), draws, rng)
        last = len(places)
        entry[:, first:stop] = behind[np.minimum(starts, last)]
        exit_[:, first:stop] = behind[np.minimum(starts + held[order], last)]
        size = own.size[0, first:stop]
        sides = rng.permuted(np.broadcast_to(np.sign(size), order.shape), axis=1)
        signed[:, first:stop] = np.abs(size)[order] * sides
    return Legs(entry=entry, exit=exit_, size=signed, bounds=own.bounds)


def placed(held: I64, room: int, draws: int, rng: np.random.Generator) -> tuple[I64, I64]:
    """Return in which order trips of these lengths follow one another, and where each begins.

    Args:
        held: int64[k], bars each is held, at least 1; together at most `room`.
        room: bars there are.
        draws: D.
        rng: chance.

    Returns:
        int64[D, k] twice: the trip at each place of the order, and its first bar.
    """
    order = rng.permuted(np.broadcast_to(np.arange(len(held)), (draws, len(held))), axis=1)
    idle = np.sort(rng.integers(0, max(room - held.sum(), 0) + 1, size=order.shape), axis=1)
    lengths = held[order]
    return order, idle + np.cumsum(lengths, axis=1) - lengths
