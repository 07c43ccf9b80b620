"""Forecasts of a trained model for blocks of any shape, the same bits however they are cut.

Owns `Predictor`. Rules: the network only ever sees tiles of TILE rows, padded with zeros, in one
buffer; a row's forecast then does not depend on its neighbours, its place, the block, or on one or
two threads. A tile is filled and read by compiled scalar loops. A predictor is not to be shared by
threads.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit

from bot.blocks import F32, F64, I8, I64, Bool
from bot.errors import ModelError
from bot.model.scaler import CLIP
from bot.model.tasks import POSITIVE, is_classified
from bot.model.trained import TrainedModel

TILE = 256
"""Rows of a tile: as quick a row as larger ones, and a live bar pays for one tile."""

VOLATILITY_FLOOR = 0.01
"""A forecast of volatility is at least this share of the training rows' mean volatility."""

_REGRESSION, _PROBABILITY = 0, 1


class Predictor:
    """The forward pass of one model, with its buffers."""

    def __init__(self, trained: TrainedModel) -> None:
        """Fold the network once.

        Raises:
            ModelError: the weights do not fit the spec.
        """
        scaler, tasks = trained.scaler, trained.spec.tasks
        self.n_features = trained.spec.n_features
        self._forward = trained.network().fold(TILE)
        self._input = torch.zeros(TILE, self.n_features)
        self._tile: F32 = self._input.numpy()
        self._scaler = scaler
        self._kind: I8 = np.array(
            [_PROBABILITY if is_classified(task) else _REGRESSION for task in tasks], dtype=np.int8
        )
        self._floor: F64 = np.array(
            [
                max(VOLATILITY_FLOOR * mean, np.finfo(np.float32).tiny)
                if task.kind in POSITIVE
                else -np.inf
                for task, mean in zip(tasks, scaler.target_mean, strict=True)
            ]
        )

    def predict(self, x: F64, ready: Bool) -> F64:
        """Return forecasts float64[n, S, K] in the targets' units, NaN where not ready.

        A direction is the probability of a rise, a volatility is at least VOLATILITY_FLOOR of the
        training mean.

        Args:
            x: features float64[n, S, F], as they come; standardised here.
            ready: bool[n, S].

        Raises:
            ModelError: x has another number of features than the model was trained on.
        """
        n, symbols, found = x.shape
        if found != self.n_features:
            raise ModelError(
                f"the model reads {self.n_features} features and is given {found}; "
                "use the features it was trained on, or retrain"
            )
        flat = x.reshape(n * symbols, found)
        out = np.full((n * symbols, len(self._kind)), np.nan)
        rows = np.flatnonzero(ready)
        s = self._scaler
        with torch.inference_mode():
            for start in range(0, len(rows), TILE):
                here = rows[start : start + TILE]
                _fill(flat, here, s.feature_mean, s.feature_std, self._tile)
                raw = self._forward(self._input).numpy()
                _read(raw, here, s.target_mean, s.target_std, self._kind, self._floor, out)
        return out.reshape(n, symbols, len(self._kind))


@njit(cache=True)
def _fill(x: F64, rows: I64, mean: F64, std: F64, tile: F32) -> None:
    """Standardise, cut to ±CLIP and cast the given rows into the tile; zero what is left of it."""
    for i in range(len(rows)):
        row = rows[i]
        for j in range(len(mean)):
            z = (x[row, j] - mean[j]) / std[j]
            if z > CLIP:
                z = CLIP
            elif z < -CLIP:
                z = -CLIP
            tile[i, j] = z
    tile[len(rows) :] = 0.0


@njit(cache=True)
def _read(raw: F32, rows: I64, mean: F64, std: F64, kind: I8, floor: F64, out: F64) -> None:
    """Bring the tile's first rows into the targets' units, at their places in `out`."""
    for i in range(len(rows)):
        row = rows[i]
        for k in range(len(mean)):
            value = float(raw[i, k])
            if kind[k] == _PROBABILITY:
                # the exponent is never positive, so that neither branch overflows
                e = math.exp(-abs(value))
                value = 1.0 / (1.0 + e) if value >= 0.0 else e / (1.0 + e)
            else:
                value = value * std[k] + mean[k]
                if value < floor[k]:  # noqa: PLR1730 - NaN must stay NaN, which max does not promise
                    value = floor[k]
            out[row, k] = value
