"""What longs pay, and how far the mark price lies from the last: how crowded a contract is.

Rules: a settlement counts in the bar at whose open or inside which it falls, a missing bar included; one
that is due and not known counts as the last that is known, and a rate of exactly 0 is no settlement. Days go
by the clock. A mark price that is not known leaves the basis as it was. Before the first known value there
is none. Must not know which venue settles when.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F64, I64, Arrays, BarBlock, Bool
from bot.compiled import njit
from bot.features.groups import FeatureContext, Group, columns_of
from bot.timegrid import DAY_MS, HOUR_MS

DAYS = 3
USUAL_STEP_MS = 8 * HOUR_MS
BASIS_BARS = 24


def _days_bars(given: FeatureContext) -> int:
    return DAYS * DAY_MS // given.interval_ms


def _step_bars(given: FeatureContext) -> int:
    return max(USUAL_STEP_MS // given.interval_ms, 1)


def _carry(given: FeatureContext) -> Arrays:
    S = given.n_symbols
    return {
        "span": np.full((S, 2), -1, dtype=np.int64),
        "last": np.full((S, 2), np.nan),
        "settled": np.zeros((S, _days_bars(given))),
        "basis": np.full((S, BASIS_BARS), np.nan),
        "seen": np.zeros(S, dtype=np.int64),
    }


def _advance(given: FeatureContext, arrays: Arrays, block: BarBlock, x: F64) -> None:
    open_, rate, inside, unknown, mark, valid = columns_of(
        block, "open", "funding_rate", "funding_inside", "funding_inside_unknown", "mark", "valid"
    )
    _advance_all(
        arrays["span"], arrays["last"], arrays["settled"], arrays["basis"], arrays["seen"],
        block.open_time // given.interval_ms, open_, rate, inside, unknown, mark, valid,
        _step_bars(given), x,
    )  # fmt: skip


GROUP = Group("funding", _carry, _advance)
GROUP.enter(
    "funding_rate", "what longs paid at the last settlement known, or inside its bar; a fraction",
    _step_bars, needs="funding",
)  # fmt: skip
GROUP.enter(
    "funding_mean_3d", "what longs paid over the last 3 days, a day; a fraction", _days_bars,
    needs="funding",
)  # fmt: skip
GROUP.enter("basis", "mark price at the bar's open over the open, less 1", 1, needs="mark")
GROUP.enter("basis_24", "mean of basis over 24 bars", BASIS_BARS, needs="mark")


@njit(cache=True, error_model="numpy")
def _advance_all(
    span: I64, last: F64, settled: F64, basis: F64, seen: I64, slots: I64, open_: F64, rate: F64,
    inside: F64, unknown: F64, mark: F64, valid: Bool, step: int, x: F64,
) -> None:  # fmt: skip
    """Advance over n bars.

    Args:
        span: int64[S, 2], the slots of the first and of the newest bar; -1 before there is one.
        last: float64[S, 2], the last settlement and the last basis known.
        settled: float64[S, L], what was paid in each of the last L slots.
        basis: float64[S, 24], that of the newest own bars.
        step: bars between two settlements, usually.
    """
    length = settled.shape[1]
    for i in range(len(slots)):
        for s in range(len(seen)):
            x[i, s, :] = np.nan
            amount = _paid(rate[i, s], inside[i, s], unknown[i, s], open_[i, s], last[s, 0])
            if not valid[i, s] and span[s, 0] < 0:
                continue  # the symbol has not begun
            if span[s, 0] < 0:
                span[s, 0] = slots[i]
                span[s, 1] = slots[i] - 1
            for slot in range(max(span[s, 1] + 1, slots[i] - length + 1), slots[i]):
                settled[s, slot % length] = 0.0
            span[s, 1] = slots[i]
            settled[s, slots[i] % length] = 0.0 if math.isnan(amount) else amount
            if not math.isnan(amount) and amount != 0.0:
                last[s, 0] = amount
            if valid[i, s]:
                _set_basis(last, basis, seen, s, mark[i, s] / open_[i, s] - 1.0)
                old = slots[i] - span[s, 0] + 1
                if old >= step:
                    x[i, s, 0] = last[s, 0]
                if old >= length and not math.isnan(last[s, 0]):
                    x[i, s, 1] = _total(settled[s]) / DAYS
                x[i, s, 2] = last[s, 1]
                x[i, s, 3] = _total(basis[s]) / BASIS_BARS


@njit(cache=True, error_model="numpy")
def _paid(rate: float, inside: float, unknown: float, price: float, last: float) -> float:
    """Return what a bar's settlements come to; NaN where one is due before any is known."""
    amount = last if math.isnan(rate) else rate
    if inside != 0.0 and price > 0.0:
        amount += inside / price
    return amount + unknown * last if unknown > 0.0 else amount


@njit(cache=True, error_model="numpy")
def _set_basis(last: F64, basis: F64, seen: I64, s: int, value: float) -> None:
    if not math.isnan(value):
        last[s, 1] = value
    basis[s, seen[s] % BASIS_BARS] = last[s, 1]
    seen[s] += 1


@njit(cache=True, error_model="numpy")
def _total(values: F64) -> float:
    total = 0.0
    for k in range(len(values)):
        total += values[k]
    return total
