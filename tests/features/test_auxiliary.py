"""Further targets against plain loops over one bar at a time, and what they may not see."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from bot.blocks import F64, BarBlock, Task
from bot.config import load_config
from bot.config.schema import BASE_KINDS
from bot.errors import ConfigError
from bot.features import compute_targets
from bot.parts.registry import parts

FURTHER = tuple(kind for kind in parts("target") if kind not in BASE_KINDS)
WINDOW, COST = 5, 0.004


def market(n: int, n_symbols: int, seed: int, missing: float = 0.05) -> BarBlock:
    rng = np.random.default_rng(seed)
    shape = (n, n_symbols)
    close = 100.0 * np.exp(np.cumsum(0.01 * rng.standard_normal(shape), axis=0))
    opened = close * np.exp(0.004 * rng.standard_normal(shape))
    high = np.maximum(opened, close) * np.exp(0.003 * rng.random(shape))
    low = np.minimum(opened, close) * np.exp(-0.003 * rng.random(shape))
    volume = np.exp(rng.standard_normal(shape))
    valid = rng.random(shape) >= missing
    in_session = rng.random(shape) >= 0.1
    valid &= in_session
    columns = [np.where(valid, c, np.nan) for c in (opened, high, low, close, volume)]
    times = 3_600_000 * np.arange(n, dtype=np.int64)
    return BarBlock.of_candles(times, *columns, valid=valid, in_session=in_session)


def slowly(bars: BarBlock, kind: str, h: int) -> F64:
    """Label bar after bar, with nothing but loops and the definition."""
    y = np.full(bars.valid.shape, np.nan)
    for s in range(bars.n_symbols):
        session = [i for i in range(len(bars)) if bars.in_session[i, s]]
        for place, t in enumerate(session):
            ahead = session[place + 1 : place + 1 + h]
            if len(ahead) < h or not all(bars.valid[i, s] for i in [t, *ahead]):
                continue
            own = [i for i in range(t + 1) if bars.valid[i, s]]
            closes = [float(bars.close[i, s]) for i in own][-WINDOW - 1 :]
            moves = [b / a - 1.0 for a, b in itertools.pairwise(closes)]
            sigma = float(np.std(moves, ddof=1)) if len(moves) == WINDOW else math.nan
            y[t, s] = DEFINITIONS[kind](bars, s, t, ahead, sigma)
    return y


Definition = Callable[[BarBlock, int, int, list[int], float], float]


def moves_of(bars: BarBlock, s: int, t: int, ahead: list[int]) -> list[float]:
    path = [bars.close[i, s] for i in [t, *ahead]]
    return [float(b / a - 1.0) for a, b in itertools.pairwise(path)]


def decision(bars: BarBlock, s: int, t: int, ahead: list[int], sigma: float) -> float:
    change = bars.close[ahead[-1], s] / bars.close[t, s] - 1.0
    return 1.0 if change > COST else -1.0 if change < -COST else 0.0


def spread(bars: BarBlock, s: int, t: int, ahead: list[int], sigma: float) -> float:
    highest, lowest = max(bars.high[i, s] for i in ahead), min(bars.low[i, s] for i in ahead)
    return math.log(float(highest / lowest))


def skew(bars: BarBlock, s: int, t: int, ahead: list[int], sigma: float) -> float:
    r = moves_of(bars, s, t, ahead)
    return math.sqrt(len(r)) * float(sum(x**3 for x in r) / sum(x**2 for x in r) ** 1.5)


def trend(bars: BarBlock, s: int, t: int, ahead: list[int], sigma: float) -> float:
    path = [float(bars.close[i, s]) for i in [t, *ahead]]
    way = sum(abs(b - a) for a, b in itertools.pairwise(path))
    return abs(path[-1] - path[0]) / way


def regime(bars: BarBlock, s: int, t: int, ahead: list[int], sigma: float) -> float:
    if math.isnan(sigma):
        return math.nan
    r = moves_of(bars, s, t, ahead)
    return 1.0 if math.sqrt(sum(x * x for x in r) / len(r)) > sigma else 0.0


def touch(bars: BarBlock, s: int, t: int, ahead: list[int], sigma: float) -> tuple[float, float]:
    if math.isnan(sigma):
        return math.nan, math.nan
    for j, i in enumerate(ahead):
        change = bars.close[i, s] / bars.close[t, s] - 1.0
        if abs(change) >= sigma * math.sqrt(len(ahead)):
            return math.copysign(1.0, change), (j + 1) / len(ahead)
    return 0.0, 1.0


def imbalance(bars: BarBlock, s: int, t: int, ahead: list[int], sigma: float) -> float:
    signed = [
        bars.volume[i, s]
        * ((bars.close[i, s] - bars.low[i, s]) - (bars.high[i, s] - bars.close[i, s]))
        / (bars.high[i, s] - bars.low[i, s])
        for i in ahead
    ]
    return float(sum(signed) / sum(bars.volume[i, s] for i in ahead))


def gap(bars: BarBlock, s: int, t: int, ahead: list[int], sigma: float) -> float:
    return math.log(bars.open[ahead[0], s] / bars.close[t, s])


def scaled_return(bars: BarBlock, s: int, t: int, ahead: list[int], sigma: float) -> float:
    change = float(bars.close[ahead[-1], s] / bars.close[t, s]) - 1.0
    return change / (sigma * math.sqrt(len(ahead)))


DEFINITIONS: dict[str, Definition] = {
    "scaled_return": scaled_return,
    "decision": decision,
    "range": spread,
    "skew": skew,
    "trend": trend,
    "regime": regime,
    "barrier": lambda *given: touch(*given)[0],
    "barrier_time": lambda *given: touch(*given)[1],
    "imbalance": imbalance,
    "gap": gap,
}


@pytest.mark.parametrize("horizon", [1, 3, 6])
@pytest.mark.parametrize("kind", sorted(DEFINITIONS))
def test_labels_are_their_definitions(kind: str, horizon: int) -> None:
    bars = market(120, 2, seed=3)
    y, known = compute_targets(bars, (Task(kind, horizon),), WINDOW, COST)
    expected = slowly(bars, kind, horizon)
    assert np.isfinite(expected).sum() > 20
    np.testing.assert_allclose(y[:, :, 0], expected, rtol=1e-9, atol=1e-12)
    assert (known[:, :, 0][np.isfinite(y[:, :, 0])] >= 0).all()


def test_a_residual_is_what_the_others_do_not_share() -> None:
    bars = market(80, 3, seed=4)
    tasks = (Task("return", 2), Task("residual", 2))
    y, known = compute_targets(bars, tasks, WINDOW)
    seen = 0
    for t in range(80):
        for s in range(3):
            others = [
                y[t, o, 0]
                for o in range(3)
                if np.isfinite(y[t, o, 0]) and known[t, o, 0] <= known[t, s, 0]
            ]
            if np.isfinite(y[t, s, 0]) and len(others) > 1:
                assert y[t, s, 1] == pytest.approx(y[t, s, 0] - np.mean(others), abs=1e-15)
                seen += 1
            else:
                assert np.isnan(y[t, s, 1])
    assert seen > 50


@pytest.mark.parametrize("stop", [37, 60, 97])
def test_a_label_known_by_a_bar_does_not_see_beyond_it(stop: int) -> None:
    bars = market(120, 3, seed=5)
    tasks = tuple(Task(kind, h) for kind in FURTHER for h in (3, 4))
    whole, known = compute_targets(bars, tasks, WINDOW, COST)
    cut, _ = compute_targets(bars.rows(0, stop), tasks, WINDOW, COST)
    due = (known >= 0) & (known < stop)
    then = np.where(due, whole, np.nan)[:stop]
    np.testing.assert_array_equal(then, cut)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (
            ["targets.kinds=return,direction,skew", "targets.horizons=2"],
            "'skew' says nothing under 3",
        ),
        (["targets.kinds=return,direction,trend", "targets.horizons=1"], "'trend' says nothing"),
        (
            ["targets.kinds=return,direction,residual", "market.symbols=BTCUSDT"],
            "needs two symbols",
        ),
        (["targets.horizons=4,4"], "a horizon stands there twice"),
        (["targets.horizons=1,4", "targets.kinds=return,direction"], "needs the volatility head"),
        (["signal.source=decision"], "the signal needs decision"),
    ],
)
def test_what_cannot_work_is_refused(sets: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(None, sets)
