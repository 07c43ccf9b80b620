"""Which training rows count how much, and how sure a label is.

Owns `weighted`. Rules: only the rows that are descended on; those that judge the epochs stay as they
are. Weights have mean 1, so that a learning rate keeps its meaning.
"""

from __future__ import annotations

import numpy as np
import torch

from bot.config.schema import Training
from bot.model.dataset import Dataset
from bot.model.tasks import is_classified
from bot.model.training.rows import RowTensors


def weighted(rows: RowTensors, dataset: Dataset, training: Training) -> RowTensors:
    """Return the rows with the weights of their age and smoothed labels.

    A row a half-life older than the newest counts half of it. A class of 0 or 1 with the smoothing ε is
    ε/2 or 1 − ε/2 (Szegedy et al. 2016, section 7).
    """
    labelled, y = rows.labelled, rows.y
    if training.half_life_bars:
        age = (dataset.bar.max() - dataset.bar) / training.half_life_bars
        weight = np.exp2(-age)
        column = torch.from_numpy((weight / weight.mean()).astype(np.float32))
        labelled = labelled * column[:, None]
    if training.label_smoothing:
        classes = [k for k, task in enumerate(dataset.tasks) if is_classified(task)]
        y = y.clone()
        y[:, classes] += training.label_smoothing * (0.5 - y[:, classes])
    return rows._replace(y=y, labelled=labelled)
