"""Rows on the disk: the same rows and the same model as in memory, in this process and in another."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.files.models import load_model
from bot.adapters.system.disk_room import DiskRoom
from bot.app.training import archive as archives
from bot.app.training import request as requests
from bot.app.training.archive import Archive
from bot.app.training.pool import TrainingPool
from bot.app.training.request import RowsSource, TrainingRequest, run_training
from bot.app.training.rows_on_disk import RowsOnDisk
from bot.config import Config, load_config
from bot.errors import JournalError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.model import room
from bot.model.dataset import Dataset
from bot.model.training import course
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS, cut

SETTINGS = (
    "features.names=core", "data.source=synthetic", "synthetic.symbols=3", "synthetic.bars=700",
    "synthetic.missing=0.03", "training.window_bars=500", "training.min_rows=10",
    "features.medium_window=30", "features.long_window=40", "features.correlation_window=30",
    "model.hidden=[8]", "model.head_hidden=4", "training.epochs=2", "model.members=2",
)  # fmt: skip
DUE = 640


def config_with(*more: str) -> Config:
    return load_config(None, [*SETTINGS, *more], {})


def archive_of(config: Config, disk: DiskRoom | None) -> Archive:
    bars = synthetic_bars(config.synthetic, HOUR_MS)
    pipeline = FeaturePipeline(config.features, symbol_names(3), HOUR_MS, config.model.bars_read)
    archive, state = Archive(config, target_tasks(config.targets), disk), pipeline.initial()
    for block in cut([bars], 90):
        state, features = pipeline.advance(state, block)
        archive.extend(block, features)
        archive.drop_before(DUE)
    return archive


def assert_same(a: Dataset, b: Dataset) -> None:
    for field in fields(Dataset):
        if field.name not in {"tasks", "room"}:
            np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))
    assert a.digest() == b.digest()


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("training.window=expanding",),
        ('targets.kinds=["return","direction","volatility","residual"]',),
        ("model.encoder=gru", "model.lookback=5"),
    ],
)
def test_the_rows_on_the_disk_are_those_in_memory(
    more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_with(*more)
    expected = archive_of(config, None).dataset(DUE)
    monkeypatch.setattr(archives, "LABELLED_AT_ONCE", 700)  # a symbol at a time
    monkeypatch.setattr(room, "SPAN_ROWS", 64)
    assert_same(archive_of(config, DiskRoom(tmp_path, least_bytes=0)).dataset(DUE), expected)
    assert list(tmp_path.iterdir()) == []


def request_of(config: Config, source: RowsSource, folder: Path) -> TrainingRequest:
    folder.mkdir()
    return TrainingRequest(
        config=config, features=tuple(config.features.names), source=source, due_ms=DUE,
        config_hash="c", parent_due_ms=None, folder=folder,
    )  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("model.scaling=robust", "training.half_life_bars=100", "training.label_smoothing=0.1"),
        ("training.log_targets=false", "training.weighting=uncertainty"),
    ],
)
def test_the_model_is_that_of_rows_in_memory(
    more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_with(*more)
    plain, disk = archive_of(config, None), archive_of(config, DiskRoom(tmp_path, least_bytes=0))
    expected = run_training(
        request_of(config, plain.training_rows(plain.dataset(DUE)), tmp_path / "memory")
    )
    monkeypatch.setattr(room, "SPAN_ROWS", 64)
    monkeypatch.setattr(requests, "DiskRoom", lambda folder: DiskRoom(folder, least_bytes=0))
    asked = request_of(config, disk.source(disk.dataset(DUE)), tmp_path / "disk")
    assert isinstance(asked.source, RowsOnDisk)
    done = run_training(asked)
    assert done.model_id == expected.model_id
    manifests = [load_model(tmp_path / where, done.model_id)[1] for where in ("memory", "disk")]
    assert manifests[0] == manifests[1]


def test_a_process_trains_on_the_rows_without_a_copy(tmp_path: Path) -> None:
    config = config_with()
    plain, disk = archive_of(config, None), archive_of(config, DiskRoom(tmp_path, least_bytes=0))
    expected = run_training(
        request_of(config, plain.training_rows(plain.dataset(DUE)), tmp_path / "memory")
    )
    pool = TrainingPool(1)
    try:
        asked = request_of(config, disk.source(disk.dataset(DUE)), tmp_path / "process")
        done = pool.submit(asked).result()
    finally:
        pool.shutdown()
    assert done.model_id == expected.model_id
    assert sorted(path.name for path in tmp_path.iterdir()) == ["memory", "process"]


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_ends_a_training_and_is_no_lack_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backtest goes on after a DataError with the model before, and must not after this."""
    config, plain = config_with(), archive_of(config_with(), None)
    asked = request_of(config, plain.training_rows(plain.dataset(DUE)), tmp_path / "full")

    monkeypatch.setattr(requests, "DiskRoom", lambda folder: DiskRoom(folder, least_bytes=0))
    with pytest.raises(JournalError, match="No space left on device"):
        run_training(asked)
    assert list((tmp_path / "full").iterdir()) == []


def test_many_validation_rows_are_judged_part_by_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, plain = config_with(), archive_of(config_with(), None)
    rows = plain.training_rows(plain.dataset(DUE))
    at_once = run_training(request_of(config, rows, tmp_path / "whole"))
    monkeypatch.setattr(course, "JUDGED_ROWS", 50)
    in_parts = run_training(request_of(config, rows, tmp_path / "parts"))
    one, other = (
        load_model(tmp_path / name, done.model_id)[1]["history"]
        for name, done in (("whole", at_once), ("parts", in_parts))
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a["validation"], b["validation"], rtol=1e-5)


def test_bars_that_nothing_asks_for_are_forgotten() -> None:
    archive = archive_of(config_with(), None)
    end = archive.end
    archive.skip(10)
    assert archive.end == end + 10
    with pytest.raises(IndexError):
        archive.dataset(DUE)


def test_rows_know_where_they_lie(tmp_path: Path) -> None:
    disk = DiskRoom(tmp_path, least_bytes=0)
    dataset = archive_of(config_with(), disk).dataset(DUE)
    first = dataset.rows(dataset.bar < 400)
    assert np.shares_memory(first.x, dataset.x)
    odd = dataset.rows(dataset.symbol == 1)
    assert not np.shares_memory(odd.x, dataset.x)
    copied = (odd.x, odd.y, odd.bar, odd.symbol, odd.known_at)
    assert all(disk.place_of(array) is not None for array in copied if array is not None)
    np.testing.assert_array_equal(odd.x, dataset.x[dataset.symbol == 1])
    assert replace(odd, room=dataset.room).room is disk
