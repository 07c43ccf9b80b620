"""Features of a user's own: compiled functions over the last bars, called by pointer.

Rules: a feature of a symbol sees that symbol's own valid bars, one of the cross-section the last bars
of the grid, both up to and with the bar it is of, and nothing else; so any way of cutting the bars
gives the same values, bit for bit, and no bar to come can be seen. A value that is not finite makes
its row not ready. Must not know what a feature computes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64, BarBlock, Bool
from bot.compiled import njit
from bot.errors import ConfigError
from bot.features.called import OF_SYMBOL, call_windows
from bot.parts.compile import (
    COLUMNS,
    NOTHING,
    OUTPUT,
    TABLE,
    Compiled,
    Signature,
    compiled_part,
    faults_of,
    place_of,
)
from bot.parts.registry import Part
from bot.parts.sections import section_of

CROSS_SECTION = Signature((*COLUMNS, "values"), (*(TABLE,) * 6, OUTPUT), NOTHING)
MAX_BARS = 10_000


@dataclass(frozen=True, slots=True)
class OwnFeature:
    """A feature of a user's own.

    Attributes:
        bars: how many bars it reads, itself the last.
        cross: whether it is of the cross-section.
    """

    name: str
    bars: int
    cross: bool
    compiled: Compiled


def own_feature(part: Part, given: Mapping[str, Any]) -> OwnFeature:
    """Compile a part that is a feature.

    Args:
        given: its section of the settings, empty where it has none.

    Raises:
        ConfigError: it does not compile, its settings are refused, or it reads no sensible number of
            bars.
    """
    section = section_of(part, given)
    bars = part.facts["bars"]
    bars = bars(section) if callable(bars) else bars
    if not isinstance(bars, int) or not 1 <= bars <= MAX_BARS:
        raise ConfigError(
            f"{place_of(part.made)}: feature '{part.name}' reads {bars!r} bars; expected a whole number "
            f"from 1 to {MAX_BARS}"
        )
    cross = part.facts["over"] == "cross_section"
    compiled = compiled_part(part, given, CROSS_SECTION if cross else OF_SYMBOL)
    return OwnFeature(part.name, bars, cross, compiled)


def no_bars_seen(features: Sequence[OwnFeature], n_symbols: int) -> dict[str, npt.NDArray[Any]]:
    """Return what is carried before the first bar: the newest bars of each symbol, and of the grid."""
    carried: dict[str, npt.NDArray[Any]] = {}
    if longest := _longest(features, cross=False):
        carried["own_bars"] = np.full((n_symbols, len(COLUMNS), longest - 1), np.nan)
        carried["own_count"] = np.zeros(n_symbols, dtype=np.int64)
    if longest := _longest(features, cross=True):
        carried["grid_bars"] = np.full((n_symbols, len(COLUMNS), longest - 1), np.nan)
        carried["grid_count"] = np.zeros(n_symbols, dtype=np.int64)
    return carried


def advance_own(
    features: Sequence[OwnFeature], arrays: Mapping[str, npt.NDArray[Any]], block: BarBlock
) -> F64:
    """Return float64[n, S, F] of a block; the carried bars are brought up to its end, in place."""
    x = np.full((len(block), block.n_symbols, len(features)), np.nan)
    columns = np.stack([getattr(block, name) for name in COLUMNS])  # 6, n, S
    if "own_bars" in arrays:
        _of_symbols(
            features,
            arrays["own_bars"],
            arrays["own_count"],
            columns=columns,
            valid=block.valid,
            x=x,
        )
    if "grid_bars" in arrays:
        present = np.where(block.valid, columns, np.nan)
        _of_grid(features, arrays["grid_bars"], arrays["grid_count"], present, x)
    return x


def _of_symbols(
    features: Sequence[OwnFeature], carried: F64, count: I64, columns: F64, valid: Bool, x: F64
) -> None:
    room = carried.shape[2]
    for s in range(len(count)):
        at = np.flatnonzero(valid[:, s])
        before = int(count[s])
        joined = np.concatenate([carried[s, :, room - before :], columns[:, at, s]], axis=1)
        series = np.ascontiguousarray(joined)
        series.flags.writeable = False
        for f, feature in enumerate(features):
            if not feature.cross:
                call, bars = feature.compiled.call, feature.bars
                starts = np.arange(before + 1 - bars, series.shape[1] + 1 - bars)
                full = starts >= 0
                with faults_of(call):
                    call_windows(call, series, starts[full], bars, at[full], x[:, s, f])
        kept = min(series.shape[1], room)
        carried[s, :, room - kept :] = series[:, series.shape[1] - kept :]
        count[s] = kept


def _of_grid(
    features: Sequence[OwnFeature], carried: F64, count: I64, columns: F64, x: F64
) -> None:
    room, before = carried.shape[2], int(count[0])
    earlier = carried[:, :, room - before :].transpose(1, 2, 0)
    grid = np.ascontiguousarray(np.concatenate([earlier, columns], axis=1))  # 6, before + n, S
    grid.flags.writeable = False
    for f, feature in enumerate(features):
        if feature.cross:
            values = np.ascontiguousarray(x[:, :, f])
            with faults_of(feature.compiled.call):
                _call_grid(feature.compiled.call, feature.bars, grid, before, values)
            x[:, :, f] = values
    kept = min(grid.shape[1], room)
    carried[:, :, room - kept :] = grid[:, grid.shape[1] - kept :].transpose(2, 0, 1)
    count[:] = kept


@njit(cache=True)
def _call_grid(call: Any, bars: int, grid: F64, before: int, values: F64) -> None:
    for i in range(len(values)):
        stop = before + i + 1
        if stop >= bars:
            call(
                grid[0, stop - bars : stop], grid[1, stop - bars : stop],
                grid[2, stop - bars : stop], grid[3, stop - bars : stop],
                grid[4, stop - bars : stop], grid[5, stop - bars : stop], values[i],
            )  # fmt: skip


def _longest(features: Sequence[OwnFeature], *, cross: bool) -> int:
    return max((f.bars for f in features if f.cross == cross), default=0)
