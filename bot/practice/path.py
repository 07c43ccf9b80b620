"""The path of the price inside a bar: where the forming candle is, and candles shorter than the bar.

Three straight stretches: from the open over one extreme and the other to the close, low first where the
bar rises. Rules: a function of the bar and the share of it that has passed, so that what was answered
once is answered again; shorter candles cut the very path on which the forming one walks.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64, BarBlock

TURNS = (1.0 / 3.0, 2.0 / 3.0)
"""Shares of a bar after which its path turns."""


def walk(opened: F64, high: F64, low: F64, close: F64, passed: float) -> tuple[F64, F64, F64]:
    """Return price, high and low so far after a share of the bar."""
    rises = close >= opened
    points = (opened, np.where(rises, low, high), np.where(rises, high, low), close)
    stretch = min(int(3.0 * passed), 2)
    part = 3.0 * passed - stretch
    price = points[stretch] + (points[stretch + 1] - points[stretch]) * part
    reached = np.array([*points[: stretch + 1], price])
    return price, reached.max(axis=0), reached.min(axis=0)


def pieces_of(
    bar: BarBlock,
    interval_ms: int,
    step_ms: int,
    time_ms: int,
    *,
    decimals: int,
    volume_decimals: int,
) -> BarBlock:
    """Return the candles of `step_ms` inside a bar that have begun by a time; the last may be forming.

    Args:
        bar: n = S = 1.
        decimals, volume_decimals: to which prices and volumes are rounded.
    """
    opened, high, low, close = (getattr(bar, name)[0] for name in ("open", "high", "low", "close"))
    passed_ms = time_ms - int(bar.open_time[0])
    n = min(passed_ms // step_ms + 1, interval_ms // step_ms)
    shares = [0.0, *(min((j + 1) * step_ms, passed_ms) / interval_ms for j in range(n))]
    walked = [np.round(walk(opened, high, low, close, share)[0], decimals) for share in shares]
    if shares[-1] >= 1.0:
        walked[-1] = close
    corners = [walk(opened, high, low, close, turn)[0] for turn in TURNS]
    top, bottom = np.empty((n, 1)), np.empty((n, 1))
    for j in range(n):
        turned = [
            c for c, turn in zip(corners, TURNS, strict=True) if shares[j] < turn <= shares[j + 1]
        ]
        reached = np.array([walked[j], walked[j + 1], *turned])
        top[j], bottom[j] = reached.max(axis=0), reached.min(axis=0)
    traded = np.round(np.outer(shares, bar.volume[0]), volume_decimals)
    return BarBlock.of_candles(
        bar.open_time[0] + step_ms * np.arange(n, dtype=np.int64),
        open=np.array(walked[:-1]), high=top, low=bottom, close=np.array(walked[1:]),
        volume=np.diff(traded, axis=0), valid=np.repeat(bar.valid, n, axis=0),
    )  # fmt: skip
