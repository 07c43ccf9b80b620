"""Compile before the first bar what a bar needs: numba's kernels take a minute on a new machine.

Must not be part of any result: it works on bars of its own and leaves no state.
"""

from __future__ import annotations

import time
from typing import Any

from bot.app.training.warmup import warm_up
from bot.config import Config, load_config
from bot.engine import Engine
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import compute_targets, target_tasks
from bot.parts.compile import compile_times
from bot.portfolio.broker import compile_kernel
from bot.portfolio.rules import Rules, rules_from
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS

TOLD_FROM_S = 1.0
"""Reading the kernel from where it is kept takes less."""


def compile_kernels() -> None:
    """Take a few bars through open and close, features, targets and a throwaway model."""
    warm_up()
    config: Config = load_config(None, ["synthetic.symbols=2", "synthetic.bars=100"], environ={})
    symbols = symbol_names(2)
    bars = synthetic_bars(config.synthetic, HOUR_MS).rows(0, 3)
    tasks = target_tasks(config.targets)
    compute_targets(bars, tasks, config.features.window)
    engine = Engine(
        FeaturePipeline(config.features, symbols, HOUR_MS, 2),
        rules_from(config, symbols),
        config.signal,
        tasks=tasks,
        n_symbols=2,
        initial_capital=config.portfolio.initial_capital,
        forecasters={},
    )
    state = engine.warm(engine.initial(), bars.rows(0, 1))
    state, _ = engine.open(state, bars.rows(1, 2))
    engine.step(state, bars.rows(1, 3))


def compile_account(rules: Rules, log: Any) -> None:
    """Have the kernel of this account ready before the first bar, and log what compiling parts took."""
    times = compile_times()
    began = time.perf_counter()
    compile_kernel(rules)
    if (took := time.perf_counter() - began) > TOLD_FROM_S:
        times["kernel"] = took
    for part, seconds in times.items():
        log.info("part_compiled", part=part, seconds=round(seconds, 3))
