"""Calibration: what a signal was worth, from signals whose horizon is over.

The slope b of realised returns on signals, through the origin, is asked of past forecasts only:
each was made by a model before its bar's future was known, and is scored when its horizon is over.
Rows are gathered by days of their forecast, so that overlapping horizons and symbols that move
together do not pass for many (cluster-robust error: Liang & Zeger 1986).

Rules: all that is carried is in the state, so that any partition of the bars gives the same bits; a
bar's slope knows the closes up to its own. Must not know costs, sides or positions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64, BarBlock, Bool
from bot.portfolio.kernel.compiling import cold, hot
from bot.timegrid import DAY_MS

LEAST_BLOCKS = 2
"""Of fewer blocks the error is not known."""

SUMS = np.dtype(
    [
        ("block", "<i8"),  # number of the open block, -1 before the first row
        ("day", "<i8"),  # of the row scored last
        ("open_days", "<i8"),  # days scored of the open block
        ("open_a", "<f8"),  # sum of w s y in the open block
        ("open_q", "<f8"),  # sum of w s s
        ("days", "<i8"),  # scored, of blocks that are over
        ("blocks", "<i8"),  # that are over
        ("a", "<f8"),  # sums over these blocks
        ("q", "<f8"),
        ("aa", "<f8"),
        ("aq", "<f8"),
        ("qq", "<f8"),
    ]
)
"""The sums of the regression."""


class CalibrationState(NamedTuple):
    """What is carried: the sums, and the signals whose horizon is not over.

    Attributes:
        sums: one row of dtype SUMS.
        place: int64[S], of each symbol's oldest pending row in its ring of `horizon`.
        open_time: int64[S, h], of the bars of pending rows.
        close: float64[S, h], their closes.
        signal: float64[S, h]; NaN where a row is not scored.
        weight: float64[S, h], 1 / (variance of the return over the horizon).
    """

    sums: npt.NDArray[np.void]
    place: I64
    open_time: I64
    close: F64
    signal: F64
    weight: F64


class Calibrated(NamedTuple):
    """What is known at each close, n bars.

    Attributes:
        slope: float64[n], b; NaN while fewer than two blocks are over.
        error: float64[n], its standard error.
        days: int64[n], scored, of blocks that are over.
        bound: float64[n, S], the largest expected return there may be.
    """

    slope: F64
    error: F64
    days: I64
    bound: F64


def new_calibration(n_symbols: int, horizon: int) -> CalibrationState:
    """Return the state before the first bar; a horizon of 0 calibrates nothing."""
    sums = np.zeros(1, SUMS)
    sums["block"] = sums["day"] = -1
    shape = (n_symbols, horizon)
    return CalibrationState(
        sums,
        np.zeros(n_symbols, dtype=np.int64),
        np.zeros(shape, dtype=np.int64),
        *(np.full(shape, np.nan) for _ in range(3)),
    )


def block_days(horizon: int, bar_ms: int) -> int:
    """Return the days of a block: five horizons, one at least.

    >>> block_days(5, 3_600_000), block_days(72, 3_600_000)
    (1, 15)
    """
    return max(1, 5 * horizon * bar_ms // DAY_MS)


def uncalibrated(n: int) -> Calibrated:
    """Return what is known of n bars where nothing is calibrated."""
    unknown = np.full(n, np.nan)
    return Calibrated(unknown, unknown, np.zeros(n, dtype=np.int64), np.empty((0, 0)))


def calibrate(
    state: CalibrationState, bars: BarBlock, signal: F64, volatility: F64, bound: F64, days: int
) -> tuple[CalibrationState, Calibrated]:
    """Score the rows whose horizon ends in these bars, and take in the bars' own.

    Args:
        state: before the first of these bars; it is not changed.
        signal: float64[n, S], of models that had not seen the bar; NaN where there is none.
        volatility: float64[n, S], predicted deviation of a bar's return.
        bound: float64[n, S], passed through.
        days: of a block.
    """
    after = CalibrationState._make([np.array(array) for array in state])
    n = len(bars)
    known = Calibrated(np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, dtype=np.int64), bound)
    if after.signal.shape[1]:
        _advance(
            after, np.asarray(bars.open_time), bars.close, bars.valid,
            bars.in_session, signal, volatility, days, known.slope, known.error, known.days,
        )  # fmt: skip
    return after, known


def slope_of(state: CalibrationState) -> tuple[float | None, float | None]:
    """Return slope and standard error as they stand; None while fewer than two blocks are over."""
    sums = state.sums[0]
    if sums["blocks"] < LEAST_BLOCKS:
        return None, None
    slope, error = _regressed(sums)
    return float(slope), float(error)


def to_arrays(state: CalibrationState) -> dict[str, npt.NDArray[Any]]:
    """Return the state as named arrays; the sums, one by one."""
    arrays: dict[str, npt.NDArray[Any]] = state._asdict()
    del arrays["sums"]
    return arrays | {name: state.sums[name].copy() for name in SUMS.names or ()}


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> CalibrationState:
    """Return the state that `to_arrays` took apart."""
    sums = np.zeros(1, SUMS)
    for name in SUMS.names or ():
        sums[name] = arrays[name]
    return CalibrationState(
        sums, *(np.array(arrays[name]) for name in CalibrationState._fields[1:])
    )


@cold
def _advance(
    state: CalibrationState, open_time: I64, close: F64, valid: Bool, in_session: Bool,
    signal: F64, volatility: F64, days: int, slope: F64, error: F64, scored: I64,
) -> None:  # fmt: skip
    sums = state.sums[0]
    horizon = state.signal.shape[1]
    for i in range(len(open_time)):
        for s in range(len(state.place)):
            if not in_session[i, s]:
                continue  # no bar of this symbol's horizons
            at = state.place[s]
            past = state.signal[s, at]
            if valid[i, s] and not math.isnan(past):
                realised = close[i, s] / state.close[s, at] - 1.0
                _score(
                    sums,
                    state.open_time[s, at] // DAY_MS,
                    days,
                    past,
                    realised,
                    state.weight[s, at],
                )
            variance = volatility[i, s] * volatility[i, s] * horizon
            usable = valid[i, s] and variance > 0.0 and variance < math.inf
            state.open_time[s, at] = open_time[i]
            state.close[s, at] = close[i, s] if usable else math.nan
            state.signal[s, at] = signal[i, s] if usable else math.nan
            state.weight[s, at] = 1.0 / variance if usable else math.nan
            state.place[s] = (at + 1) % horizon
        scored[i] = sums.days
        if sums.blocks >= LEAST_BLOCKS:
            slope[i], error[i] = _regressed(sums)


@hot
def _score(sums: Any, day: int, days: int, signal: float, realised: float, weight: float) -> None:
    """Add a row to the block of its day.

    Symbols with other sessions may bring a row of an older day later: it is added to the open block.
    """
    block = day // days
    if block > sums.block:
        if sums.block >= 0:
            _close_block(sums)
        sums.block = block
    if day > sums.day:
        sums.day = day
        sums.open_days += 1
    sums.open_a += weight * signal * realised
    sums.open_q += weight * signal * signal


@hot
def _close_block(sums: Any) -> None:
    a, q = sums.open_a, sums.open_q
    sums.a += a
    sums.q += q
    sums.aa += a * a
    sums.aq += a * q
    sums.qq += q * q
    sums.blocks += 1
    sums.days += sums.open_days
    sums.open_days = 0
    sums.open_a = 0.0
    sums.open_q = 0.0


@hot
def _regressed(sums: Any) -> tuple[float, float]:
    """Return slope and standard error; 0 and 0 of signals that said nothing."""
    if not sums.q > 0.0:
        return 0.0, 0.0
    b = sums.a / sums.q
    spread = max(0.0, sums.aa - 2.0 * b * sums.aq + b * b * sums.qq)
    return b, math.sqrt(spread * sums.blocks / (sums.blocks - 1)) / sums.q
