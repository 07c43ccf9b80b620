"""A live run as the daemon leaves it: bars opened and closed apart, late ones, and restarts."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bot.adapters.files.instruments import instruments_text
from bot.adapters.journal.builds import build_rows
from bot.adapters.journal.forms import open_journal
from bot.adapters.journal.writer import Journal
from bot.adapters.record.chain import first_link
from bot.adapters.record.commands import CommandRow
from bot.app.executors import local as local_executor
from bot.app.executors.local import LocalJob
from bot.app.live.backfill import late
from bot.app.live.opening import closed_row
from bot.app.live.recorder import LiveRecorder
from bot.app.loop.forecasters import read_forecaster
from bot.app.runs.folder import RunFolder, config_hash, config_text
from bot.app.study import judging
from bot.blocks import BarBlock
from bot.config import to_toml
from bot.engine import Engine
from bot.engine_state import Activation, state_from_arrays
from bot.errors import BotError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.model.forecaster import Forecaster
from bot.portfolio.hand import Command
from bot.portfolio.instruments import Instrument
from bot.portfolio.rules import rules_from
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Ran, RunIt

LATE_BARS = 6
RESTART_EVERY = 40


@dataclass
class LiveRun:
    """A daemon without a network: the engine, the journal it writes, and the bars to come."""

    ran: Ran
    folder: RunFolder

    def __post_init__(self) -> None:
        config, symbols = self.ran.config, self.ran.market.symbols
        self.latency_ms = config.retrain.latency_bars * HOUR_MS
        self.folder.path.mkdir()
        self.folder.config.write_text(to_toml(config), "utf-8")
        shutil.copytree(self.ran.folder.models, self.folder.models)
        lookback = config.model.bars_read
        pipeline = FeaturePipeline(config.features, symbols, HOUR_MS, lookback)
        self.tasks = target_tasks(config.targets)
        forecasters: dict[str, Forecaster] = {}
        for model_id, _, _ in self.ran.models():
            forecasters[model_id], _ = read_forecaster(
                self.folder.models, model_id, features=pipeline.names, tasks=self.tasks,
                lookback=lookback, symbols=tuple(symbols),
            )  # fmt: skip
        known = {name: Instrument(0.01, 0.01, 5.0) for name in symbols}
        meta = {
            "mode": "live", "interval": "1h", "venue": config.market.venue,
            "config_hash": config_hash(config), "instruments": instruments_text(known),
            "config_toml": config_text(self.folder),
        }  # fmt: skip
        self.journal = Journal.create(self.folder.journal, symbols, self.tasks, meta, durable=False)
        self.engine = Engine(
            pipeline, rules_from(config, symbols, known), config.signal, self.tasks,
            len(symbols), config.portfolio.initial_capital, forecasters,
        )  # fmt: skip
        self.recorder = LiveRecorder(self.journal)
        self.state = self.engine.initial()
        self.asked = 0
        first = int(self.ran.market.bars.open_time[self.ran.market.start_index])
        self.models = {max(at, first): (model_id, due) for model_id, at, due in self.ran.models()}

    def warm(self, bars: BarBlock) -> None:
        self.state = self.engine.warm(self.state, bars)
        self.recorder.warmed(bars, self.state)

    def start(self, open_time: int) -> None:
        with self.journal.transaction():
            self.journal.write_meta("start", str(open_time))

    def open(self, bar: BarBlock) -> BarBlock:
        """Open a bar at quotes of which some never come; return its row."""
        row = opening(bar)
        self.state, trace = self.engine.open(self.state, row)
        self.fills_at_open = len(trace.fills)
        self.recorder.opened(row, trace, self.state)
        return row

    def close(self, row: BarBlock, bar: BarBlock) -> None:
        self.activate(int(bar.open_time[0]))
        tradable = int(bar.open_time[0]) // HOUR_MS % 29 != 0
        closed = closed_row(row, bar, tradable=tradable)
        self.state, results = self.engine.step(self.state, closed)
        self.recorder.closed(results, self.state, opened=True)

    def miss(self, bars: BarBlock) -> None:
        """Take in bars that were missed while the daemon was down."""
        for open_time in bars.open_time.tolist():
            self.activate(open_time)
        self.state, results = self.engine.step(self.state, late(bars))
        self.recorder.closed(results, self.state, opened=False)

    def activate(self, open_time: int) -> None:
        if open_time in self.models:
            model_id, due = self.models.pop(open_time)
            activation = Activation(open_time, model_id)
            self.state = self.engine.activate(self.state, activation)
            assert due is not None
            self.recorder.activated(activation, due, late=open_time > due + self.latency_ms)

    def ask(self, kind: str, bar: BarBlock, *, inside: bool, refused: str | None = None) -> None:
        """Take a person's command, from this bar's open or close on."""
        self.asked += 1
        row = CommandRow(
            f"20230101T000000000Z-{self.asked:08x}", kind, "{}", "ann", self.asked,
            int(bar.open_time[0]), inside=inside, refused=refused,
        )  # fmt: skip
        if refused is None:
            self.state = self.engine.obey(self.state, Command(kind))
        self.recorder.commanded(row, self.state)

    def restart(self, build: str | None = None) -> None:
        """Die and take up what is committed; what was made so far may be of a build of this name."""
        self.journal.close()
        if build is not None:
            made_so_far_by(self.folder, build)
        symbols = self.ran.market.symbols
        Journal.open(self.folder.journal, symbols, self.tasks).close()
        db = sqlite3.connect(self.folder.journal, isolation_level=None)
        db.execute("PRAGMA synchronous = OFF")  # the disk is not what is tested
        self.journal = Journal(db, symbols, self.folder.journal)
        self.recorder = LiveRecorder(self.journal)
        reader = open_journal(self.folder.journal)
        arrays = reader.state()
        reader.close()
        assert arrays is not None
        self.state = state_from_arrays(arrays)
        with self.journal.transaction():
            assert self.journal.begin_stretch(arrays) is (build is not None)


def made_so_far_by(folder: RunFolder, name: str) -> None:
    """Let the newest stretch of a journal have been made by another build, its seal included."""
    with closing(sqlite3.connect(folder.journal)) as db:
        meta = dict(db.execute("SELECT key, value FROM meta"))
        rows = build_rows(db)
        assert len(rows) == 1
        row = replace(rows[0], digest=name, made_by=json.dumps({"code": name}))
        link = row.expected_link(first_link(meta["symbols"].split("\n")), meta)
        db.execute(
            "UPDATE builds SET digest = ?, made_by = ?, link = ?", (row.digest, row.made_by, link)
        )
        db.commit()


@pytest.fixture(scope="session")
def live_of() -> type[LiveRun]:
    """Give the daemon without a network to tests of other modules."""
    return LiveRun


def opening(bar: BarBlock) -> BarBlock:
    """Return what is known of a bar when it opens: quotes, and for each symbol at times none."""
    nan = np.full(bar.close.shape, np.nan)
    S = bar.n_symbols
    hour = int(bar.open_time[0]) // HOUR_MS
    seen = (hour + np.arange(S)) % 5 != 0
    price = np.where(seen & bar.valid, bar.open, np.nan)
    return replace(
        bar, open=price, high=nan, low=nan, close=nan, volume=nan, turnover=nan,
        valid=np.zeros_like(bar.valid), fillable=np.isfinite(price),
        fill_bid=price * 0.9998, fill_ask=price * 1.0003,
        mark=np.where(bar.valid, bar.open, 1.0),
    )  # fmt: skip


MakeLive = Callable[[str], RunFolder]


TRADED = [
    "synthetic.bars=800", "synthetic.missing=0.05", "synthetic.signal_strength=0.3",
    "signal.threshold=0.0", "training.epochs=4", "training.learning_rate=0.01",
    "data.start=2023-01-14",
]  # fmt: skip


@pytest.fixture(scope="session")
def traded(run_it: RunIt) -> Ran:
    """A backtest with a warm-up, several models, missing bars and many fills, recorded by row."""
    return run_it(*TRADED, by_row=True)


@pytest.fixture(scope="session")
def traded_in_columns(run_it: RunIt) -> Ran:
    """The same backtest, recorded as a backtest is: in columns."""
    return run_it(*TRADED)


@pytest.fixture(scope="session")
def live_run(traded: Ran, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same bars lived through, with restarts, killed between an open and its close."""
    live = LiveRun(traded, RunFolder(tmp_path_factory.mktemp("live") / "run"))
    bars, first = traded.market.bars, traded.market.start_index
    live.warm(bars.rows(0, 100))
    live.warm(bars.rows(100, first))
    live.start(int(bars.open_time[first]))
    i = first
    while True:
        bar = bars.rows(i, i + 1)
        row = live.open(bar)
        if i > len(bars) - 50 and live.fills_at_open:
            break
        if i % RESTART_EVERY == 0:
            live.restart()
        live.close(row, bar)
        i += 1
        if i % (2 * RESTART_EVERY) == 7:
            live.restart()
            live.miss(bars.rows(i, i + LATE_BARS))
            i += LATE_BARS
    live.journal.close()
    return live.folder


