"""Standardise features and regression targets with what the training rows say.

Owns `Scaler`. Rules: it is fitted on training rows only; a classified target is left as it is; a
column that does not vary keeps its scale. Holds float64, and the network sees float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from bot.blocks import F32, F64
from bot.model.dataset import Dataset
from bot.model.tasks import labels_of

CLIP = 10.0
"""Standardised features are cut to ±CLIP: an outlier must not carry a forecast away."""

_CONSTANT = 1e-12
"""A column varies if its deviation exceeds this share of its size."""


@dataclass(frozen=True, slots=True)
class Scaler:
    """Means and standard deviations: features float64[F], targets float64[K]."""

    feature_mean: F64
    feature_std: F64
    target_mean: F64
    target_std: F64

    @classmethod
    def fit(cls, dataset: Dataset) -> Self:
        """Fit on the training rows (population deviations, ddof = 0); NaN labels are left out.

        A task without any label keeps mean 0 and scale 1.
        """
        target_mean = np.zeros(len(dataset.tasks))
        target_std = np.ones(len(dataset.tasks))
        for k, task in enumerate(dataset.tasks):
            known = dataset.y[~np.isnan(dataset.y[:, k]), k]
            if len(known) and not labels_of(task):
                target_mean[k] = known.mean()
                target_std[k] = known.std()
        x = dataset.features_read()
        mean = x.mean(axis=0)
        return cls(
            feature_mean=mean,
            feature_std=_scale(mean, x.std(axis=0)),
            target_mean=target_mean,
            target_std=_scale(target_mean, target_std),
        )

    def features(self, x: F64) -> F32:
        """Return x float64[N, F] standardised, cut to ±CLIP, as float32."""
        z = (x - self.feature_mean) / self.feature_std
        return np.clip(z, -CLIP, CLIP).astype(np.float32)

    def targets(self, y: F64) -> F32:
        """Return y float64[N, K] in the units of the loss; NaN stays NaN."""
        return ((y - self.target_mean) / self.target_std).astype(np.float32)


def _scale(mean: F64, std: F64) -> F64:
    """Return the deviations, 1 where a column is constant but for rounding."""
    return np.where(std > _CONSTANT * np.maximum(np.abs(mean), _CONSTANT), std, 1.0)
