"""What the engine asks for forecasts: a trained model, or a table of predictions made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.app.loop.table_id import TABLE_ID
from bot.blocks import F64, I64, FeatureBlock, Task
from bot.errors import ModelError
from bot.model.predict import Predictor
from bot.model.trained import TrainedModel

__all__ = ["TABLE_ID", "TABLE_TASKS", "ModelForecaster", "TableForecaster"]

TABLE_TASKS = tuple(Task(kind, 1) for kind in ("return", "direction", "volatility", "volume"))
"""The columns of a table of forecasts, as tasks; its own horizon is not known."""


class ModelForecaster:
    """Ask a trained model. What its untrained heads say is no forecast, so nothing trades on it.

    Raises:
        ModelError: the model has other tasks or features than this run, or reads windows that this
            run does not make.
    """

    def __init__(
        self, trained: TrainedModel, manifest_features: list[str], features: tuple[str, ...],
        tasks: tuple[Task, ...], model_id: str, lookback: int = 1,
        symbols: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        if trained.spec.tasks != tasks:
            raise ModelError(
                f"model {model_id} predicts {[t.name for t in trained.spec.tasks]}, this run's targets "
                f"are {[t.name for t in tasks]}; train a new one or set the same targets"
            )
        if tuple(manifest_features) != features:
            raise ModelError(
                f"model {model_id} was trained on the features {manifest_features}, this run has "
                f"{list(features)}; train a new one or set the same features"
            )
        needed = trained.spec.settings.bars_read
        if needed not in (1, lookback):
            raise ModelError(
                f"model {model_id} reads the last {needed} bars ({trained.spec.settings.encoder}), "
                f"this run has {lookback}; set model.encoder and model.lookback to the model's"
            )
        self._predictor = Predictor(trained)
        self._places = trained.spec.places(symbols) if symbols else None
        self._model_id, self._members = model_id, trained.spec.settings.members
        self._unknown = [k for k, task in enumerate(tasks) if task in trained.untrained]

    def forecast(self, open_time: I64, features: FeatureBlock) -> F64:
        """Return the model's predictions; the time does not matter."""
        del open_time
        value = self._predictor.predict(features.x, features.ready, features.windows, self._places)
        value[:, :, self._unknown] = np.nan
        return value

    def forecast_with_disagreement(self, open_time: I64, features: FeatureBlock) -> tuple[F64, F64]:
        """Return the members' mean and their standard deviation about it.

        Raises:
            ModelError: the model is a single network.
        """
        del open_time
        if self._members == 1:
            raise ModelError(
                f"model {self._model_id} is a single network and has no disagreement; train with more "
                "model.members or set sizing.disagreement_penalty = 0"
            )
        value, disagreement = self._predictor.predict_with_disagreement(
            features.x, features.ready, features.windows, self._places
        )
        value[:, :, self._unknown] = disagreement[:, :, self._unknown] = np.nan
        return value, disagreement


@dataclass(frozen=True)
class TableForecaster:
    """Look forecasts up by bar: open_time int64[n], value float64[n, S, 4]."""

    open_time: I64
    value: F64

    def forecast(self, open_time: I64, features: FeatureBlock) -> F64:
        """Return the rows of the table, NaN where it has none or the bar is not valid."""
        ready = features.ready
        first = int(np.searchsorted(self.open_time, open_time[0]))
        span = slice(first, first + len(open_time))
        if np.array_equal(self.open_time[span], open_time):  # the bars the table was made for
            value = self.value[span]
            return value if ready.all() else np.where(ready[:, :, None], value, np.nan)
        at = np.searchsorted(self.open_time, open_time)
        at = np.minimum(at, len(self.open_time) - 1)
        found = self.open_time[at] == open_time
        return np.where(found[:, None, None] & ready[:, :, None], self.value[at], np.nan)

    def forecast_with_disagreement(self, open_time: I64, features: FeatureBlock) -> tuple[F64, F64]:
        """Refuse: a table says what is expected, and not how surely.

        Raises:
            ModelError: always.
        """
        del open_time, features
        raise ModelError(
            "forecasts from a table have no disagreement; set sizing.disagreement_penalty = 0"
        )
