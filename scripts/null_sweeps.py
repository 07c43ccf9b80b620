"""Sweeps of forecasts that know nothing: how often is the best setting called significant?

Each sweep has a market, forecasts and 24 settings of its own, the plain account and no costs, market
impact included, so that the true ratio of every setting is 0 and nothing hides a false alarm. Its best is called significant where the deflated
Sharpe ratio by the count and the variance of the sweep's own trials is 95 % or more. Uncorrected, the best is held against zero.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import numpy as np
from scipy.stats import beta

from bot.app.loop.forecasters import TABLE_TASKS
from bot.app.sweep.grid import axes_of, points, sets_of
from bot.app.sweep.replay import SweepReplay
from bot.blocks import Forecast
from bot.config import Config, load_config
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.report.money.sharpe import probabilistic_sharpe
from bot.report.money.trials import Tried
from bot.report.study.selection import overfitting_of
from bot.timegrid import HOUR_MS
from scripts.benchmarks.workload import PLAIN_ACCOUNT

BARS, SYMBOLS, SIGNIFICANT = 2000, 2, 0.95
BASE = (
    "data.source=synthetic", "synthetic.signal_strength=0", f"synthetic.symbols={SYMBOLS}",
    f"synthetic.bars={BARS}", "costs.taker_fee=0", "costs.half_spread_bps=0", "costs.slippage_bps=0",
    "costs.funding=false", "execution.min_notional=0", *PLAIN_ACCOUNT,
)  # fmt: skip
VARIED = [
    "policy.kind=threshold,hysteresis", "signal.threshold=0.0005..0.006:6",
    "sizing.method=fixed,proportional",
]  # fmt: skip


@cache
def settings() -> tuple[Config, ...]:
    """Return the settings of every sweep."""
    axes = axes_of(VARIED)
    return tuple(load_config(None, [*BASE, *sets_of(axes, p)], environ={}) for p in points(axes))


def one(seed: int) -> tuple[float, float, float | None]:
    """Return of a sweep's best the deflated and the plain probability, and that of overfitting."""
    first = settings()[0]
    bars = synthetic_bars(first.synthetic.model_copy(update={"seed": seed}), HOUR_MS)
    random = np.random.default_rng([20261126, seed])
    told = 0.004 * random.standard_normal(bars.close.shape)
    up = random.uniform(0.3, 0.7, told.shape)
    value = np.stack([told, up, np.full(told.shape, 0.01), np.zeros(told.shape)], axis=2)
    forecast = Forecast(TABLE_TASKS, value, np.zeros(len(bars), dtype=np.int64))
    replay = SweepReplay(tuple(symbol_names(SYMBOLS)), {}, bars, 0, forecast)
    tallies = [replay.tally(config, str(k), {}) for k, config in enumerate(settings())]
    outcomes = [t.outcome for t in tallies if t.outcome.sharpe is not None]
    tried = Tried(
        count=len(tallies),
        entries=1,
        ratios=tuple((o.sharpe or 0.0) * float(np.sqrt(o.returns - 1)) for o in outcomes),
        symbols=(),
        start_ms=0,
        end_ms=1,
        register="",
    )
    best = max(outcomes, key=lambda o: o.sharpe or 0.0 if o.sharpe is not None else -np.inf)
    sr, n = float(best.sharpe or 0.0), best.returns
    moments = {"skew": best.skew, "kurtosis": best.kurtosis}
    return (
        tried.deflated(sr, n, **moments) or 0.0,
        probabilistic_sharpe(sr, n, **moments) or 0.0,
        overfitting_of([t.days for t in tallies if t.fills], 8).probability,
    )


def main() -> None:
    """Run the sweeps and print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m scripts.null_sweeps", description=__doc__)
    parser.add_argument("--sweeps", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    one(0)  # compiles
    with ProcessPoolExecutor(asked.workers) as pool:
        found = list(pool.map(one, range(asked.sweeps), chunksize=20))
    n = len(found)
    called = sum(deflated >= SIGNIFICANT for deflated, _, _ in found)
    plain = sum(p >= SIGNIFICANT for _, p, _ in found)
    overfitted = [p for _, _, p in found if p is not None]
    print(
        json.dumps(
            {
                "sweeps": n,
                "settings": len(settings()),
                "called": called,
                "share": called / n,
                "upper_95": float(beta.ppf(0.975, called + 1, n - called)) if called < n else 1.0,
                "share_uncorrected": plain / n,
                "overfitting_probability_mean": float(np.mean(overfitted)),
            }
        )
    )


if __name__ == "__main__":
    main()
