"""Forecasts of a trained model for blocks of any shape, the same bits however they are cut.

Owns `Predictor`. Rules: a network only ever sees tiles of TILE rows (WINDOW_TILE windows), padded
with zeros, in one buffer; a row's forecast then does not depend on its neighbours, its place, the
block, or on one or two threads. A tile is filled and read by compiled scalar loops; the members of an ensemble are
averaged in the targets' units, one after the other. Where this machine's BLAS does make the place
count, which is tried out first, a tile holds a single row: slow, and still the same bits. A
predictor is not to be shared by threads. Of a network that knows the symbols there is a plain one for
each, and a tile holds rows of one symbol.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from bot.blocks import F32, F64, I8, I64, Bool, FeatureBlock, Task, Windows
from bot.compiled import njit
from bot.errors import ModelError
from bot.model.device import CPU
from bot.model.distance import distances
from bot.model.networks.architectures.base import TileForward
from bot.model.networks.own_heads import UNKNOWN
from bot.model.scaler import CLIP
from bot.model.tasks import CHOICES, is_classified, is_decided, owners
from bot.model.trained import TrainedModel

TILE = 256
"""Rows of a tile: as quick a row as larger ones, and a live bar pays for one tile."""

WINDOW_TILE = 32
"""Windows of a tile: a live bar pays for L rows each, and elementwise kernels need whole vectors."""

_REGRESSION, _PROBABILITY, _POSITION, _LOGARITHM = 0, 1, 2, 3


class Predictor:
    """The forward pass of one model, an ensemble perhaps, with its buffers.

    It is what an engine asks (`forecast`), and what a training and a study ask of rows (`predict`).
    """

    def __init__(self, trained: TrainedModel, symbols: Sequence[str] = ()) -> None:
        """Fold each network once.

        Args:
            symbols: those of the blocks that it is asked about, for a network that knows symbols.

        Raises:
            ModelError: the weights do not fit the spec.
        """
        scaler, tasks = trained.scaler, trained.spec.tasks
        self.n_features = trained.spec.n_features
        self.lookback = trained.spec.settings.bars_read
        shape: tuple[int, ...] = (TILE, self.n_features)
        if self.lookback > 1:
            shape = (WINDOW_TILE, self.lookback, self.n_features)
        self._input = torch.zeros(shape, device=CPU)
        networks = trained.networks()
        self._n_members = len(networks)
        self._places = trained.spec.places(symbols) if symbols else None
        self._untrained = [k for k, task in enumerate(tasks) if task in trained.untrained]
        self._forwards = [
            [network.fold_for(place, shape[0]) for network in networks]
            for place in [*range(len(trained.spec.symbols)), UNKNOWN]
        ]
        self.rows_a_tile = shape[0] if self.is_steady() else 1
        self._tile: F32 = self._input.numpy().reshape(shape[0], self.lookback, -1)
        self._scaler, self._reach = scaler, trained.reach
        self._kind: I8 = np.array([_kind_of(task) for task in tasks], dtype=np.int8)
        self._column: I64 = np.searchsorted(owners(tasks), np.arange(len(tasks)))
        self._floor: F64 = scaler.floors(tasks)
        learned_as_log = scaler.log_floor > 0.0 if len(scaler.log_floor) else np.zeros(len(tasks))
        self._kind[learned_as_log.astype(np.bool_)] = _LOGARITHM
        self._bend = float(scaler.bend[0]) if len(scaler.bend) else 0.0
        self._gain: F64 = scaler.gain if len(scaler.gain) else np.ones(len(tasks))

    def forecast(self, open_time: I64, features: FeatureBlock) -> F64:
        """Return float64[n, S, K]; what untrained heads say is no forecast, so nothing trades on it.

        The time does not matter.
        """
        del open_time
        value = self.predict(features.x, features.ready, features.windows, self._places)
        value[:, :, self._untrained] = np.nan
        return value

    def distance(self, features: FeatureBlock) -> F64:
        """Return float64[n, S], how far the features are, in times of the model's reach.

        Raises:
            ModelError: the model was trained before its reach was measured.
        """
        if self._reach is None:
            raise ModelError(
                "the model does not say how far its training rows reach: it is of an earlier version; "
                "train a new one or set risk.max_distance = 0"
            )
        return distances(features.x, features.ready, self._scaler) / self._reach

    def forecast_with_disagreement(self, open_time: I64, features: FeatureBlock) -> tuple[F64, F64]:
        """Return the members' mean and their standard deviation about it.

        Raises:
            ModelError: the model is a single network.
        """
        del open_time
        if self._n_members == 1:
            raise ModelError(
                "the model is a single network and has no disagreement; train with more model.members "
                "or set sizing.disagreement_penalty and risk.max_disagreement to 0"
            )
        value, disagreement = self.predict_with_disagreement(
            features.x, features.ready, features.windows, self._places
        )
        value[:, :, self._untrained] = disagreement[:, :, self._untrained] = np.nan
        return value, disagreement

    def predict(
        self, x: F64, ready: Bool, windows: Windows | None = None, places: I64 | None = None
    ) -> F64:
        """Return forecasts float64[n, S, K] in the targets' units, NaN where not ready.

        A direction is the probability of a rise, a decision a position in [-1, 1], a volatility is
        at least `Scaler.floors`. An ensemble gives its members' mean.

        Args:
            x: features float64[n, S, F], as they come; standardised here.
            ready: bool[n, S].
            windows: of the same bars; what a network with a lookback reads in place of x, and where
                there is no window there is no forecast.
            places: the symbols' places in the network, as `ModelSpec.places` gives them; of any
                shape that broadcasts to [n, S], by default none is known. A network that does not
                know symbols does not look.

        Raises:
            ModelError: x has another number of features than the model was trained on, or the
                windows another length.
        """
        return self._mean(self.predict_members(x, ready, windows, places))

    def predict_with_disagreement(
        self, x: F64, ready: Bool, windows: Windows | None = None, places: I64 | None = None
    ) -> tuple[F64, F64]:
        """Return what `predict` gives, and the standard deviation of the members about it.

        The disagreement is float64[n, S, K] like the forecast, in the same units (ddof = 0), 0 for a
        single model: how far the members disagree (Lakshminarayanan et al. 2017).
        """
        members = self.predict_members(x, ready, windows, places)
        mean = self._mean(members)
        return mean, np.sqrt(self._mean([(member - mean) ** 2 for member in members]))

    def predict_members(
        self, x: F64, ready: Bool, windows: Windows | None = None, places: I64 | None = None
    ) -> list[F64]:
        """Return the forecasts of every member, as `predict` does of their mean."""
        n, symbols, found = x.shape
        if found != self.n_features:
            raise ModelError(
                f"the model reads {self.n_features} features and is given {found}; "
                "use the features it was trained on, or retrain"
            )
        if self.lookback == 1:
            table, last, rows = x.reshape(n * symbols, found), None, np.flatnonzero(ready)
        elif windows is None or windows.lookback != self.lookback:
            raise ModelError(
                f"the model reads windows of {self.lookback} bars and is given "
                f"{'none' if windows is None else windows.lookback}; set model.lookback to it"
            )
        else:
            table, last = windows.rows, windows.last.ravel()
            rows = np.flatnonzero(last >= 0)
        out = [np.full((n * symbols, len(self._kind)), np.nan) for _ in range(self._n_members)]
        for forwards, own in self._by_symbol(rows, (n, symbols), places):
            self._run(forwards, table, last, own, out)
        return [member.reshape(n, symbols, len(self._kind)) for member in out]

    def _by_symbol(
        self, rows: I64, shape: tuple[int, int], places: I64 | None
    ) -> list[tuple[list[TileForward], I64]]:
        """Return the rows of each symbol with the forward passes of its members."""
        if len(self._forwards) == 1 or places is None:
            return [(self._forwards[UNKNOWN], rows)]
        of_row = np.broadcast_to(places, shape).ravel()[rows]
        return [(self._forwards[place], rows[of_row == place]) for place in np.unique(of_row)]

    def _run(
        self, forwards: list[TileForward], table: F64, last: I64 | None, rows: I64, out: list[F64]
    ) -> None:
        """Write the forecasts of these rows into each member's, tile by tile."""
        s = self._scaler
        with torch.inference_mode():
            for start in range(0, len(rows), self.rows_a_tile):
                here = rows[start : start + self.rows_a_tile]
                ends = here if last is None else last[here]
                _fill(table, ends, s.feature_mean, s.feature_std, self._bend, self._tile)
                for forward, member in zip(forwards, out, strict=True):
                    raw = forward(self._input).numpy()
                    _read(
                        raw, here, s.target_mean, s.target_std, self._kind, self._column,
                        self._floor, self._gain, member,
                    )  # fmt: skip

    def is_steady(self) -> bool:
        """Try one row in every place of a tile: do all give the same bits on this machine?"""
        row = np.random.default_rng(0).normal(size=self._input.shape[1:])
        with torch.inference_mode():
            self._input[:] = torch.from_numpy(row)
            forwards = [forward for members in self._forwards for forward in members]
            outputs = (forward(self._input) for forward in forwards)
            steady = all(bool((output == output[:1]).all()) for output in outputs)
            self._input.zero_()
            return steady

    @staticmethod
    def _mean(members: list[F64]) -> F64:
        """Add member after member, so that the sum of an element does not depend on the shape."""
        if len(members) == 1:
            return members[0]
        total = members[0].copy()
        for member in members[1:]:
            total += member
        total /= len(members)
        return total


