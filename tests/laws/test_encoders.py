"""Laws of every architecture with every encoder: partition, no look-ahead, saving, same bits."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.files.models import load_model, save_model
from bot.app.loop.forecasters import forecaster_of
from bot.app.loop.recorders import NoRecorder
from bot.app.loop.runner import Runner
from bot.app.training.archive import Archive
from bot.blocks import F64, BarBlock
from bot.config import Config, load_config
from bot.engine import Engine
from bot.engine_state import Activation, state_from_arrays, state_to_arrays
from bot.errors import ModelError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.model.dataset import Dataset
from bot.model.predict import TILE, WINDOW_TILE, Predictor
from bot.model.trained import TrainedModel
from bot.model.training.train import train
from bot.parts.registry import parts
from bot.portfolio.ledger import LedgerHash
from bot.portfolio.rules import rules_from
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

TINY = [
    "features.names=core", "model.members=1",
    "policy.kind=threshold", "model.hidden=[7,5]", "model.head_hidden=3", "model.lookback=6", "training.epochs=1",
    "training.batch_size=64", "training.min_rows=50", "training.window_bars=110",
    "features.window=5", "features.medium_window=6", "features.long_window=8",
    "features.correlation_window=6", "synthetic.symbols=2", "synthetic.bars=220",
    "synthetic.missing=0.1", "synthetic.signal_strength=0.4", "signal.threshold=0.0",
    "sizing.method=proportional", "sizing.rebalance_band=0.0",
]  # fmt: skip
BARS = synthetic_bars(load_config(None, TINY, {}).synthetic, HOUR_MS)
SYMBOLS = symbol_names(2)
WARM, DUE, FIRST, LAST = 40, 140, 142, 190


@dataclass(frozen=True)
class Net:
    """A combination, the rows it was trained on, and the model."""

    config: Config
    dataset: Dataset
    model: TrainedModel

    @property
    def pipeline(self) -> FeaturePipeline:
        c = self.config
        return FeaturePipeline(c.features, SYMBOLS, HOUR_MS, c.model.bars_read)

    def engine(self, model: TrainedModel) -> Engine:
        c, pipeline, tasks = self.config, self.pipeline, target_tasks(self.config.targets)
        forecaster = forecaster_of(
            model, pipeline.names, pipeline.names, tasks, "m", lookback=c.model.bars_read
        )
        rules = rules_from(c, SYMBOLS)
        return Engine(pipeline, rules, c.signal, tasks, 2, 1e5, {"m": forecaster})

    def run(
        self, bars: BarBlock, cuts: Iterable[int], *, live: bool = False,
        model: TrainedModel | None = None,
    ) -> tuple[F64, str]:  # fmt: skip
        """Step the bars in blocks cut there, each opened and closed apart and stored, if live."""
        engine, ledger = self.engine(model or self.model), LedgerHash(SYMBOLS)
        runner = Runner(engine, engine.initial(), NoRecorder(), ledger)
        runner.activate(Activation(int(bars.open_time[FIRST]), "m"), None)
        runner.warm(bars.rows(0, WARM))
        found = []
        for a, b in itertools.pairwise(sorted({WARM, len(bars), *cuts})):
            if live:
                runner.open(bars.rows(a, a + 1))
                runner.state = state_from_arrays(state_to_arrays(runner.state))
            found += [result.forecast.value for result in runner.step(bars.rows(a, b))]
        assert int(runner.state.book.account["fills"][0]) > 5
        return np.concatenate(found), ledger.hexdigest()


def dataset_of(config: Config) -> Dataset:
    pipeline = FeaturePipeline(config.features, SYMBOLS, HOUR_MS)
    bars = BARS.rows(0, DUE + 1)
    archive = Archive(config, target_tasks(config.targets))
    archive.extend(bars, pipeline.advance(pipeline.initial(), bars)[1])
    return archive.dataset(DUE)


COMBINATIONS = list(itertools.product(parts("encoder"), parts("architecture")))


@pytest.fixture(scope="module", params=COMBINATIONS, ids="-".join)
def net(request: pytest.FixtureRequest) -> Net:
    encoder, architecture = request.param
    chosen = [f"model.encoder={encoder}", f"model.architecture={architecture}"]
    config = load_config(None, [*TINY, *chosen], {})
    dataset = dataset_of(config)
    return Net(config, dataset, train(dataset, config.model, config.training, seed=3))


@pytest.fixture(scope="module")
def whole(net: Net) -> tuple[F64, str]:
    """Its forecasts and its ledger in one block."""
    return net.run(BARS, [])


def test_any_partition_gives_the_same_forecasts_and_ledger(
    net: Net, whole: tuple[F64, str]
) -> None:
    size = TILE if net.config.model.bars_read == 1 else WINDOW_TILE
    assert Predictor(net.model).rows_a_tile == size  # on the machines that this was tried on
    forecasts, ledger = whole
    known = np.isfinite(forecasts[:, :, 0])
    assert known[FIRST - WARM :].mean() > 0.8
    assert not known[: FIRST - WARM].any()
    for step, live in ((1, True), (37, False)):
        again, same = net.run(BARS, range(WARM, len(BARS), step), live=live)
        np.testing.assert_array_equal(again, forecasts)
        assert same == ledger


def test_the_future_changes_no_forecast_of_the_past(net: Net, whole: tuple[F64, str]) -> None:
    after = np.arange(len(BARS))[:, None] > LAST
    changed: dict[str, Any] = {
        name: np.where(after, 1.7 * getattr(BARS, name), getattr(BARS, name))
        for name in ("open", "high", "low", "close", "volume")
    }
    past = LAST + 1 - WARM
    forecasts, (other, _) = whole[0], net.run(replace(BARS, **changed), [])
    np.testing.assert_array_equal(other[:past], forecasts[:past])
    assert not np.array_equal(other[past:], forecasts[past:], equal_nan=True)


def test_a_saved_model_forecasts_the_same(net: Net, whole: tuple[F64, str], tmp_path: Path) -> None:
    model_id = save_model(tmp_path, net.model, {"features": list(net.pipeline.names)})
    again, _ = load_model(tmp_path, model_id)
    assert again.spec == net.model.spec
    assert net.run(BARS, [], model=again)[1] == whole[1]


def test_training_gives_the_same_bits(net: Net) -> None:
    c = net.config
    assert train(net.dataset, c.model, c.training, seed=3).model_id == net.model.model_id
    assert train(net.dataset, c.model, c.training, seed=4).model_id != net.model.model_id


def test_a_window_is_what_the_forecast_is_made_of(net: Net) -> None:
    """Only the last `bars_read` ready bars of a symbol move its forecast."""
    reads = net.config.model.bars_read
    pipeline = net.pipeline
    _, features = pipeline.advance(pipeline.initial(), BARS)
    s, at = 0, np.flatnonzero(features.ready[:, 0])
    predictor = Predictor(net.model)
    place = int(at[60])

    def forecast(changed: int | None) -> F64:
        x = features.x.copy()
        windows = features.windows
        if changed is not None:
            x[at[changed], s] += 1.0
            if windows is not None:
                rows = windows.rows.copy()
                rows[changed] += 1.0
                windows = replace(windows, rows=rows)
        whole: F64 = predictor.predict(x, features.ready, windows)[place, s]
        return whole

    usual = forecast(None)
    for back in range(reads):
        assert not np.array_equal(forecast(60 - back), usual), back
    np.testing.assert_array_equal(forecast(60 - reads), usual)
    np.testing.assert_array_equal(forecast(61), usual)


def test_a_model_of_another_lookback_is_refused_at_once() -> None:
    config = load_config(None, [*TINY, "model.encoder=gru"], {})
    model = train(dataset_of(config), config.model, config.training, seed=3)
    names, tasks = FeaturePipeline(config.features, SYMBOLS, HOUR_MS).names, model.tasks
    with pytest.raises(ModelError, match=r"m reads the last 6 bars \(gru\), this run has 1"):
        forecaster_of(model, names, names, tasks, "m")
    with pytest.raises(ModelError, match="windows of 6 bars and is given none"):
        Predictor(model).predict(np.zeros((1, 1, len(names))), np.ones((1, 1), dtype=np.bool_))
