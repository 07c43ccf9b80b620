"""The edge policy in simulated worlds: what it risks without skill, and what it keeps of planted skill.

A world is three years of hours of four symbols of the synthetic market without any signal, and
forecasts that correlate by --skill with the return of the next five bars; they are as persistent as
overlapping horizons make them, and louder than they should be (a deviation of 40 bp), so that their
slope has to be found. The clairvoyant on costs knows that slope from the first bar, without error,
and follows the same rule. Distributions are over worlds; a worst year is the least of three. The account is
the full one of the defaults, market impact included, or with --plain the one without.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from bot.app.loop.forecasters import TABLE_TASKS
from bot.app.sweep.replay import SweepReplay
from bot.blocks import F64, BarBlock, Forecast
from bot.config import Config, load_config
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS
from scripts.benchmarks.workload import PLAIN_ACCOUNT

SYMBOLS, BARS, HORIZON, LOUDNESS, YEARS = 4, 3 * 365 * 24, 5, 0.004, 3


def config_of(account: Sequence[str], *sets: str) -> Config:
    """Return the default settings over a market without a signal, with these of the account."""
    market = [
        "data.source=synthetic", "synthetic.signal_strength=0", f"synthetic.symbols={SYMBOLS}",
        f"synthetic.bars={BARS}", f"targets.horizons={HORIZON}",
    ]  # fmt: skip
    return load_config(None, [*market, *account, *sets], environ={})


def forecasts_of(bars: BarBlock, skill: float, seed: int) -> tuple[F64, float]:
    """Return forecasts float64[n, S, K], and their true slope."""
    n = len(bars)
    realised = np.zeros(bars.close.shape)
    realised[:-HORIZON] = bars.close[HORIZON:] / bars.close[:-HORIZON] - 1.0
    deviation = float(realised.std())
    noise = np.random.default_rng([20261126, seed]).standard_normal((n + HORIZON, SYMBOLS))
    sums = np.cumsum(noise, axis=0)
    noise = (sums[HORIZON:] - sums[:-HORIZON]) / np.sqrt(HORIZON)
    told = LOUDNESS * (skill * realised / deviation + np.sqrt(1.0 - skill**2) * noise)
    sure = (told > 0.0).astype(np.float64)
    volatility = np.full(told.shape, deviation / np.sqrt(HORIZON))
    value = np.stack([told, sure, volatility, np.zeros(told.shape)], axis=2)
    return value, skill * deviation / LOUDNESS


def one(account: Sequence[str], skill: float, seed: int) -> tuple[F64, F64, F64]:
    """Return net return and turnover of each year, and the whole net of policy and clairvoyant."""
    config = config_of(account)
    bars = synthetic_bars(config.synthetic.model_copy(update={"seed": seed}), HOUR_MS)
    value, slope = forecasts_of(bars, skill, seed)
    names = tuple(symbol_names(SYMBOLS))
    model = np.zeros(BARS, dtype=np.int64)
    tally = SweepReplay(names, {}, bars, 0, Forecast(TABLE_TASKS, value, model)).tally(
        config, "", {}
    )
    nets = np.array([np.prod(1.0 + part) - 1.0 for part in np.array_split(tally.days, YEARS)])
    turnover = np.array([part.sum() for part in np.array_split(tally.traded, YEARS)])
    # who knows the slope hears forecasts of the right size: trading them needs no calibration
    known = value.copy()
    known[:, :, 0] *= slope
    right = config_of(
        account, "policy.kind=edge", "policy.min_calibration_days=2", "policy.confidence=0"
    )
    clairvoyant = SweepReplay(names, {}, bars, 0, Forecast(TABLE_TASKS, known, model))
    clairvoyant.know(right, slope=1.0)
    best = clairvoyant.tally(right, "", {})
    capital = config.portfolio.initial_capital
    whole = np.array([tally.equity, best.equity]) / capital - 1.0
    return nets, turnover, whole


def main() -> None:
    """Print one row a level of skill, in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m scripts.policy_worlds", description=__doc__)
    parser.add_argument("--worlds", type=int, default=150)
    parser.add_argument("--skill", type=float, nargs="+", default=[0.0, 0.05, 0.1, 0.2])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--plain", action="store_true", help="without impact, margin and limits")
    asked = parser.parse_args()
    account = PLAIN_ACCOUNT if asked.plain else ()
    one(account, 0.1, 0)  # compiles
    print(
        "| correlation | turnover a year: median, 95 %, most | net a year: median, 5 % | worst year | "
        "net of three years: policy, clairvoyant on costs (medians) | kept |"
    )
    print("|---:|---:|---:|---:|---:|---:|")
    with ProcessPoolExecutor(asked.workers) as pool:
        for skill in asked.skill:
            found = list(
                pool.map(partial(one, account, skill), range(1, asked.worlds + 1), chunksize=5)
            )
            nets, turnover = (np.concatenate([f[k] for f in found]) for k in (0, 1))
            policy, clairvoyant = np.median([f[2] for f in found], axis=0)
            kept = f"{policy / clairvoyant:.0%}" if clairvoyant > 0.0 else "–"
            print(
                f"| {skill:g} | {np.median(turnover):.1f} ×, {np.quantile(turnover, 0.95):.1f} ×, "
                f"{turnover.max():.1f} × | {np.median(nets):+.2%}, {np.quantile(nets, 0.05):+.2%} | "
                f"{nets.min():+.1%} | {policy:+.1%}, {clairvoyant:+.1%} | {kept} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
