"""The checks of torch classes: they train a small network, give the same bits twice, and learn.

Rule: a class is tried in the training that uses it, with nothing else changed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.model.dataset import Dataset
from bot.model.predict import Predictor
from bot.model.training.train import train
from bot.parts.registry import Part

TASKS = tuple(Task(kind, 1) for kind in ("return", "direction", "volatility", "volume"))
ROWS, FEATURES, LOOKBACK = 600, 6, 4
SETTINGS = {
    "encoder": ("model", "encoder"), "architecture": ("model", "architecture"),
    "weighting": ("training", "weighting"), "gradient_method": ("training", "gradients"),
}  # fmt: skip


def class_faults(part: Part) -> Iterator[str]:
    """Yield what a class of a network or its training does that none may do."""
    section, key = SETTINGS[part.kind]
    chosen = {key: part.name}
    model = Model(
        members=2,
        hidden=(16, 8),
        head_hidden=8,
        lookback=LOOKBACK,
        **(chosen if section == "model" else {}),
    )
    training = Training(
        epochs=3, batch_size=64, min_rows=10, interpret=False,
        **(chosen if section == "training" else {}),
    )  # fmt: skip
    rows = _rows(part)
    first, second = (Predictor(train(rows, model, training, seed=3)) for _ in range(2))
    one, other = (each.predict(*rows.as_bars()) for each in (first, second))
    if not np.isfinite(one).all():
        yield "trains a network whose forecasts are not numbers"
    elif not np.array_equal(one, other):
        yield "trains another network from the same seed: draw with torch's global generator only"
    elif np.ptp(one, axis=0).max() == 0.0:
        yield "trains a network whose forecasts do not depend on the features"


def _rows(part: Part) -> Dataset:
    """Return rows whose labels follow their features; windows where an encoder reads them."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(ROWS, FEATURES))
    move = 0.01 * (x[:, 0] + 0.5 * rng.normal(size=ROWS))
    y = np.column_stack([move, move > 0.0, 0.01 * np.exp(0.5 * x[:, 1]), x[:, 2]])
    bar, symbol = np.arange(ROWS), np.zeros(ROWS, dtype=np.int64)
    if not part.facts.get("window"):
        return Dataset(x, y, bar, symbol, TASKS)
    last = np.arange(LOOKBACK - 1, ROWS)
    return Dataset(
        x, y[last], bar[last], symbol[last], TASKS, last=last, lookback=LOOKBACK
    )  # fmt: skip
