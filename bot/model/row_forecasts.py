"""What a trained model says of the rows of a dataset, in bounded memory."""

from __future__ import annotations

import numpy as np

from bot.blocks import F64
from bot.model.dataset import Dataset
from bot.model.predict import Predictor
from bot.model.room import filled
from bot.model.trained import TrainedModel


def forecasts_of(trained: TrainedModel, rows: Dataset) -> F64:
    """Return the forecasts of rows, float64[N, K], a span at a time: how they are cut changes no bit."""
    predictor = Predictor(trained)
    if rows.last is not None:
        return predictor.predict(*rows.as_bars())[:, 0]
    found: F64 = filled(
        rows.room, rows.y.shape, np.float64,
        lambda span: predictor.predict(*rows.part(span).as_bars())[:, 0],
    )  # fmt: skip
    return found
