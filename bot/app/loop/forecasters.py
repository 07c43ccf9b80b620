"""What the engine asks for forecasts: a trained model that suits the run, or a table made elsewhere.

Owns which model suits a run, and the table. A model answers by itself (`bot.model.predict`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.adapters.files.models import load_model
from bot.app.loop.table_id import TABLE_ID
from bot.blocks import F64, I64, FeatureBlock, Task
from bot.errors import ModelError
from bot.model.predict import Predictor
from bot.model.trained import TrainedModel

__all__ = ["TABLE_ID", "TABLE_TASKS", "TableForecaster", "forecaster_of", "read_forecaster"]

TABLE_TASKS = tuple(Task(kind, 1) for kind in ("return", "direction", "volatility", "volume"))
"""The columns of a table of forecasts, as tasks; its own horizon is not known."""


def read_forecaster(
    models: Path, model_id: str, *, features: tuple[str, ...], tasks: tuple[Task, ...], lookback: int,
    symbols: tuple[str, ...],
) -> tuple[Predictor, int]:  # fmt: skip
    """Read a model of a run; return what the engine asks, and the model's due bar, ms UTC.

    Args:
        models: the folder of the run's models.
        features, tasks, lookback, symbols: the run's own.

    Raises:
        ModelError: it is damaged, or not of this run's features and targets.
    """
    trained, manifest = load_model(models, model_id)
    forecaster = forecaster_of(
        trained, manifest["features"], features, tasks, model_id, lookback=lookback, symbols=symbols
    )
    return forecaster, int(manifest["due_ms"])


def forecaster_of(
    trained: TrainedModel, manifest_features: Sequence[str], features: tuple[str, ...],
    tasks: tuple[Task, ...], model_id: str, *, lookback: int = 1, symbols: tuple[str, ...] = (),
) -> Predictor:  # fmt: skip
    """Return what the engine asks of a trained model, where it is of this run's kind.

    Raises:
        ModelError: the model has other tasks or features than this run, or reads windows that this
            run does not make.
    """
    if trained.spec.tasks != tasks:
        raise ModelError(
            f"model {model_id} predicts {[t.name for t in trained.spec.tasks]}, this run's targets "
            f"are {[t.name for t in tasks]}; train a new one or set the same targets"
        )
    if tuple(manifest_features) != features:
        raise ModelError(
            f"model {model_id} was trained on the features {list(manifest_features)}, this run has "
            f"{list(features)}; train a new one or set the same features"
        )
    needed = trained.spec.settings.bars_read
    if needed not in (1, lookback):
        raise ModelError(
            f"model {model_id} reads the last {needed} bars ({trained.spec.settings.encoder}), "
            f"this run has {lookback}; set model.encoder and model.lookback to the model's"
        )
    return Predictor(trained, symbols)


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

    def distance(self, features: FeatureBlock) -> F64:
        """Refuse: nobody knows what it was learned from.

        Raises:
            ModelError: always.
        """
        del features
        raise ModelError("forecasts from a table have no training rows; set risk.max_distance = 0")

    def forecast_with_disagreement(self, open_time: I64, features: FeatureBlock) -> tuple[F64, F64]:
        """Refuse: a table says what is expected, and not how surely.

        Raises:
            ModelError: always.
        """
        del open_time, features
        raise ModelError(
            "forecasts from a table have no disagreement; set sizing.disagreement_penalty and "
            "risk.max_disagreement to 0"
        )
