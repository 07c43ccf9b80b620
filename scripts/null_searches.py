"""Whole searches of markets that hold nothing, or a planted signal: how often is the chosen trial called significant?

Each search has a market of its own, and tries settings of a linear model's training and of the account, walk-forward, by
the code of `bot search`; only the storage is in memory, and trainings run in this process. The plain account and no costs,
market impact included, so that the true ratio of every setting is 0 where nothing is planted. The chosen trial is called
significant where its deflated Sharpe ratio, by the search's own register, is 95 % or more. Uncorrected, it is held against zero.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from scipy.stats import beta

from bot.app.backtest.preparing import read_market
from bot.app.executors.units import D, R, SharedData, Work
from bot.app.search.found import table_of
from bot.app.search.running import SearchLoop
from bot.app.search.space import BaseSettings, read_space
from bot.app.search.trial import kept
from bot.app.study.contenders import Contender
from bot.app.study.data import Study
from bot.report.money.sharpe import probabilistic_sharpe, sharpe_per_bar, skew_and_kurtosis
from scripts.benchmarks.workload import PLAIN_ACCOUNT

BARS, SYMBOLS, SIGNIFICANT = 3600, 2, 0.95
BASE = (
    "data.source=synthetic", f"synthetic.symbols={SYMBOLS}", f"synthetic.bars={BARS}", "costs.taker_fee=0",
    "costs.half_spread_bps=0", "costs.slippage_bps=0", "costs.funding=false", "execution.min_notional=0",
    *PLAIN_ACCOUNT, "features.names=core", "features.medium_window=30", "features.long_window=40",
    "features.correlation_window=30", "training.min_rows=300", "training.window_bars=1000", "policy.kind=threshold",
    "signal.threshold=0.0", "report.baselines=[]",
)  # fmt: skip
SPACE = """
[search]
trials = {trials}
sampler = "{sampler}"
seed = {seed}
folds = 3
months = 1
seeds = 1
contender = "linear"

[space]
features.names = {{choices = [["core"], ["return_1", "return_5", "return_10"], ["volatility_medium", "volatility_long", "return_1"]]}}
training.window_bars = {{low = 500, high = 1500, step = 250}}
signal.threshold = {{low = 0.0, high = 0.003}}
policy.kind = {{choices = ["threshold", "hysteresis"]}}
sizing.method = {{choices = ["fixed", "proportional"]}}
"""


class Here:
    """Units run in this process, at once."""

    slots = 1

    def submit(self, unit: Work[D, R], data: SharedData[D]) -> Future[R]:
        """Run a unit."""
        future: Future[R] = Future()
        future.set_result(unit.run(data.load()))
        return future

    def shutdown(self) -> None:
        """Nothing is left to end."""


@dataclass(frozen=True)
class Searched:
    """What one search came to.

    Attributes:
        deflated: of the chosen trial; 0 where nothing was chosen or nothing is known.
        plain: the probability that its true ratio is above 0, as if it alone had been tried.
        overfitting: the probability of overfitting; None where it is not known.
    """

    deflated: float
    plain: float
    overfitting: float | None
    tried: int
    finished: int
    seconds: float


def one(seed: int, *, trials: int, strength: float, sampler: str) -> Searched:
    """Search the market of a seed."""
    started = time.process_time()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sets = (*BASE, f"synthetic.seed={seed}", f"synthetic.signal_strength={strength}")
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "null.toml", Path(folder) / "runs" / "study"
        path.write_text(SPACE.format(trials=trials, seed=seed, sampler=sampler), encoding="utf-8")
        settings = BaseSettings(None, sets)
        config = settings.load()
        space = read_space(path, config)
        search = space.search
        base = Contender("base", search.contender, config)
        study = Study([base], read_market(config), search.folds, search.months, out)
        store = optuna.create_study(direction="maximize")
        loop = SearchLoop(settings, space, study, store, folder=out / "null")
        loop.go_on(Here(), trials, 0.0, _silent)
        table = table_of(loop, trials)
        deflated = plain = 0.0
        if table.chosen is not None and table.trials is not None:
            deflated = table.trials["deflated_sharpe"] or 0.0
            returns = kept(loop.folder / "trials" / table.chosen)[0].returns
            ratio = sharpe_per_bar(returns)
            if ratio is not None:
                plain = (
                    probabilistic_sharpe(ratio, len(returns), *skew_and_kurtosis(returns)) or 0.0
                )
        return Searched(
            deflated, plain, table.selection.probability, len(table.rows),
            finished=table.count("finished"), seconds=time.process_time() - started,
        )  # fmt: skip


def _silent(done: int, total: int) -> None:
    """Show no progress of one search."""


def counted(found: list[Searched]) -> dict[str, Any]:
    """Return shares and their upper bounds of 95 % (Clopper & Pearson 1934) over searches."""
    n = len(found)

    def share(called: int, name: str) -> dict[str, Any]:
        upper = float(beta.ppf(0.95, called + 1, n - called)) if called < n else 1.0
        return {name: called / n, f"{name}_upper_95": upper}

    overfitting = [each.overfitting for each in found if each.overfitting is not None]
    return {
        "searches": n,
        "trials": sum(each.tried for each in found),
        "through_all_folds": sum(each.finished for each in found),
        **share(sum(each.plain >= SIGNIFICANT for each in found), "share_uncorrected"),
        **share(sum(each.deflated >= SIGNIFICANT for each in found), "share_deflated"),
        "overfitting_probability_mean": float(np.mean(overfitting)) if overfitting else math.nan,
        "cpu_seconds_a_search": float(np.mean([each.seconds for each in found])),
    }


def main() -> None:
    """Run the searches and print one JSON object; on stderr a line for each."""
    parser = argparse.ArgumentParser(prog="python -m scripts.null_searches", description=__doc__)
    parser.add_argument("--searches", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--strength", type=float, default=0.0, help="synthetic.signal_strength")
    parser.add_argument("--sampler", default="tpe", choices=("tpe", "random"))
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    search = partial(one, trials=asked.trials, strength=asked.strength, sampler=asked.sampler)
    seeds = range(asked.first_seed, asked.first_seed + asked.searches)
    found = []
    with ProcessPoolExecutor(asked.workers) as pool:
        for each in pool.map(search, seeds):
            found.append(each)
            print(json.dumps(asdict(each)), file=sys.stderr, flush=True)
    print(json.dumps({"strength": asked.strength, "sampler": asked.sampler} | counted(found)))


if __name__ == "__main__":
    main()
