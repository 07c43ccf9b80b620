"""The made market that parts are tried on: three symbols, some bars missing, some without turnover.

They settle funding every eight hours; some of their mark prices are not known.

Rule: the same bars whenever they are asked for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bot.blocks import BarBlock
from bot.timegrid import HOUR_MS

SYMBOLS = ("A", "B", "C")
MISSING, NO_TURNOVER, NOT_KNOWN = 0.05, 0.02, 0.1
FUNDING_MS = 8 * HOUR_MS


def made_market(n: int, seed: int = 7) -> BarBlock:
    """Return n hourly bars of three symbols, of which a share is missing."""
    rng = np.random.default_rng(seed)
    shape = (n, len(SYMBOLS))
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, shape), axis=0))
    open_ = np.vstack([np.full((1, shape[1]), 100.0), close[:-1]])
    high = np.maximum(open_, close) * (1.0 + 0.01 * rng.random(shape))
    low = np.minimum(open_, close) * (1.0 - 0.01 * rng.random(shape))
    volume = np.exp(rng.normal(3.0, 1.0, shape))
    turnover = np.where(rng.random(shape) < NO_TURNOVER, np.nan, volume * close)
    valid = rng.random(shape) >= MISSING
    columns = [np.where(valid, a, np.nan) for a in (open_, high, low, close, volume)]
    time = np.arange(n, dtype=np.int64) * HOUR_MS
    settles = (time % FUNDING_MS == 0)[:, None]
    rate = np.where(settles, rng.normal(1e-4, 1e-4, shape), 0.0)
    rate = np.where(settles & (rng.random(shape) < NOT_KNOWN), np.nan, rate)
    mark = open_ * (1.0 + 1e-3 * rng.normal(0.0, 1.0, shape))
    mark = np.where(rng.random(shape) < NOT_KNOWN, np.nan, mark)
    return BarBlock.of_candles(
        time, *columns, valid=valid, turnover=np.where(valid, turnover, np.nan),
        funding_rate=rate, mark=mark,
    )  # fmt: skip


def with_other_future(bars: BarBlock, after: int) -> BarBlock:
    """Return the same bars up to and with `after`, and others behind it."""
    other = made_market(len(bars), seed=11)
    names = ("open", "high", "low", "close", "volume", "turnover", "valid", "fillable", "mark",
             "funding_rate")  # fmt: skip
    return replace(
        bars,
        **{
            name: np.concatenate(
                [getattr(bars, name)[: after + 1], getattr(other, name)[after + 1 :]]
            )
            for name in names
        },
    )
