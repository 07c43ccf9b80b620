"""The candles of the page and its list of round trips, as JSON values.

Rules: bars of a stretch become one candle where there are too many; of round trips the newest are listed,
and how many there are in all is told. Must not know HTML.
"""

from __future__ import annotations

import numpy as np

from bot.report.inputs import RunData
from bot.report.page.chart_data import SYMBOLS, Json, compact, times
from bot.report.tear.sheet import TearSheet

CANDLES = 24_000
"""Most candles of a page, over all symbols."""


def market(run: RunData, sheet: TearSheet) -> list[Json]:
    """Return the candles of each symbol, those with the most round trips first."""
    trips = np.bincount(sheet.trades.symbol, minlength=run.n_symbols)
    chosen = np.argsort(-trips, kind="stable")[:SYMBOLS]
    most = max(CANDLES // len(chosen), 300)
    found = (candles(run, int(s), most) for s in chosen)
    return [each for each in found if each["o"]]


def candles(run: RunData, s: int, most: int) -> Json:
    """Return a symbol's candles from the start on; so many bars make one that there are not too many."""
    start = run.start_index
    n = len(run.open_time) - start
    size = -(-n // most)
    first = np.arange(0, n, size)
    valid = run.bars.valid[start:, s]
    columns = {x: getattr(run.bars, x)[start:, s] for x in ("open", "high", "low", "close")}
    kept, rows = [], []
    for a in first.tolist():
        inside = np.flatnonzero(valid[a : a + size]) + a
        if len(inside):
            kept.append(a)
            high, low = columns["high"][inside].max(), columns["low"][inside].min()
            rows.append((columns["open"][inside[0]], high, low, columns["close"][inside[-1]]))
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    time = run.open_time[start:][np.array(kept, dtype=np.int64)]
    return {
        "name": run.symbols[s],
        "bars": size,
        "t": times(time, run.interval_ms) if len(time) else None,
        **{key: compact(table[:, k]) for k, key in enumerate("ohlc")},
    }


MOST_TRADES = 5_000
"""Most round trips of a page: beyond it the newest."""


def trade_columns(run: RunData, sheet: TearSheet) -> Json:
    """Return the round trips as columns, the newest first; `total` counts all of them."""
    t = sheet.trades
    kept = t.rows(np.arange(len(t))[::-1][:MOST_TRADES])
    reasons = [
        "" if code == 0 else run.fill_reasons.get(code, "") for code in kept.exit_reason.tolist()
    ]
    return {
        "total": len(t),
        "symbols": list(run.symbols),
        "symbol": kept.symbol.tolist(),
        "side": kept.side.tolist(),
        "entry": (kept.entry_ms // 1000).tolist(),
        "exit": (kept.exit_ms // 1000).tolist(),
        "bars": kept.bars_held.tolist(),
        "quantity": compact(kept.quantity),
        "bought": compact(kept.entry_price),
        "sold": compact(kept.exit_price),
        "profit": compact(kept.profit),
        "share": compact(1e4 * kept.fraction, 4),
        "costs": compact(kept.fees + kept.funding, 5),
        "reason": reasons,
    }
