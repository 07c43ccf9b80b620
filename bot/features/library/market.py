"""The market as a whole: the equal-weighted return of all symbols, and the share of them that rise.

Rules: a symbol takes part with its log return since its own bar before; a bar of the grid in which no
symbol has one is no bar of the market's. The value is the same for every symbol. Must not weigh by size, which
no candle knows.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F64, I64, Arrays, BarBlock, Bool
from bot.compiled import njit
from bot.features.groups import FeatureContext, Group, columns_of

RETURNS = (1, 5, 24, 168)
BREADTHS = (1, 24)
LONGEST, LONGEST_BREADTH = RETURNS[-1], BREADTHS[-1]
_RETURNS = np.array(RETURNS, dtype=np.int64)
_BREADTHS = np.array(BREADTHS, dtype=np.int64)


def _carry(given: FeatureContext) -> Arrays:
    S = given.n_symbols
    return {
        "seen": np.zeros(1, dtype=np.int64),
        "log_close": np.full(S, np.nan),
        "means": np.full(LONGEST, np.nan),
        "returns": np.zeros((LONGEST_BREADTH, S)),
    }


def _advance(_: FeatureContext, arrays: Arrays, block: BarBlock, x: F64) -> None:
    close, valid = columns_of(block, "close", "valid")
    _advance_all(
        arrays["seen"], arrays["log_close"], arrays["means"], arrays["returns"], close, valid, x
    )


GROUP = Group("market", _carry, _advance)

for _n in RETURNS:
    GROUP.enter(
        f"market_return_{_n}", f"mean log return of all symbols, summed over {_n} bars",
        _n + 1, over="cross_section",
    )  # fmt: skip
for _n in BREADTHS:
    GROUP.enter(
        f"breadth_{_n}", f"share of the symbols that rose over {_n} bars",
        _n + 1, over="cross_section",
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _advance_all(
    seen: I64, log_close: F64, means: F64, returns: F64, close: F64, valid: Bool, x: F64
) -> None:
    n, n_symbols = close.shape
    row = np.empty(len(_RETURNS) + len(_BREADTHS))
    present = np.empty(n_symbols, dtype=np.bool_)
    for i in range(n):
        at = seen[0] % LONGEST_BREADTH
        mean = _take(log_close, returns[at], present, close[i], valid[i])
        if math.isnan(mean):
            x[i] = np.nan
            continue
        means[seen[0] % LONGEST] = mean
        seen[0] += 1
        _set_returns(seen[0], means, row)
        _set_breadths(seen[0], returns, present, row)
        for s in range(n_symbols):
            for k in range(len(row)):
                x[i, s, k] = row[k] if valid[i, s] else np.nan


@njit(cache=True, error_model="numpy")
def _take(log_close: F64, returns: F64, present: Bool, close: F64, valid: Bool) -> float:
    """Set each symbol's return, 0 where it has none, and return their mean; NaN where none has one."""
    total, known = 0.0, 0
    for s in range(len(close)):
        returns[s] = 0.0
        present[s] = valid[s] and not math.isnan(log_close[s])
        if present[s]:
            returns[s] = math.log(close[s]) - log_close[s]
            total += returns[s]
            known += 1
        if valid[s]:
            log_close[s] = math.log(close[s])
    return total / known if known > 0 else np.nan


@njit(cache=True, error_model="numpy")
def _set_returns(seen: int, means: F64, row: F64) -> None:
    total, taken = 0.0, 0
    for k in range(len(_RETURNS)):
        while taken < _RETURNS[k]:
            taken += 1
            total += means[(seen - taken) % LONGEST]
        row[k] = total


@njit(cache=True, error_model="numpy")
def _set_breadths(seen: int, returns: F64, present: Bool, row: F64) -> None:
    """Set the share of the symbols present that rose; NaN until the market has so many bars."""
    for k in range(len(_BREADTHS)):
        rose, known = 0, 0
        for s in range(len(present)):
            if present[s]:
                total = 0.0
                for back in range(1, min(_BREADTHS[k], seen) + 1):
                    total += returns[(seen - back) % LONGEST_BREADTH, s]
                rose += total > 0.0
                known += 1
        row[len(_RETURNS) + k] = rose / known if seen >= _BREADTHS[k] else np.nan
