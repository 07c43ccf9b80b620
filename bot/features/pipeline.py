"""The feature pipeline: which features a run has, the state they carry, and advancing it.

Where a model reads more than the bar itself, it also carries each symbol's newest rows.

Rules: `advance` is pure: it copies the state and never changes its input. Any way of cutting the
history into blocks gives the same features, bit for bit. Features of the cross-section are left out
where there is one symbol, and the hour of the day where a bar lasts a day: `names` has those that
are in. Must not know what the features are used for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, BarBlock, Bool, FeatureBlock
from bot.config.schema import Features
from bot.errors import DataError
from bot.features.carried import N_SUMS, RECENT, CarriedArrays, FeatureInputs
from bot.features.catalogue import bars_needed, choose_features
from bot.features.groups import ChosenGroups, FeatureContext
from bot.features.kernels import advance_features
from bot.features.lookback import advance_windows, nothing_seen
from bot.features.own import advance_own, no_bars_seen, own_feature


@dataclass(frozen=True, slots=True)
class FeatureState:
    """All that features carry from bar to bar: the arrays of `CarriedArrays`, by name.

    With a lookback also `window_rows` and `window_count`, of `lookback`; with groups of features what each
    carries, and with features of a user's own the newest bars, of `own`. Their shapes follow from the settings and the number of symbols; each
    is C-contiguous.
    """

    arrays: dict[str, npt.NDArray[Any]]


class FeaturePipeline:
    """Make features of bars, in blocks of any length.

    Attributes:
        names: the features in force, F of them, in the order of the settings.
        n_symbols: S.
        warmup_bars: the bar of a symbol, counted from 1, at which its row is first ready.
        lookback: the ready bars of a symbol, itself the newest, of which windows are made; 1: none.

    Raises:
        ConfigError: `features.names` has an unknown name, or none that says anything.
    """

    def __init__(
        self, config: Features, symbols: Sequence[str], interval_ms: int, lookback: int = 1
    ) -> None:
        chosen = choose_features(config.names, len(symbols), interval_ms)
        self.names = tuple(part.name for part in chosen)
        self.n_symbols = len(symbols)
        self.lookback = lookback
        core, grouped, called = (
            [part for part in chosen if part.facts["computed"] == how]
            for how in ("core", "group", "called")
        )
        self._groups = ChosenGroups(grouped, FeatureContext(config, len(symbols), interval_ms))
        self._own = tuple(own_feature(part, config.settings.get(part.name, {})) for part in called)
        self.warmup_bars = max(
            [self._groups.warmup_bars]
            + [bars_needed(part, config) for part in core]
            + [own.bars for own in self._own]
        )
        self._config = config
        self._columns = np.array([part.made for part in core], dtype=np.int64)
        # where each feature stands in a row: those of the kernel, of groups, and of a user's own
        order = {part.name: k for k, part in enumerate(chosen)}
        laid = [part.name for part in core] + self._groups.names + [own.name for own in self._own]
        self._places = np.array([order[name] for name in laid], dtype=np.int64)
        self._windows = np.array([config.medium_window, config.long_window], dtype=np.int64)

    def initial(self) -> FeatureState:
        """Return the state before the first bar."""
        c, n_symbols = self._config, self.n_symbols
        carried = CarriedArrays(
            seen=np.zeros(n_symbols, dtype=np.int64),
            recent=np.full((n_symbols, RECENT), np.nan),
            short=np.full((n_symbols, c.window, 4), np.nan),
            averages=np.zeros((n_symbols, 3, 2)),
            returns=np.zeros((n_symbols, max(c.long_window, c.correlation_window))),
            cross=np.zeros((n_symbols, c.correlation_window)),
            sums=np.zeros((n_symbols, N_SUMS, 2)),
        )
        arrays: dict[str, npt.NDArray[Any]] = (
            carried._asdict() | self._groups.carried() | no_bars_seen(self._own, n_symbols)
        )
        if self.lookback > 1:
            rows, count = nothing_seen(n_symbols, self.lookback, len(self.names))
            arrays |= {"window_rows": rows, "window_count": count}
        return FeatureState(arrays)

    def advance(self, state: FeatureState, block: BarBlock) -> tuple[FeatureState, FeatureBlock]:
        """Return the state after the block, and the block's features.

        Rows that are not ready are NaN throughout.

        Raises:
            DataError: the block has another number of symbols than the pipeline.
        """
        if block.n_symbols != self.n_symbols:
            raise DataError(
                f"a block of {block.n_symbols} symbols came to features of {self.n_symbols}; "
                "give every block the symbols of market.symbols, missing bars as not valid"
            )
        arrays = {name: array.copy() for name, array in state.arrays.items()}
        carried = CarriedArrays(**{name: arrays[name] for name in CarriedArrays._fields})
        x = np.empty((len(block), self.n_symbols, len(self._columns)))
        ready = np.empty((len(block), self.n_symbols), dtype=np.bool_)
        advance_features(carried, _candles(block), self._windows, self._columns, x, ready)
        further = []
        if self._groups.names:
            further.append(self._groups.advance(arrays, block))
        if self._own:
            further.append(advance_own(self._own, arrays, block))
        if further:
            x = self._together([x, *further], ready)
        windows = None
        if self.lookback > 1:
            windows = advance_windows(arrays["window_rows"], arrays["window_count"], x, ready)
        return FeatureState(arrays), FeatureBlock(x, ready, windows)

    def _together(self, parts: list[F64], ready: Bool) -> F64:
        """Return the rows of all features; `ready` is brought up to them."""
        together = np.empty((*ready.shape, len(self.names)))
        first = 0
        for part in parts:
            stop = first + part.shape[2]
            together[:, :, self._places[first:stop]] = part
            first = stop
        ready &= np.isfinite(together).all(axis=2)
        together[~ready] = np.nan
        return together


def _candles(block: BarBlock) -> FeatureInputs:
    """Return the arrays in the one layout that the kernel is compiled for."""
    return FeatureInputs(
        **{
            name: np.require(getattr(block, name), requirements=["C", "W"])
            for name in FeatureInputs._fields
        }
    )
