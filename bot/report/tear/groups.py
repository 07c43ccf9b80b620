"""Round trips in groups: by symbol, side, hour and weekday of entry, reason of the end, time held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.blocks import I64
from bot.report.money.metrics import Figures, finite, win_figures
from bot.report.money.trades import Trades
from bot.timegrid import DAY_MS, HOUR_MS

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_THURSDAY = 3
"""1970-01-01 was one."""


def grouped(
    trades: Trades, symbols: Sequence[str], reasons: Mapping[int, str]
) -> dict[str, list[dict[str, Any]]]:
    """Return rows by symbol, side, hour, weekday, reason and bars held.

    A row has the group's name, its count, the sum of profits, fees and funding, the mean profit as a
    fraction of the equity before, win rate and profit factor. A group without a trip has no row.
    """
    hours = trades.entry_ms % DAY_MS // HOUR_MS
    weekdays = (trades.entry_ms // DAY_MS + _THURSDAY) % 7
    held, labels = _held(trades.bars_held)
    keyed: dict[str, tuple[I64, Mapping[int, str]]] = {
        "symbol": (trades.symbol, dict(enumerate(symbols))),
        "side": (trades.side, {1: "long", -1: "short"}),
        "hour": (hours, {h: f"{h:02d}:00" for h in range(24)}),
        "weekday": (weekdays, dict(enumerate(_WEEKDAYS))),
        "reason": (trades.exit_reason, {0: "none", **reasons}),
        "held": (held, labels),
    }
    return {name: _rows(trades, key, words) for name, (key, words) in keyed.items()}


def _held(bars: I64) -> tuple[I64, dict[int, str]]:
    """Return how long each was held, in classes that double: within one bar, then 1, 2, 3-4, 5-8, ... bars."""
    size = np.where(bars == 0, -1, np.ceil(np.log2(np.maximum(bars, 1)))).astype(np.int64)
    labels = {-1: "within a bar", 0: "1 bar", 1: "2 bars"}
    for k in range(2, int(size.max(initial=0)) + 1):
        labels[k] = f"{2 ** (k - 1) + 1:,}–{2**k:,} bars"
    return size, labels


def _rows(
    trades: Trades, key: npt.NDArray[np.int64], words: Mapping[int, str]
) -> list[dict[str, Any]]:
    rows = []
    order = [*words, *sorted(set(np.unique(key).tolist()) - set(words))]
    for code in order:
        mine = np.flatnonzero(key == code)
        if not len(mine):
            continue
        some = trades.rows(mine)
        figures: Figures = {
            "count": len(some),
            "profit": float(some.profit.sum()),
            "mean_fraction": float(some.fraction.mean()),
            "fees": float(some.fees.sum()),
            "funding": float(some.funding.sum()),
            **win_figures(some.profit),
        }
        rows.append({"name": words.get(code, str(code)), **finite(figures)})
    return rows
