"""Models that read windows of bars: live, in a backtest, proved, and trained on the same rows."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.app.live import retraining as live_training
from bot.app.live.retraining import RecordedRows
from bot.app.training.archive import Archive
from bot.app.training.request import variance_scales
from bot.app.verify.proof import verify
from bot.blocks import BarBlock
from bot.config import Config, load_config
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.model.dataset import Dataset
from bot.model.training.train import train
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS, cut
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal

if TYPE_CHECKING:
    from tests.conftest import RunIt

GRU = ["model.encoder=gru", "model.lookback=6"]


def rows(config: Config, bars: BarBlock, block: int, *, drop: bool) -> Dataset:
    """Return the dataset due at the last bar, from an archive filled in such blocks."""
    pipeline = FeaturePipeline(config.features, symbol_names(2), HOUR_MS)
    archive, state = Archive(config, target_tasks(config.targets)), pipeline.initial()
    for part in cut([bars], block):
        state, features = pipeline.advance(state, part)
        archive.extend(part, features)
        if drop:
            archive.drop_before(len(bars) - 1)
    return archive.dataset(len(bars) - 1)


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(
        None,
        [*GRU, "features.names=core", "model.members=1", "synthetic.symbols=2", "synthetic.bars=420", "synthetic.missing=0.1",
         "training.window_bars=150", "training.min_rows=10", "features.medium_window=30",
         "features.long_window=40", "features.correlation_window=30", "model.hidden=[4]",
         "model.head_hidden=2", "training.epochs=1"],
        {},
    )  # fmt: skip


@pytest.fixture(scope="module")
def bars(config: Config) -> BarBlock:
    return synthetic_bars(config.synthetic, HOUR_MS)


def test_rows_are_those_of_one_bar_with_the_ready_bars_before_them(
    config: Config, bars: BarBlock
) -> None:
    alone = config.model_copy(update={"model": config.model.model_copy(update={"encoder": "mlp"})})
    plain, windowed = (rows(c, bars, 420, drop=False) for c in (alone, config))
    newest = windowed.newest()
    place = {(b, s): i for i, (b, s) in enumerate(zip(plain.bar, plain.symbol, strict=True))}
    at = np.array([place[b, s] for b, s in zip(windowed.bar, windowed.symbol, strict=True)])
    np.testing.assert_array_equal(newest.x, plain.x[at])
    np.testing.assert_array_equal(windowed.y, plain.y[at])
    # without labels at the end and with holes between, windows still are the ready bars in a row
    pipeline = FeaturePipeline(config.features, symbol_names(2), HOUR_MS)
    _, features = pipeline.advance(pipeline.initial(), bars)
    # a symbol's first five ready bars of the training's window have no window of their own
    before = np.cumsum(features.ready[420 - 150 :], axis=0)[plain.bar - (420 - 150), plain.symbol]
    np.testing.assert_array_equal(at, np.flatnonzero(before >= 6))
    assert len(at) < len(plain)
    assert windowed.last is not None
    for i in (0, len(windowed) // 2, len(windowed) - 1):
        b, s = int(windowed.bar[i]), int(windowed.symbol[i])
        ready = np.flatnonzero(features.ready[: b + 1, s])[-6:]
        end = int(windowed.last[i])
        np.testing.assert_array_equal(windowed.x[end - 5 : end + 1], features.x[ready, s])


@pytest.mark.parametrize("block", [1, 31])
def test_neither_blocks_nor_dropping_change_a_row(
    config: Config, bars: BarBlock, block: int
) -> None:
    whole, again = rows(config, bars, 420, drop=False), rows(config, bars, block, drop=True)
    assert again.digest() == whole.digest()
    for field in fields(Dataset):
        assert np.array_equal(getattr(again, field.name), getattr(whole, field.name)) or (
            field.name == "y"
        )


def test_the_variance_scale_reads_windows(config: Config, bars: BarBlock) -> None:
    dataset = rows(config, bars, 420, drop=False)
    (scale,) = variance_scales(train(dataset, config.model, config.training, 1), dataset).values()
    assert scale is not None
    assert 0.1 < scale < 100.0


@pytest.mark.parametrize("encoder", ["gru", "tcn"])
def test_a_backtest_is_proved(run_it: RunIt, encoder: str) -> None:
    ran = run_it(
        f"model.encoder={encoder}", "model.lookback=6", "synthetic.bars=800",
        "signal.threshold=0.0", "synthetic.missing=0.05", "sizing.method=proportional",
        "sizing.rebalance_band=0.0",
    )  # fmt: skip
    verdict = verify(ran.folder)
    assert verdict.identical, verdict.difference
    assert verdict.fills > 50
    assert verdict.models >= 2
    assert verdict.replayed_sha256 == ran.done.ledger_sha256


def test_a_life_of_windows_is_proved_and_trained_as_a_backtest_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *GRU, "training.time_limit_s=1e6")
    rehearsal.run(1)
    for number in range(2):  # killed in between, and taken up from what is committed
        begin = rehearsal.begin_ms + (1 + 40 * number) * HOUR_MS
        rehearsal.run(40, begin_ms=begin, pool=PoolHere())
    proof = prove(rehearsal.folder, rehearsal.source)
    assert len(proof.models) >= 2
    assert proof.holes == 0
    due = int(proof.bars.open_time[-1])
    read = RecordedRows(rehearsal.folder, due, rehearsal.config, rehearsal.config.market.symbols)
    whole = read.load()
    assert whole.dataset.lookback == 6
    monkeypatch.setattr(live_training, "PART_BARS", 37)
    assert read.load().dataset.digest() == whole.dataset.digest()
    assert replace(read, due_ms=due - HOUR_MS).load().dataset.digest() != whole.dataset.digest()
