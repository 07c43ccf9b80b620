"""The retrain group: a real backtest from the command line, trainings and all.

Rules: the command that a person would type, in a process of its own. The engine's part is the same
bars again with the recorded models, and has to end with the recorded hash.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bot.adapters.journal.forms import open_journal
from bot.app.backtest.preparing import read_market
from bot.app.loop.forecasters import read_forecaster
from bot.app.loop.recorders import NoRecorder
from bot.app.loop.runner import Runner
from bot.app.runs.borrow import read_recorded
from bot.app.runs.folder import RunFolder, config_of
from bot.engine import Engine
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.model.forecaster import Forecaster
from bot.model.threads import single_thread
from bot.portfolio.ledger import LedgerHash
from bot.portfolio.rules import rules_from
from bot.timegrid import INTERVAL_MS, cut
from scripts.benchmarks.measuring import Row, median_seconds, run_case

REAL = (
    "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT,BNBUSDT", "--from", "2023-01-01", "--to", "2025-12-31",
)  # fmt: skip
SYNTHETIC = (
    "--set", "data.source=synthetic", "--set", "synthetic.symbols=4",
    "--set", "synthetic.bars=35064", "--from", "2024-01-01",
)  # fmt: skip
"""Four years of hours from 2023 on, the first for the first training."""


def three_years(quick: bool, data: str) -> list[Row]:
    """Measure four symbols over three years of hours with a training each month.

    Args:
        quick: three months only.
        data: folder with candles; empty for the synthetic market.
    """
    market: tuple[str, ...] = ("--data", data, *REAL) if data else SYNTHETIC
    if quick:
        market = (*market, "--to", "2023-03-31" if data else "2024-03-31")
    with TemporaryDirectory() as folder:
        first, again = Path(folder) / "first", Path(folder) / "again"
        whole, facts = _backtest(*market, "--run-dir", str(first))
        _, replayed = _backtest(*market, "--run-dir", str(again), "--schedule", str(first))
        engine = run_case("retrain:engine_alone", {"run_dir": str(first)})
    trainings = len(facts["models"])
    case = f"backtest with {trainings} trainings, {'real' if data else 'synthetic'} candles"
    same = "same" if facts["ledger_sha256"] == replayed["ledger_sha256"] else "ANOTHER"
    return [
        Row(case, whole, "s", 240.0, False, "from the command to its report, two side by side"),
        Row("the run itself", facts["seconds"], "s", note="without start and report"),
        *engine,
        Row("the same, journal written", replayed["seconds"], "s", note=f"{same} ledger hash"),
    ]


def engine_alone(run_dir: str) -> list[Row]:
    """Measure the engine's part of a run: features, forecasts, ledger, hash.

    Raises:
        RuntimeError: the hash is not the recorded one.
    """
    single_thread()
    recorded = read_recorded(RunFolder(Path(run_dir)))
    config = config_of(recorded.folder)
    market = read_market(config)
    symbols, bars, start = market.symbols, market.bars, market.start_index
    interval_ms, lookback = INTERVAL_MS[config.market.interval], config.model.bars_read
    pipeline = FeaturePipeline(config.features, symbols, interval_ms, lookback)
    tasks = target_tasks(config.targets)
    forecasters: dict[str, Forecaster] = {}
    for activation in recorded.activations:
        forecasters[activation.model_id], _ = read_forecaster(
            recorded.folder.models, activation.model_id, features=pipeline.names, tasks=tasks,
            lookback=lookback, symbols=tuple(symbols),
        )  # fmt: skip
    engine = Engine(
        pipeline, rules_from(config, symbols, recorded.instruments), config.signal, tasks,
        len(symbols), config.portfolio.initial_capital, forecasters,
    )  # fmt: skip

    def through() -> str:
        ledger = LedgerHash(symbols)
        runner = Runner(engine, engine.initial(), NoRecorder(), ledger)
        for activation in recorded.activations:
            runner.activate(activation, None)
        ends = bars.open_time[start - 1 : start].tolist() if start else []
        for block in cut([bars], config.run.block_bars, ends):
            if block.open_time[0] < bars.open_time[start]:
                runner.warm(block)
            else:
                runner.step(block)
        return ledger.hexdigest()

    seconds = median_seconds(through, 3)
    reader = open_journal(recorded.folder.journal)
    expected = reader.meta["ledger_sha256"]
    reader.close()
    if through() != expected:
        raise RuntimeError(f"the replay's ledger hash is not the recorded {expected}")
    rate = bars.close.size / seconds
    return [Row("the engine's part", seconds, "s", 2.0, False, f"{rate:,.0f} symbol-bars/s")]


def _backtest(*arguments: str) -> tuple[float, dict[str, Any]]:
    command = [sys.executable, "-m", "bot", "backtest", "--json", *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return time.perf_counter() - started, json.loads(done.stdout)
