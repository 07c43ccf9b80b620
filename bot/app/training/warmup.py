"""A throwaway training, which loads and compiles what every training needs.

It brings in torch's optimisers and numba's kernels, a second that each would otherwise spend anew.
Its result is thrown away and leaves no state: a training seeds itself.

Rule: nothing is differentiated by torch. Its autograd, once used where an accelerator is seen, refuses
to work in a fork of the process, and trainings are forked from a server that has run this.
"""

from __future__ import annotations

import numpy as np

from bot.app.training.request import variance_scales
from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.model.dataset import Dataset
from bot.model.training.train import train


def warm_up() -> None:
    """Train a throwaway model on noise, by hand-written gradients."""
    rows, columns = 64, 3
    noise = np.random.default_rng(0).normal(size=(rows, columns + 4))
    y = noise[:, columns:].copy()
    y[:, 1] = y[:, 0] > 0.0
    y[:, 2] = np.abs(y[:, 2]) + 0.1
    tasks = tuple(Task(kind, 1) for kind in ("return", "direction", "volatility", "volume"))
    dataset = Dataset(noise[:, :columns], y, np.arange(rows), np.zeros(rows, dtype=np.int64), tasks)
    settings = Training(epochs=1, min_rows=10, batch_size=16, interpret=False)
    variance_scales(train(dataset, Model(hidden=(4,), head_hidden=2), settings, 0), dataset)
