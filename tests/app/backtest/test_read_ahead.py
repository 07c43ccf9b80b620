"""Reading ahead: no further than trainings need, and what waits lies on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.system.disk_room import DiskRoom
from bot.app.backtest.read_ahead import ReadAhead
from bot.app.training import archive as archives
from bot.app.training.archive import Archive
from bot.app.training.first import FirstTraining
from bot.blocks import BarBlock
from bot.config import load_config
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.one_for_all import is_one_for_all
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS, cut

CONFIG = load_config(None, ["features.names=core", "synthetic.symbols=3", "synthetic.bars=200"], {})
BARS = synthetic_bars(CONFIG.synthetic, HOUR_MS)
TASKS = target_tasks(CONFIG.targets)


def pipeline() -> FeaturePipeline:
    return FeaturePipeline(CONFIG.features, symbol_names(3), HOUR_MS)


def test_nothing_is_read_ahead_behind_the_last_training() -> None:
    nobody: Any = None  # neither the pool nor the log is asked for anything
    ahead = ReadAhead(
        CONFIG,
        "",
        pipeline(),
        archive=Archive(CONFIG, TASKS),
        pool=nobody,
        folder=Path(),
        log=nobody,
    )
    first = FirstTraining(CONFIG, 3, 100, first=0, last=199)
    first.enough()
    read: list[BarBlock] = []

    def source() -> Iterator[BarBlock]:
        for block in cut([BARS], 30):
            read.append(block)
            yield block

    seen = []
    for start, block, models in ahead.blocks(source(), [], first):
        seen.append(start)
        assert block is read[-1]
        assert len(read) == len(seen)
        assert models == []
    assert seen == list(range(0, 200, 30))


def test_what_is_archived_lies_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LEAST_BYTES", 1)
    rooms: list[DiskRoom] = []
    make = DiskRoom.of_arrays_from

    def noted(room: DiskRoom, least_bytes: int) -> DiskRoom:
        rooms.append(make(room, least_bytes))
        return rooms[-1]

    monkeypatch.setattr(DiskRoom, "of_arrays_from", noted)
    archive = Archive(CONFIG, TASKS, DiskRoom(tmp_path))
    features = pipeline()
    kept = archive.extend(BARS, features.advance(features.initial(), BARS)[1])
    for field in fields(BarBlock):
        column = getattr(kept, field.name)
        np.testing.assert_array_equal(column, getattr(BARS, field.name))
        assert is_one_for_all(column) or any(room.place_of(column) for room in rooms)
