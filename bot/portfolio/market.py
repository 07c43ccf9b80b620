"""What the broker reads of a block of bars, and what it is told to act on.

Rules: one memory layout, C-ordered and writable, for which the kernel is compiled once.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I8, I64, BarBlock, Bool
from bot.one_for_all import is_one_for_all, one_for_all
from bot.portfolio.calibration import Calibrated, uncalibrated

_Scalar = TypeVar("_Scalar", bound=np.generic)


class Market(NamedTuple):
    """The columns of a BarBlock that the broker reads, with what a decision is made of.

    Attributes:
        has_extremes: False where no mark's high or low is known, so that they need not be looked at.
        has_events: False where no symbol leaves, is settled, or is charged funding inside a bar.
    """

    open_time: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64
    valid: Bool
    in_session: Bool
    tradable: Bool
    fillable: Bool
    fill_bid: F64
    fill_ask: F64
    bid_size: F64
    ask_size: F64
    funding_rate: F64
    mark: F64
    mark_high: F64
    mark_low: F64
    funding_inside: F64
    funding_inside_unknown: F64
    signal: F64
    volatility: F64
    agreement: F64
    slope: F64
    slope_error: F64
    days: I64
    bound: F64
    leaving: Bool
    settlement_price: F64
    refused_by_model: I8
    has_extremes: bool
    has_events: bool


def market_of(
    bars: BarBlock, signal: F64, volatility: F64,
    agreement: F64 | None = None, calibrated: Calibrated | None = None,
    refused_by_model: I8 | None = None,
) -> Market:  # fmt: skip
    """Return the broker's columns of a block; signal, volatility, agreement are float64[n, S].

    Without agreement, which is read under a disagreement penalty only, the signal holds its place;
    without a calibration nothing is known of what it is worth; without a model's refusals it refuses
    nothing.
    """
    known = uncalibrated(len(bars)) if calibrated is None else calibrated
    return Market(
        open_time=_plain(bars.open_time),
        open=_plain(bars.open),
        high=_plain(bars.high),
        low=_plain(bars.low),
        close=_plain(bars.close),
        volume=_plain(bars.volume),
        valid=_plain(bars.valid),
        in_session=_plain(bars.in_session),
        tradable=_plain(bars.tradable),
        fillable=_plain(bars.fillable),
        fill_bid=_plain(bars.fill_bid),
        fill_ask=_plain(bars.fill_ask),
        bid_size=_plain(bars.bid_size),
        ask_size=_plain(bars.ask_size),
        funding_rate=_plain(bars.funding_rate),
        mark=_plain(bars.mark),
        mark_high=_plain(bars.mark_high),
        mark_low=_plain(bars.mark_low),
        funding_inside=_plain(bars.funding_inside),
        funding_inside_unknown=_plain(bars.funding_inside_unknown),
        signal=_plain(signal),
        volatility=_plain(volatility),
        agreement=_plain(signal if agreement is None else agreement),
        slope=_plain(known.slope),
        slope_error=_plain(known.error),
        days=_plain(known.days),
        bound=_plain(known.bound),
        leaving=_plain(bars.leaving),
        settlement_price=_plain(bars.settlement_price),
        refused_by_model=_plain(
            one_for_all(np.int8(0), signal.shape) if refused_by_model is None else refused_by_model
        ),
        has_extremes=not (_lacks(bars.mark_high) and _lacks(bars.mark_low)),
        has_events=not (
            _lacks(bars.settlement_price)
            and _lacks(bars.funding_inside)
            and _lacks(bars.funding_inside_unknown)
            and _lacks(bars.leaving)
        ),
    )


def _lacks(column: npt.NDArray[Any]) -> bool:
    """Tell whether it is known without a look at each number that a column says nothing."""
    return is_one_for_all(column) and not abs(float(column[0, 0])) > 0.0


def _plain(array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    if is_one_for_all(array):
        return _filled(array[0, 0], array.shape)
    return array if array.flags.carray else np.array(array, order="C")


_FILLED: dict[bytes, npt.NDArray[Any]] = {}


def _filled(value: _Scalar, shape: tuple[int, ...]) -> npt.NDArray[_Scalar]:
    """Return an array that is full of a number, the same one for every block: it stays in the cache."""
    size, key = math.prod(shape), value.dtype.char.encode() + value.tobytes()
    known = _FILLED.get(key)
    if known is None or len(known) < size:
        known = _FILLED[key] = np.full(size, value)
    return known[:size].reshape(shape)
