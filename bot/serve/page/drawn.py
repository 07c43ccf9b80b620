"""Equity and candles in as many points as a picture has; exact as soon as they fit.

Rules: what is left out is never an extreme; an answer says how much of it is whole (`exact`). Times
are open times in ms UTC.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bot.adapters.record.reading import Record
from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.record import open_record
from bot.app.symbols import inverse_of
from bot.blocks import F64, FILL, I64
from bot.portfolio.reasons import FILL_REASON
from bot.portfolio.worth import values_of_fills
from bot.report.page.downsample import thinned
from bot.serve.feed.curves import EquityCurve
from bot.serve.page.bars import COLUMNS, BarPrices, WholeBars, prices_of
from bot.serve.page.foretold import NOTHING, foretold
from bot.serve.problems import Problem
from bot.timegrid import INTERVAL_MS

NEAR_BARS = 3000
"""Bars that are read from the record for one picture; more come from what is kept of the whole
run, without fills, positions and forecasts, which nobody could tell apart there."""


_NOT_HELD: dict[str, list[Any]] = {"time": [], "quantity": []}
_NO_CANDLES: dict[str, Any] = {
    "time": [], **{name: [] for name in COLUMNS}, "step_ms": 0, "exact": True, "first": None, "last": None,
    "near": True, "decisions": [], "fills": [], "position": _NOT_HELD, "forecast": NOTHING,
}  # fmt: skip


def equity(curve: EquityCurve, after: int, to: int, points: int) -> dict[str, Any]:
    """Return equity and drawdown of a span, and the whole run's extent."""
    first = int(np.searchsorted(curve.time, after, "right"))
    stop = int(np.searchsorted(curve.time, to, "right"))
    values = curve.equity[first:stop]
    kept = np.union1d(thinned(values, points), thinned(curve.drawdown[first:stop], points // 4))
    whole = len(values) == len(kept)
    return {
        "time": curve.time[first:stop][kept].tolist(),
        "equity": _numbers(values[kept]),
        "drawdown": _numbers(curve.drawdown[first:stop][kept]),
        "capital": curve.capital,
        "exact": whole,
        "bars": len(curve.time),
        "first": int(curve.time[0]) if len(curve.time) else None,
        "last": int(curve.time[-1]) if len(curve.time) else None,
    }


def candles(
    folder: RunFolder, whole: WholeBars, symbol: str, span: tuple[int, int], points: int
) -> dict[str, Any]:
    """Return the candles of a span, and the decisions that ordered something and the fills in it.

    Args:
        whole: for spans of very many bars.
        span: after which open time, and up to which.

    Raises:
        Problem: the run has no such symbol.
    """
    after, to = span
    with open_record(folder, follow=True) as record:
        if symbol not in record.symbols:
            raise Problem(422, f"symbol: the run has {', '.join(record.symbols)}")
        s = record.symbols.index(symbol)
        extent = record.extent()
        if extent is None:
            return _NO_CANDLES | {"symbol": symbol}
        from_, until = max(after, extent.first - 1), min(to, extent.last)
        config = config_of(folder)
        near = until - from_ <= NEAR_BARS * INTERVAL_MS[config.market.interval]
        prices = prices_of(record.bars(from_, until)) if near else whole.of(folder)
        inside = (prices.time > from_) & (prices.time <= until)
        mine = BarPrices(prices.time[inside], prices.values[inside, s])
        fills, held, said = np.empty(0, FILL), _NOT_HELD, NOTHING
        decided: list[dict[str, Any]] = []
        if near and len(mine.time):
            decided = _ordered(record, mine, s)
            fills, held = record.fills(from_, until), _held(record, mine.time, s, points)
            said = foretold(folder, record, s, int(mine.time[0]), int(mine.time[-1]))
    fills = fills[fills["symbol"] == s]
    inverse = inverse_of(config, record.symbols)
    notional = np.abs(values_of_fills(fills, inverse)).tolist()
    drawn = _together(mine, points)
    return {
        "symbol": symbol,
        "time": drawn.time.tolist(),
        **{name: _numbers(drawn.values[:, k]) for k, name in enumerate(COLUMNS)},
        "step_ms": _step(drawn.time),
        "exact": len(drawn.time) == len(mine.time),
        "first": extent.first,
        "last": extent.last,
        "near": near,
        "decisions": decided,
        "fills": [_fill(fill, value) for fill, value in zip(fills, notional, strict=True)],
        "position": held,
        "forecast": said,
    }


def _fill(fill: np.void, notional: float) -> dict[str, Any]:
    numbers = ("quantity", "price", "fee", "spread", "slippage")
    return {
        "time": int(fill["open_time"]),
        **{name: float(fill[name]) for name in numbers},
        "notional": notional,
        "reason": FILL_REASON[int(fill["reason"])],
    }


def _ordered(record: Record, mine: BarPrices, s: int) -> list[dict[str, Any]]:
    """Return what was ordered at the closes of these bars, and those closes."""
    quantity = record.decisions(mine.time)[0]["order_quantity"][:, s]
    close = mine.values[:, COLUMNS.index("close")]
    at = np.isfinite(quantity) & (quantity != 0.0) & np.isfinite(close)
    rows = zip(mine.time[at].tolist(), quantity[at].tolist(), close[at].tolist(), strict=True)
    return [{"time": time, "quantity": ordered, "price": price} for time, ordered, price in rows]


def _held(record: Record, times: I64, s: int, points: int) -> dict[str, list[Any]]:
    """Return the quantity held at closes, those where it changes and a few between."""
    quantity = record.positions(times)[:, s]
    kept = thinned(quantity, 2 * points)
    return {"time": times[kept].tolist(), "quantity": quantity[kept].tolist()}


def _step(times: I64) -> int:
    return int(np.median(np.diff(times))) if len(times) > 1 else 0


def _together(bars: BarPrices, points: int) -> BarPrices:
    """Return candles of several bars each, so that there are at most `points`."""
    n = len(bars.time)
    if n <= points:
        return bars
    size = -(-n // points)
    edges: I64 = np.arange(0, n, size)
    rows = [_one(bars.values[first : first + size]) for first in edges.tolist()]
    return BarPrices(bars.time[edges], np.array(rows))


def _one(values: F64) -> list[float]:
    """Return one candle of several, NaN where none is known."""
    known = values[~np.isnan(values[:, 3])]
    if not len(known):
        return [np.nan] * 5
    opened, closed = float(known[0, 0]), float(known[-1, 3])
    return [
        opened,
        float(known[:, 1].max()),
        float(known[:, 2].min()),
        closed,
        float(known[:, 4].sum()),
    ]


def _numbers(values: F64) -> list[float | None]:
    return [None if math.isnan(number) else number for number in values.tolist()]
