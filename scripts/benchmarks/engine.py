"""The engine group: features, the default model and the ledger, without retraining.

Rules: one torch thread; the usual blocks; the ledger's hash is kept, as in every run. What is timed
starts when bars and model are in memory, except where files are streamed.
"""

from __future__ import annotations

from functools import partial

import torch

from bot.blocks import Task
from bot.model.threads import single_thread
from scripts.benchmarks import plain
from scripts.benchmarks.measuring import Row, median_seconds, peak_mib, take_turns
from scripts.benchmarks.trained import Trained

GOAL = 400_000
UNIT = "symbol-bars/s"


def parts(quick: bool) -> list[Row]:
    """Measure the stages one by one, and the network's forward pass alone: the limit."""
    single_thread()
    run = Trained(5, 20_000 if quick else 200_000)
    size, cells = run.config.run.block_bars, run.n_bars * run.n_symbols
    block = run.bars.rows(0, size)
    _, features = run.pipeline.advance(run.pipeline.initial(), block)
    tasks: tuple[Task, ...] = run.engine.tasks
    forward = run.model.network().fold(size)
    x = torch.rand(size, len(run.pipeline.names))
    works = {
        "network's forward pass alone": (size, "rows of one batch of 4,096; the limit"),
        "features alone": (size * 5, ""),
        "forecasts alone": (size * 5, f"standardised, {len(tasks)} heads, in the targets' units"),
    }
    with torch.inference_mode():
        seconds = take_turns(
            {
                "network's forward pass alone": lambda: forward(x),
                "features alone": lambda: run.pipeline.advance(run.pipeline.initial(), block),
                "forecasts alone": lambda: run.forecaster.forecast(block.open_time, features),
            },
            5 if quick else 31,
        )
    rows = [Row(name, m / seconds[name], UNIT, note=note) for name, (m, note) in works.items()]
    limit = size / seconds["network's forward pass alone"]
    whole = cells / median_seconds(run.run, 1 if quick else 3)
    note = f"{whole / limit:.0%} of the limit"
    return [*rows, Row(f"all, 5 symbols, {cells:,} symbol-bars", whole, UNIT, GOAL, note=note)]


def whole(quick: bool, n_symbols: int, symbol_bars: int) -> list[Row]:
    """Measure the whole path in memory."""
    single_thread()
    run = Trained(n_symbols, symbol_bars // n_symbols)
    done = run.run()
    seconds = median_seconds(run.run, 1 if quick else 3)
    fills = int(done.state.book.account["fills"][0])
    case = f"all, {n_symbols} symbol{'s' if n_symbols > 1 else ''}, {symbol_bars:,} symbol-bars"
    goal = GOAL if symbol_bars >= 1_000_000 else None
    note = f"{fills:,} fills; {1e6 * seconds / symbol_bars:.2f} µs a symbol-bar"
    rows = [Row(case, symbol_bars / seconds, UNIT, goal, note=note)]
    if goal:
        note = "of the process: libraries, bars, model"
        rows.append(Row(f"{case}: peak memory", peak_mib(), "MiB", 1024, False, note))
    return rows


def beside_pandas(quick: bool) -> list[Row]:
    """Measure pandas features, one torch batch and a Python loop over rows, on the same market."""
    single_thread()
    run = Trained(1, 5_000 if quick else 100_000)
    close = run.bars.close
    seconds = take_turns(
        {"ours": run.run, "plain": partial(plain.equity_after, run)}, 1 if quick else 3
    )
    ours, theirs = float(run.run().state.book.account["equity"][0]), plain.equity_after(run)
    apart = abs(theirs / ours - 1.0)
    note = f"{seconds['plain'] / seconds['ours']:.0f} × slower; "
    note += (
        "same equity"
        if apart <= 1e-9
        else f"equity differs by {apart:.0e}: rounding decides signals at the threshold"
    )
    return [Row("plain pandas and torch, 1 symbol", close.size / seconds["plain"], UNIT, note=note)]
