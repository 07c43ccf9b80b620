"""The archive: a training's rows are those known by its due bar, however the bars came in."""

from __future__ import annotations

import gc
import weakref
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.training.archive import Archive
from bot.blocks import BarBlock
from bot.config import Config, load_config
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import compute_targets, target_tasks
from bot.model.dataset import Dataset
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS, cut

CONFIG = load_config(
    None,
    [
        "features.names=core", "data.source=synthetic", "synthetic.symbols=2", "synthetic.bars=420",
        "synthetic.missing=0.03", "training.window_bars=150", "training.min_rows=10",
        "features.medium_window=30", "features.long_window=40", "features.correlation_window=30",
    ],
    {},
)  # fmt: skip
EXPANDING = CONFIG.model_copy(
    update={"training": CONFIG.training.model_copy(update={"window": "expanding"})}
)
BARS = synthetic_bars(CONFIG.synthetic, HOUR_MS)
TASKS = target_tasks(CONFIG.targets)


def filled(config: Config, bars: BarBlock, block: int, ends: list[int], *, drop: bool) -> Any:
    """Give the bars to an archive in blocks, and take a dataset at each of `ends`."""
    pipeline = FeaturePipeline(config.features, symbol_names(2), HOUR_MS)
    archive, state, taken = Archive(config, TASKS), pipeline.initial(), []
    for part in cut([bars], block, [int(bars.open_time[i]) for i in ends]):
        state, features = pipeline.advance(state, part)
        archive.extend(part, features)
        if archive.end - 1 in ends:
            taken.append(archive.dataset(archive.end - 1))
        if drop:
            archive.drop_before(min((e for e in ends if e >= archive.end), default=archive.end))
    return taken


def assert_same(a: Dataset, b: Dataset) -> None:
    for field in fields(Dataset):
        mine, theirs = getattr(a, field.name), getattr(b, field.name)
        if field.name == "tasks":
            assert mine == theirs
        else:
            np.testing.assert_array_equal(mine, theirs, err_msg=field.name)


@pytest.mark.parametrize("config", [CONFIG, EXPANDING])
@pytest.mark.parametrize("due", [200, 419])
def test_the_rows_are_those_ready_in_the_window_with_a_label_known(
    config: Config, due: int
) -> None:
    (rows,) = filled(config, BARS, 64, [due], drop=True)
    features = FeaturePipeline(config.features, symbol_names(2), HOUR_MS)
    _, block = features.advance(features.initial(), BARS)
    y, known = compute_targets(BARS.rows(0, due + 1), TASKS, config.features.window)
    first = 0 if config is EXPANDING else due + 1 - 150
    labelled = np.any(np.isfinite(y) & (known >= 0), axis=2)
    expected = [
        (i, s)
        for i in range(first, due + 1)
        for s in range(2)
        if block.ready[i, s] and labelled[i, s]
    ]
    assert list(zip(rows.bar.tolist(), rows.symbol.tolist(), strict=True)) == expected
    at = tuple(np.array(expected).T)
    np.testing.assert_array_equal(rows.x, block.x[at])
    np.testing.assert_array_equal(rows.y[:, :3], y[at][:, :3])
    both = np.isfinite(rows.y[:, 3])  # the mean volume before the window's first bars is cut off
    np.testing.assert_allclose(rows.y[both], y[at][both], rtol=1e-12, atol=1e-14)
    assert (~both).sum() <= 2 * 20
    assert rows.known_at is not None
    assert rows.known_at.max() == due
    assert (rows.known_at > rows.bar).all()


@settings(max_examples=15, deadline=None)
@given(block=st.integers(1, 420), drop=st.booleans())
def test_neither_blocks_nor_dropping_change_a_row(block: int, drop: bool) -> None:
    ends = [170, 250, 251, 419]
    whole = filled(CONFIG, BARS, 420, ends, drop=False)
    for a, b in zip(whole, filled(CONFIG, BARS, block, ends, drop=drop), strict=True):
        assert_same(a, b)


def test_later_bars_do_not_change_a_row() -> None:
    (rows,) = filled(CONFIG, BARS, 420, [300], drop=False)
    after = np.arange(len(BARS))[:, None] > 300
    names = ("open", "high", "low", "close", "volume")
    poison = {k: np.where(after, 1e9 * getattr(BARS, k), getattr(BARS, k)) for k in names}
    (again,) = filled(CONFIG, replace(BARS, **poison), 420, [300], drop=False)
    assert_same(rows, again)


def test_what_no_training_needs_is_forgotten() -> None:
    archive = Archive(CONFIG, TASKS)
    pipeline = FeaturePipeline(CONFIG.features, symbol_names(2), HOUR_MS)
    state = pipeline.initial()
    kept = []
    for part in cut([BARS], 20):
        state, features = pipeline.advance(state, part)
        archive.extend(part, features)
        kept.append((weakref.ref(part.close), weakref.ref(features.x)))
    archive.drop_before(400)
    gc.collect()
    assert archive.end == 420
    first = 400 + 1 - 150 - CONFIG.features.window
    assert [here() is None for refs in kept for here in refs] == [
        20 * n + 20 <= first for n in range(len(kept)) for _ in range(2)
    ]
    rows = archive.training_rows(archive.dataset(400))
    assert rows.first_ms == int(BARS.open_time[rows.dataset.bar[0]])
    assert rows.last_ms == int(BARS.open_time[rows.dataset.bar[-1]])
