"""The live group: what one new bar costs, from its open to the committed decision.

Rules: the runner's own calls, `open` and then `step` on a bar; waiting and the network of an exchange
are not in it.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bot.adapters.journal.writer import Journal
from bot.app.live.recorder import LiveRecorder
from bot.app.loop.runner import Runner
from bot.app.symbols import traded_symbols
from bot.model.threads import single_thread
from scripts.benchmarks.measuring import Row, median_seconds
from scripts.benchmarks.trained import Trained

WARM_BARS = 400
GOALS_US = {5: 2_000.0, 500: 10_000.0}


def one_bar(quick: bool) -> list[Row]:
    """Measure open and close of a bar for 5, 50 and 500 symbols, without and with the journal."""
    single_thread()
    rows = []
    for n_symbols in (5, 50, 500):
        run = Trained(n_symbols, WARM_BARS + (50 if quick else 500))
        for journalled in (False, True):
            taken = _journalled(run) if journalled else _times_us(run, run.runner())
            tail = ", committed to the journal" if journalled else ""
            goal = None if journalled else GOALS_US.get(n_symbols)
            note = f"99 %: {np.percentile(taken, 99):,.0f} µs, of {len(taken)} bars"
            case = f"one bar of {n_symbols} symbols{tail}"
            rows.append(Row(case, float(np.median(taken)), "µs", goal, False, note))
    return rows


def block_one(quick: bool) -> list[Row]:
    """Measure a backtest in blocks of one bar."""
    single_thread()
    run = Trained(5, 500 if quick else 5_000)

    def step_bar_by_bar() -> None:
        runner = run.runner()
        for i in range(run.n_bars):
            runner.step(run.bars.rows(i, i + 1))

    cells = run.n_bars * run.n_symbols
    seconds = median_seconds(step_bar_by_bar, 1 if quick else 3)
    note = f"{1e6 * seconds / run.n_bars:,.0f} µs a bar"
    return [
        Row("backtest in blocks of one, 5 symbols", cells / seconds, "symbol-bars/s", note=note)
    ]


def _times_us(run: Trained, runner: Runner) -> list[float]:
    runner.step(run.bars.rows(0, WARM_BARS))
    taken = []
    for i in range(WARM_BARS, run.n_bars):
        row = run.bars.rows(i, i + 1)
        started = time.perf_counter()
        runner.open(row)
        runner.step(row)
        taken.append(1e6 * (time.perf_counter() - started))
    return taken


def _journalled(run: Trained) -> list[float]:
    symbols = traded_symbols(run.config)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        journal = Journal.create(path, symbols, run.engine.tasks, {}, durable=True)
        taken = _times_us(run, run.runner(LiveRecorder(journal)))
        journal.close()
    return taken
