"""A small market and the default model trained on its first bars, for all groups that forecast.

Rules: settings are the defaults but for the market (one-minute bars of the synthetic one, made calm
enough to last ten million bars), the features that are ready within the few bars the model is trained
on, and a threshold that this model's signals reach now and then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from bot.app.loop.forecasters import forecaster_of
from bot.app.loop.recorders import NoRecorder
from bot.app.loop.runner import Recorder, Runner
from bot.app.symbols import traded_symbols
from bot.app.training.archive import Archive
from bot.blocks import BarBlock
from bot.config import Config, load_config
from bot.engine import Engine
from bot.engine_state import Activation
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.model.predict import Predictor
from bot.model.trained import TrainedModel
from bot.model.training.train import train
from bot.portfolio.ledger import LedgerHash
from bot.portfolio.rules import rules_from
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import INTERVAL_MS

MODEL_ID = "benchmark"
TRAINING_BARS = 6000
SETTINGS = (
    "data.source=synthetic",
    "market.interval=1m",
    "features.names=core",
    "policy.kind=threshold",
    "synthetic.volatility=0.0005",
    "signal.threshold=0.0004",
    "training.epochs=4",
    "training.batch_size=1024",
)


@dataclass(frozen=True)
class Trained:
    """The default model, trained for S symbols and n bars of their market."""

    n_symbols: int
    n_bars: int

    @cached_property
    def config(self) -> Config:
        """Return the settings."""
        sizes = (f"synthetic.symbols={self.n_symbols}", f"synthetic.bars={self.n_bars}")
        return load_config(None, [*SETTINGS, *sizes], environ={})

    @cached_property
    def bars(self) -> BarBlock:
        """Return all bars."""
        return synthetic_bars(self.config.synthetic, INTERVAL_MS[self.config.market.interval])

    @cached_property
    def pipeline(self) -> FeaturePipeline:
        """Return the features."""
        interval_ms = INTERVAL_MS[self.config.market.interval]
        return FeaturePipeline(self.config.features, traded_symbols(self.config), interval_ms)

    @cached_property
    def model(self) -> TrainedModel:
        """Train the model on bars of its own, of at most five symbols."""
        small = Trained(min(self.n_symbols, 5), TRAINING_BARS)
        archive = Archive(small.config, target_tasks(small.config.targets))
        _, features = small.pipeline.advance(small.pipeline.initial(), small.bars)
        archive.extend(small.bars, features)
        rows = archive.dataset(TRAINING_BARS - 1)
        return train(rows, small.config.model, small.config.training, seed=1)

    @cached_property
    def forecaster(self) -> Predictor:
        """Return the model as the engine asks it."""
        names, tasks = self.pipeline.names, target_tasks(self.config.targets)
        return forecaster_of(self.model, names, names, tasks, MODEL_ID)

    @cached_property
    def engine(self) -> Engine:
        """Return the engine with features, model and rules."""
        symbols = traded_symbols(self.config)
        return Engine(
            self.pipeline, rules_from(self.config, symbols), self.config.signal,
            target_tasks(self.config.targets), self.n_symbols,
            self.config.portfolio.initial_capital, {MODEL_ID: self.forecaster},
        )  # fmt: skip

    def runner(self, recorder: Recorder | None = None) -> Runner:
        """Return a runner at the first bar, its model active from there on."""
        ledger = LedgerHash(traded_symbols(self.config))
        runner = Runner(self.engine, self.engine.initial(), recorder or NoRecorder(), ledger)
        runner.activate(Activation(0, MODEL_ID), None)
        return runner

    def run(self, recorder: Recorder | None = None) -> Runner:
        """Take a new runner through all bars in blocks of the usual length, and return it."""
        runner = self.runner(recorder)
        size = self.config.run.block_bars
        for start in range(0, self.n_bars, size):
            runner.step(self.bars.rows(start, min(start + size, self.n_bars)))
        return runner
