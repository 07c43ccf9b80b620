"""Volatilities from shorter candles inside the bars, over a symbol's last 1 to 720 bars.

A bar's variance is its realised one (`market.finer_interval`), and where that is not known that of its
range (Parkinson 1980), so that one piece missing costs one bar's precision and no row. Rules: as of
`nested_windows`, whose windows these are.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F64, I64, Arrays, BarBlock, Bool
from bot.compiled import njit
from bot.features.groups import FeatureContext, Group, columns_of
from bot.features.library.nested_windows import LONGEST, WINDOWS, log_deviation

_WINDOWS = np.array(WINDOWS, dtype=np.int64)


def _carry(given: FeatureContext) -> Arrays:
    S = given.n_symbols
    return {"seen": np.zeros(S, dtype=np.int64), "ring": np.full((S, LONGEST), np.nan)}


def _advance(_: FeatureContext, arrays: Arrays, block: BarBlock, x: F64) -> None:
    high, low, realised, valid = columns_of(block, "high", "low", "realised_variance", "valid")
    _advance_all(arrays["seen"], arrays["ring"], high, low, realised, valid, x)


GROUP = Group("realised", _carry, _advance)
for _n in WINDOWS:
    GROUP.enter(
        f"log_realised_{_n}",
        f"log of the volatility by shorter candles over {_n} bars (Andersen & Bollerslev 1998)",
        _n, needs="finer",
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _advance_all(
    seen: I64, ring: F64, high: F64, low: F64, realised: F64, valid: Bool, x: F64
) -> None:
    for i in range(len(high)):
        for s in range(len(seen)):
            if not valid[i, s]:
                x[i, s, :] = np.nan
                continue
            at = seen[s] % LONGEST
            width = math.log(high[i, s]) - math.log(low[i, s])
            known = not math.isnan(realised[i, s])
            ring[s, at] = realised[i, s] if known else width**2 / (4.0 * math.log(2.0))
            seen[s] += 1
            total, taken = 0.0, 0
            for w in range(len(_WINDOWS)):
                while taken < _WINDOWS[w]:
                    total += ring[s, at]
                    at = at - 1 if at > 0 else LONGEST - 1
                    taken += 1
                x[i, s, w] = log_deviation(total / _WINDOWS[w])
