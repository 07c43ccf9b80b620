"""Further targets, that help to learn or decide: what they are, each in one formula.

Rules: those of `targets`: t + h counts bars in session, a bar missing among t..t+h leaves the label
undefined, nothing after bar t + h takes part. P is the close, r the return of a bar, h the horizon.
Must not read bars of other symbols, but for `residuals`.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bot.blocks import F64, I64, BarBlock, Bool, Task
from bot.parts.registry import part, shipped


class Own:
    """One symbol's bars in session, and the windows of the next h bars at each that has them.

    Attributes:
        start: int64[m], the bars t, counted in session, whose t..t+h are all there.
    """

    def __init__(self, bars: BarBlock, s: int, horizon: int, window: int) -> None:
        self.at: I64 = np.flatnonzero(bars.in_session[:, s])
        present = np.asarray(bars.valid[self.at, s])
        self._columns = {
            name: getattr(bars, name)[self.at, s]
            for name in ("open", "high", "low", "close", "volume")
        }
        self.horizon = horizon
        self.start: I64 = np.zeros(0, dtype=np.int64)
        if len(self.at) > horizon:
            missing = np.concatenate(([0], np.cumsum(~present)))
            self.start = np.flatnonzero(missing[horizon + 1 :] == missing[: -horizon - 1])
        self.deviation = _trailing_deviation(self._columns["close"], present, window)[self.start]

    def ahead(self, name: str) -> F64:
        """Return float64[m, h], the column over t+1..t+h."""
        windows: F64 = sliding_window_view(self._columns[name], self.horizon + 1)[self.start, 1:]
        return windows

    def path(self) -> F64:
        """Return float64[m, h + 1], the closes of t..t+h over that of t."""
        closes = sliding_window_view(self._columns["close"], self.horizon + 1)[self.start]
        path: F64 = closes / closes[:, :1]
        return path

    def returns(self) -> F64:
        """Return float64[m, h], r over t+1..t+h."""
        path = self.path()
        return path[:, 1:] / path[:, :-1] - 1.0


def auxiliary_labels(bars: BarBlock, task: Task, window: int, decision_cost: float) -> F64:
    """Return float64[n, S], the labels of one task of a kind that is entered below.

    Args:
        window: returns of the trailing deviation σ (ddof = 1) that `scaled_return`, `regime` and the barriers use.
        decision_cost: what the return of a `decision` must exceed.
    """
    y = np.full(bars.valid.shape, np.nan)
    of = part("target", task.kind).made
    for s in range(bars.n_symbols):
        own = Own(bars, s, task.horizon, window)
        if len(own.start) == 0:
            continue
        labels = of(own, decision_cost) if task.kind == "decision" else of(own)
        y[own.at[own.start], s] = labels
    return y


@shipped("target", "decision", output="side")
def _decision(own: Own, cost: float) -> F64:
    """+1 where P[t+h]/P[t] − 1 exceeds the cost, −1 where it falls by more, else 0."""
    change = own.path()[:, -1] - 1.0
    return np.where(change > cost, 1.0, np.where(change < -cost, -1.0, 0.0))


@shipped("target", "range", output="positive")
def _range(own: Own) -> F64:
    """log of the highest high over the lowest low of t+1..t+h."""
    highest, lowest = own.ahead("high").max(axis=1), own.ahead("low").min(axis=1)
    return np.log(np.asarray(highest / lowest, dtype=np.float64))


@shipped("target", "scaled_return", output="number")
def _scaled_return(own: Own) -> F64:
    """(P[t+h]/P[t] − 1) / (σ√h), the return in deviations of the bars before; NaN if nothing moved."""
    change = own.path()[:, -1] - 1.0
    moved = own.deviation > 0.0
    scale = np.where(moved, own.deviation, 1.0) * np.sqrt(own.horizon)
    return np.where(moved, change / scale, np.nan)


@shipped("target", "skew", output="number")
def _skew(own: Own) -> F64:
    """√h Σr³ / (Σr²)^1.5, realised skewness (Amaya et al. 2015, eq. 4); NaN if nothing moved."""
    r = own.returns()
    squares = (r**2).sum(axis=1)
    cubes = (r**3).sum(axis=1)
    moved = squares > 0.0
    return np.where(
        moved, np.sqrt(own.horizon) * cubes / np.where(moved, squares, 1.0) ** 1.5, np.nan
    )


@shipped("target", "trend", output="number")
def _trend(own: Own) -> F64:
    """|P[t+h] − P[t]| / Σ|P[t+j] − P[t+j−1]|, 1 for a straight way; NaN if nothing moved."""
    path = own.path()
    way = np.abs(np.diff(path, axis=1)).sum(axis=1)
    moved = way > 0.0
    return np.where(moved, np.abs(path[:, -1] - 1.0) / np.where(moved, way, 1.0), np.nan)


@shipped("target", "regime", output="probability")
def _regime(own: Own) -> F64:
    """1 where the root mean square of r over t+1..t+h exceeds the trailing deviation, else 0."""
    ahead = np.sqrt((own.returns() ** 2).mean(axis=1))
    return np.where(np.isfinite(own.deviation), 1.0 * (ahead > own.deviation), np.nan)


def _touch(own: Own) -> tuple[F64, I64]:
    """Return which barrier ±σ√h the path meets first (±1, 0 for none), and at which bar (1..h)."""
    path = own.path()[:, 1:] - 1.0
    width = (own.deviation * np.sqrt(own.horizon))[:, None]
    met = np.abs(path) >= width
    first = np.where(met.any(axis=1), met.argmax(axis=1), own.horizon - 1)
    side = np.sign(np.take_along_axis(path, first[:, None], axis=1)[:, 0])
    side = np.where(met.any(axis=1), side, 0.0)
    return np.where(np.isfinite(own.deviation), side, np.nan), first + 1


@shipped("target", "barrier", output="side")
def _barrier(own: Own) -> F64:
    """Which of the barriers ±σ√h is met first: ±1, 0 for none (López de Prado 2018, ch. 3.4)."""
    return _touch(own)[0]


@shipped("target", "barrier_time", output="number")
def _barrier_time(own: Own) -> F64:
    """The share of h that passes until a barrier is met, 1 where none is."""
    side, bar = _touch(own)
    return np.where(np.isfinite(side), bar / own.horizon, np.nan)


@shipped("target", "imbalance", output="number")
def _imbalance(own: Own) -> F64:
    """Σ v (2C − H − L)/(H − L) / Σ v over t+1..t+h: volume signed by where its bar closed.

    Candles do not tell who bought; a close at the high counts the bar's volume as bought.
    """
    high, low, close, v = (own.ahead(name) for name in ("high", "low", "close", "volume"))
    width = high - low
    place = np.where(
        width > 0.0, (2.0 * close - high - low) / np.where(width > 0.0, width, 1.0), 0.0
    )
    total = v.sum(axis=1)
    traded = total > 0.0
    return np.where(traded, (v * place).sum(axis=1) / np.where(traded, total, 1.0), np.nan)


@shipped("target", "gap", output="number")
def _gap(own: Own) -> F64:
    """log of the next bar's open over this close, whatever the horizon; about 0 where none close."""
    closes = own.ahead("close")[:, 0] / own.path()[:, 1]
    return np.log(own.ahead("open")[:, 0] / closes)


@shipped("target", "residual", output="number")
def residuals(returns: F64, known: I64) -> F64:
    """Return float64[n, S], each return less the mean of all symbols' that are known by then.

    A symbol's own return counts in the mean; NaN where no other one is known with it.
    """
    out = np.full(returns.shape, np.nan)
    finite = np.isfinite(returns)
    for s in range(returns.shape[1]):
        together = finite & (known <= known[:, s : s + 1])
        count = together.sum(axis=1)
        mean = np.where(together, returns, 0.0).sum(axis=1) / np.maximum(count, 1)
        out[:, s] = np.where(finite[:, s] & (count > 1), returns[:, s] - mean, np.nan)
    return out


def _trailing_deviation(close: F64, present: Bool, window: int) -> F64:
    """Return float64, at each bar the deviation (ddof = 1) of the last `window` own returns."""
    out = np.full(len(close), np.nan)
    own = np.flatnonzero(present)
    if len(own) > window:
        returns = close[own[1:]] / close[own[:-1]] - 1.0
        out[own[window:]] = sliding_window_view(returns, window).std(axis=1, ddof=1)
    return out