STUDY = [
    "features.names=core", "model.members=1", "model.hidden=[8]", "model.head_hidden=4", "training.epochs=1", "training.batch_size=256",
    "training.min_rows=300", "features.medium_window=30", "features.long_window=40",
    "features.correlation_window=30", "data.source=synthetic", "synthetic.symbols=2",
    "policy.kind=threshold", "synthetic.bars=3000", "synthetic.missing=0.01", "training.window_bars=700",
]  # fmt: skip
"""A synthetic market for comparisons, and networks that hardly deserve the name."""


class HerePool:
    """Run units at once and here, and count them."""

    ran: list[str] = []  # noqa: RUF012 - emptied by each test that looks

    def __init__(self, workers: int) -> None:
        pass

    def submit(self, job: LocalJob[Any, Any]) -> Future[Any]:
        self.ran.append(job.label)
        future: Future[Any] = Future()
        try:
            future.set_result(job.run())
        except BotError as error:
            future.set_exception(error)
        return future

    def shutdown(self) -> None:
        pass


@pytest.fixture(scope="session")
def study_sets() -> list[str]:
    return list(STUDY)


@pytest.fixture
def units_ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the units of comparisons here; return the labels of those that ran."""
    HerePool.ran.clear()
    monkeypatch.setattr(local_executor, "TrainingPool", HerePool)
    monkeypatch.setattr(judging, "SAMPLES", 200)
    return HerePool.ran
