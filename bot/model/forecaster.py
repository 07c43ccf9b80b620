"""What the engine asks for forecasts: a model, or a table of predictions made elsewhere.

Rule: a row of an answer depends on that row of the features only, or on its window.
"""

from __future__ import annotations

from typing import Protocol

from bot.blocks import F64, I64, FeatureBlock


class Forecaster(Protocol):
    """What the engine asks for forecasts: a model, or a table of predictions made elsewhere."""

    def forecast(self, open_time: I64, features: FeatureBlock) -> F64:
        """Return float64[n, S, K], NaN where there is none.

        A row depends on that row only, or on its window.
        """
        ...

    def distance(self, features: FeatureBlock) -> F64:
        """Return float64[n, S], how far the features are from those that were learned from, in times of
        the model's reach; asked under a limit on it.

        Raises:
            ModelError: it is not known.
        """
        ...

    def forecast_with_disagreement(self, open_time: I64, features: FeatureBlock) -> tuple[F64, F64]:
        """Return the forecast and its disagreement, both float64[n, S, K]; asked where disagreement matters.

        Raises:
            ModelError: there is no disagreement.
        """
        ...
