"""The targets, and for each label the bar at whose close it is known.

Rules: t + h counts the bars of the grid that are in session for the symbol; bars out of session
are skipped, not counted. A bar in session that is not valid among t..t+h leaves the label
undefined. Returns and the rolling mean of volume run over the symbol's own bars, those valid and in
session. Nothing after bar `known` takes part in a label. Must not standardise, nor drop rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bot.blocks import F64, I64, BarBlock, Bool, Task
from bot.compiled import njit
from bot.config import Config
from bot.config.schema import BASE_KINDS, Targets
from bot.config.section import PartSettings
from bot.features.auxiliary import auxiliary_labels, residuals
from bot.features.own_targets import own_labels
from bot.parts.registry import part, shipped

RETURN, DIRECTION, VOLATILITY, VOLUME = range(4)
"""The codes of the kinds in the kernel: their places in BASE_KINDS."""

shipped("target", "return", output="number", doc="P[t+h]/P[t] - 1")(RETURN)
shipped("target", "direction", output="probability", doc="1 where the return is above 0, else 0")(
    DIRECTION
)
shipped(
    "target", "volatility", output="positive",
    doc="the standard deviation (ddof = 1) of r over t+1..t+h, for h = 1 |r[t+1]|",
)(VOLATILITY)  # fmt: skip
shipped(
    "target", "volume", output="number",
    doc="the log of the mean volume over t+1..t+h less the log of its mean over features.window bars",
)(VOLUME)  # fmt: skip


def target_tasks(config: Targets) -> tuple[Task, ...]:
    """Return a task for each kind and horizon, in the order of the kinds.

    >>> [task.name for task in target_tasks(Targets(kinds=("return", "direction")))]
    ['return_5', 'direction_5']
    """
    return tuple(Task(kind, horizon) for kind in config.kinds for horizon in config.horizons)


def compute_targets(
    bars: BarBlock,
    tasks: Sequence[Task],
    window: int,
    decision_cost: float = 0.0,
    settings: PartSettings | None = None,
) -> tuple[F64, I64]:
    """Return every bar's labels and when each is known.

    With P the close, r the return of a bar, v the volume and h the horizon:
    return is P[t+h]/P[t] - 1; direction is 1 where that is above 0, else 0; volatility is the
    standard deviation (ddof = 1) of r over t+1..t+h, for h = 1 |r[t+1]|; volume is the log of the
    mean of v over t+1..t+h less the log of its mean over the `window` bars up to t. The further
    kinds are those of `auxiliary`.

    Args:
        bars: n bars of S symbols.
        tasks: K of them; a label depends on kind and horizon only.
        window: bars of the rolling mean of volume, and of the trailing deviation.
        decision_cost: the return that a decision must exceed.
        settings: those of targets of a user's own, by name.

    Returns:
        y: float64[n, S, K], NaN where the label is undefined.
        known: int64[n, S, K], the index of the h-th bar in session after the label's own, at whose
            close it is known; -1 where `bars` end before it, and there y is NaN.

    Raises:
        ConfigError: a task is of a kind that is no target.
    """
    of_user = {task.kind for task in tasks if not part("target", task.kind).is_shipped}
    y = np.full((len(bars), bars.n_symbols, len(tasks)), np.nan)
    known = np.full(y.shape, -1, dtype=np.int64)
    base = [k for k, task in enumerate(tasks) if task.kind in BASE_KINDS]
    of_base = [BASE_KINDS.index(tasks[k].kind) for k in base]
    # a residual starts as the return that the cross-section's mean is taken from
    starts = [RETURN if task.kind == "residual" else -1 for task in tasks]
    kinds = np.array(starts, dtype=np.int64)
    kinds[base] = of_base
    horizons = np.array([task.horizon for task in tasks], dtype=np.int64)
    close, volume = (np.require(a, requirements=["C", "W"]) for a in (bars.close, bars.volume))
    valid, in_session = (
        np.require(a, requirements=["C", "W"]) for a in (bars.valid, bars.in_session)
    )
    _label_all(close, volume, valid, in_session, kinds, horizons, window, y, known)
    for k, task in enumerate(tasks):
        if task.kind == "residual":
            y[:, :, k] = residuals(y[:, :, k], known[:, :, k])
        elif task.kind in of_user:
            y[:, :, k] = own_labels(bars, task, (settings or {}).get(task.kind, {}))
        elif task.kind not in BASE_KINDS:
            y[:, :, k] = auxiliary_labels(bars, task, window, decision_cost)
    y[np.isinf(y)] = np.nan  # sums beyond what a number holds say nothing
    return y, known


def labels_by(config: Config, bars: BarBlock, tasks: Sequence[Task]) -> tuple[F64, I64]:
    """Return what `compute_targets` says under all settings that are part of a label."""
    targets = config.targets
    return compute_targets(
        bars, tasks, config.features.window, targets.decision_cost, targets.settings
    )


def known_at(in_session: Bool, horizon: int) -> I64:
    """Return int64[n, S], the bar at whose close a label over `horizon` bars is known; -1 for none.

    >>> known_at(np.array([[True], [False], [True], [True]]), 1).ravel().tolist()
    [2, 2, 3, -1]
    """
    known = np.full((*in_session.shape, 1), -1, dtype=np.int64)
    for s in range(in_session.shape[1]):
        _set_known(in_session, np.flatnonzero(in_session[:, s]), s, 0, horizon, known)
    return known[:, :, 0]


@njit(cache=True, error_model="numpy")
def _label_all(
    close: F64,
    volume: F64,
    valid: Bool,
    in_session: Bool,
    kinds: I64,
    horizons: I64,
    window: int,
    y: F64,
    known: I64,
) -> None:
    for s in range(close.shape[1]):
        at = np.flatnonzero(in_session[:, s])
        present = valid[at, s]
        prices, volumes = close[at, s], volume[at, s]
        usual = _rolling_mean(volumes, present, window)
        run = _unbroken(present)
        for k in range(len(kinds)):
            _set_known(in_session, at, s, k, horizons[k], known)
            for t in range(len(at) - horizons[k]):
                if kinds[k] >= 0 and run[t + horizons[k]] > horizons[k]:
                    y[at[t], s, k] = _label(prices, volumes, usual, t, kinds[k], horizons[k])


@njit(cache=True, error_model="numpy")
def _set_known(in_session: Bool, at: I64, s: int, k: int, horizon: int, known: I64) -> None:
    seen = 0  # bars in session up to and with i
    for i in range(len(in_session)):
        seen += in_session[i, s]
        if seen + horizon <= len(at):
            known[i, s, k] = at[seen + horizon - 1]


@njit(cache=True, error_model="numpy")
def _unbroken(present: Bool) -> I64:
    """Return how many bars in a row, up to and with each, are present."""
    run = np.zeros(len(present), dtype=np.int64)
    for t in range(len(present)):
        if present[t]:
            run[t] = run[t - 1] + 1 if t > 0 else 1
    return run


@njit(cache=True, error_model="numpy")
def _rolling_mean(values: F64, present: Bool, window: int) -> F64:
    """Return the mean of the last `window` values present, at each present; NaN before."""
    mean = np.full(len(values), np.nan)
    ring = np.full(window, np.nan)
    count = 0
    for t in range(len(values)):
        if present[t]:
            ring[count % window] = values[t]
            count += 1
            mean[t] = _mean(ring, 0, window)
    return mean


@njit(cache=True, error_model="numpy")
def _mean(values: F64, start: int, stop: int) -> float:
    total = 0.0
    for i in range(start, stop):
        total += values[i]
    return total / (stop - start)


@njit(cache=True, error_model="numpy")
def _label(prices: F64, volumes: F64, usual: F64, t: int, kind: int, horizon: int) -> float:
    """Return the label at t; every bar of t..t+horizon is present."""
    if kind == VOLATILITY:
        return _volatility(prices, t, horizon)
    if kind == VOLUME:
        ahead = _mean(volumes, t + 1, t + 1 + horizon)
        both = ahead > 0.0 and usual[t] > 0.0
        return math.log(ahead) - math.log(usual[t]) if both else np.nan
    change: float = prices[t + horizon] / prices[t] - 1.0
    if kind == DIRECTION:
        return 1.0 if change > 0.0 else 0.0
    return change


@njit(cache=True, error_model="numpy")
def _volatility(prices: F64, t: int, horizon: int) -> float:
    returns = np.empty(horizon)
    for j in range(horizon):
        returns[j] = prices[t + j + 1] / prices[t + j] - 1.0
    if horizon == 1:
        return abs(float(returns[0]))
    mean = _mean(returns, 0, horizon)
    squares = 0.0
    for j in range(horizon):
        squares += (returns[j] - mean) ** 2
    return math.sqrt(squares / (horizon - 1))
