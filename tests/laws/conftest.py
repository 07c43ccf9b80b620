"""What the laws are held against: short runs with several models, missing bars and many fills."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.files.history import load_history
from bot.adapters.journal.forms import open_journal
from bot.app.backtest.bar_source import HeldBars
from bot.app.backtest.job import BacktestDone, BacktestJob, run_backtest
from bot.app.runs.folder import RunFolder, new_run
from bot.blocks import F64, I64, BarBlock
from bot.config import Config, load_config
from bot.log import open_log
from bot.portfolio.rules import rules_from
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "data"
QUICK = [
    "features.names=core", "model.members=1",
    "model.hidden=[16]", "model.head_hidden=8", "training.epochs=2", "training.min_rows=300",
    "training.window_bars=600", "training.batch_size=256", "retrain.trigger=every_bars",
    "retrain.every_bars=250", "signal.threshold=0.0", "execution.late_policy=hold",
    "policy.kind=threshold",
    "features.medium_window=30", "features.long_window=40", "features.correlation_window=30",
]  # fmt: skip


@dataclass(frozen=True)
class World:
    """A market and the settings it is traded with."""

    config: Config
    symbols: tuple[str, ...]
    bars: BarBlock


@dataclass(frozen=True)
class Outcome:
    """What a run has left behind, as arrays."""

    done: BacktestDone
    folder: RunFolder
    times: I64
    equity: F64
    cash: F64
    quantity: F64
    decisions: dict[str, F64]
    forecasts: F64
    fills: np.ndarray[Any, np.dtype[np.void]]
    models: list[tuple[str, int]]


Runs = Callable[..., Outcome]


def synthetic_world() -> World:
    config = load_config(
        None,
        [*QUICK, "synthetic.symbols=3", "synthetic.bars=1600", "synthetic.missing=0.02"],
        environ={},
    )
    return World(config, symbol_names(3), with_inside(synthetic_bars(config.synthetic, HOUR_MS)))


def with_inside(bars: BarBlock) -> BarBlock:
    """Let some bars have settlements inside them, as longer bars do, and some not known."""
    price = np.nan_to_num(bars.close)
    fifth = (np.arange(len(bars)) % 5 == 0)[:, None]
    return replace(
        bars, funding_inside=np.where(fifth, 2e-4 * price, 0.0),
        funding_inside_unknown=np.where(~fifth & (price > 0.0), 1.0, 0.0),
    )  # fmt: skip


def world_of_files(root: Path) -> World:
    config = load_config(
        None,
        [
            *QUICK, "market.symbols=BTCUSDT,ETHUSDT,SOLUSDT", f"data.root={root / 'candles'}",
            "data.history_start=2024-01-01", "data.end=2024-03-10",
        ],
        environ={},
    )  # fmt: skip
    history = load_history(config)
    return World(config, history.symbols, with_holes(history.bars))


def with_holes(bars: BarBlock, every: int = 37) -> BarBlock:
    """Take bars away, a symbol at a time: real candles have none missing."""
    n, S = bars.valid.shape
    hole = (np.arange(n)[:, None] % every) == (np.arange(S) * 11 + 5) % every
    late = np.arange(n) % 53 == 17
    gone = {
        name: np.where(hole, np.nan, getattr(bars, name))
        for name in ("open", "high", "low", "close", "volume", "turnover", "mark")
    }
    return replace(
        bars, **gone, valid=bars.valid & ~hole, fillable=bars.fillable & ~hole & ~late[:, None],
        tradable=~late,
    )  # fmt: skip


@pytest.fixture(scope="session", params=["synthetic", "recorded", "real"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "synthetic":
        return synthetic_world()
    recorded = request.param == "recorded"
    return world_of_files(FIXTURES if recorded else request.getfixturevalue("real_root"))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Run a backtest of a world, or of other bars of it, and read what it left."""
    number = itertools.count()

    def go(world: World, bars: BarBlock | None = None, block: int = 4096, **job: Any) -> Outcome:
        config = world.config.model_copy(
            update={"run": world.config.run.model_copy(update={"block_bars": block})}
        )
        folder = new_run(config, str(tmp_path_factory.mktemp(f"run{next(number)}")), "law")
        given = world.bars if bars is None else bars
        with open_log(folder.log) as log:
            done = run_backtest(
                BacktestJob(
                    config, folder, world.symbols, HeldBars(given), given.open_time, 200,
                    rules_from(config, world.symbols), log, lambda done, total: None, **job,
                )
            )  # fmt: skip
        return _read(folder, done)

    return go


def _read(folder: RunFolder, done: BacktestDone) -> Outcome:
    reader = open_journal(folder.journal)
    times, ledger = reader.ledger()
    outcome = Outcome(
        done, folder, times, ledger["equity"], ledger["cash"], reader.positions(times),
        reader.decisions(times)[0], reader.forecasts(times)[0], reader.fills(),
        [(row.model_id, row.effective_from) for row in reader.models()],
    )  # fmt: skip
    reader.close()
    return outcome


@pytest.fixture(scope="session")
def whole(world: World, run: Runs) -> Outcome:
    """The run in large blocks, which every law compares with; it must be worth comparing with."""
    outcome = run(world)
    assert len(outcome.fills) >= 100
    assert len(outcome.models) >= 3
    assert (~world.bars.valid[200:]).sum() > 10
    return outcome
