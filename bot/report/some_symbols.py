"""A run of some of its symbols at a time: what is told of each symbol alone needs no more.

Rules: what is worked out of a group is to the bit what is worked out of all; a run with inverse symbols is
not parted, since the end of its account is shared out among their coins. Must not know what is worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from bot import timegrid
from bot.blocks import F64, BarBlock
from bot.report.booked import Booked, Observed

Told = TypeVar("Told", bound=Observed)

_OF_SYMBOL = ("symbols", "venues", "taker_fee", "pays_funding", "allow_short", "inverse")
_OF_BAR_AND_SYMBOL = ("quantity", "weights", "signal", "edge", "hurdle")
_OF_HEADS = ("forecast", "labels", "shrunk")


def groups_of_symbols(run: Told) -> Iterator[tuple[slice, Told]]:
    """Yield the symbols' places and the run of them, without its forecasts, group by group."""
    parted = list(groups_of(run.bars.valid.shape))
    if len(parted) < 2 or (isinstance(run, Booked) and run.has_inverse):
        yield slice(0, run.n_symbols), run
        return
    for places in parted:
        yield places, _part(run, places)


def groups_of(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield the places of the symbols of [n, S] that are worked on at a time."""
    n, n_symbols = shape[:2]
    width = max(1, timegrid.SPAN_SYMBOL_BARS // max(n, 1))
    for first in range(0, n_symbols, width):
        yield slice(first, min(first + width, n_symbols))


def stacked(run: Told, width: int, of: Callable[[Told], F64]) -> F64:
    """Return float64[n, S, width], what is made of each group of symbols, where the run's arrays have room."""
    out: F64 = run.empty((*run.bars.valid.shape, width))
    for places, some in groups_of_symbols(run):
        out[:, places] = of(some)
    return out


def _part(run: Told, places: slice) -> Told:
    cut: dict[str, Any] = {"bars": _bars(run.bars, places), "room": None}
    for name in _OF_SYMBOL:
        if getattr(run, name, None) is not None:
            cut[name] = getattr(run, name)[places]
    for name in _OF_BAR_AND_SYMBOL:
        if getattr(run, name, None) is not None:
            cut[name] = getattr(run, name)[:, places]
    cut |= {name: None for name in _OF_HEADS if hasattr(run, name)}
    if isinstance(run, Booked):
        cut["fills"] = _fills(run.fills, places)
    return replace(run, **cut)


def _bars(bars: BarBlock, places: slice) -> BarBlock:
    columns = {name: getattr(bars, name) for name in BarBlock.__dataclass_fields__}
    return BarBlock(**{k: v[:, places] if v.ndim > 1 else v for k, v in columns.items()})


def _fills(fills: npt.NDArray[np.void], places: slice) -> npt.NDArray[np.void]:
    symbol = fills["symbol"]
    ours: npt.NDArray[np.void] = fills[(symbol >= places.start) & (symbol < places.stop)]
    ours["symbol"] -= places.start
    return ours