def _kind_of(task: Task) -> int:
    """Return how the columns of a task become its forecast."""
    if is_decided(task):
        return _POSITION
    return _PROBABILITY if is_classified(task) else _REGRESSION


@njit(cache=True)
def _fill(x: F64, ends: I64, mean: F64, std: F64, bend: float, tile: F32) -> None:
    """Standardise, cut to ±CLIP and cast into the tile the windows of x that end at these rows.

    With a bend above 0 they are bent towards it, not cut. What is left of the tile float32[T, L, F] is zeroed.
    """
    lookback = tile.shape[1]
    for i in range(len(ends)):
        first = ends[i] - lookback + 1
        for k in range(lookback):
            for j in range(len(mean)):
                z = (x[first + k, j] - mean[j]) / std[j]
                if bend > 0.0:
                    z /= math.sqrt(1.0 + (z / bend) ** 2)
                elif z > CLIP:
                    z = CLIP
                elif z < -CLIP:
                    z = -CLIP
                tile[i, k, j] = z
    tile[len(ends) :] = 0.0


@njit(cache=True)
def _read(
    raw: F32, rows: I64, mean: F64, std: F64, kind: I8, column: I64, floor: F64, gain: F64, out: F64
) -> None:
    """Bring the tile's first rows into the targets' units, at their places in `out`."""
    for i in range(len(rows)):
        row = rows[i]
        for k in range(len(mean)):
            value = float(raw[i, column[k]])
            if kind[k] == _PROBABILITY:
                # the exponent is never positive, so that neither branch overflows
                e = math.exp(-abs(value))
                value = 1.0 / (1.0 + e) if value >= 0.0 else e / (1.0 + e)
            elif kind[k] == _POSITION:
                value = _position(raw[i, column[k] : column[k] + CHOICES])
            else:
                if kind[k] == _LOGARITHM:
                    if value > CLIP:
                        value = CLIP
                    elif value < -CLIP:
                        value = -CLIP
                    value = gain[k] * math.exp(value * std[k] + mean[k])
                else:
                    value = value * std[k] + mean[k]
                if value < floor[k]:  # noqa: PLR1730 - NaN must stay NaN, which max does not promise
                    value = floor[k]
            out[row, k] = value


@njit(cache=True)
def _position(logits: F32) -> float:
    """Return p(+1) − p(−1) of the softmax of three logits, in the order −1, 0, +1."""
    down, flat, up = float(logits[0]), float(logits[1]), float(logits[2])
    top = max(down, flat, up)
    down, flat, up = math.exp(down - top), math.exp(flat - top), math.exp(up - top)
    return (up - down) / (down + flat + up)
