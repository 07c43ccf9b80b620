"""Memory fetched ahead: what fills read of a bar is on its way while earlier bars are worked on.

Fills are few, and their quotes and flags are in rows that nothing else reads: without this each waits for
main memory, which takes longer than all else that a symbol's bar needs. Must not change what is computed.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.market import Market

BARS_AHEAD = np.uint64(8)
"""That many take longer than main memory does, and what was fetched is not yet displaced."""
LINE = 8
"""Numbers that memory brings at once."""

_places: Any = cgutils
_FOR_READING, _KEPT, _DATA = 0, 3, 1
"""As LLVM's `prefetch` counts them."""


@hot
def fetch_for_fills(i: int, market: Market, full: FullAccount | None) -> None:
    """Have what fills will read of a later bar fetched."""
    later = i + BARS_AHEAD
    for s in range(0, market.open.shape[1], LINE):
        _fetch(market.open, later, s)
        _fetch(market.mark, later, s)  # on which funding is charged
        _fetch(market.fill_bid, later, s)
        _fetch(market.fill_ask, later, s)
        _fetch(market.fillable, later, s)
        if full is not None:
            _fetch(market.bid_size, later, s)
            _fetch(market.ask_size, later, s)


@intrinsic
def _fetch_compiled(_typing: Any, array: Any, i: Any, s: Any) -> Any:
    def lower(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        described = context.make_array(array)(context, builder, given[0])
        at = _places.get_item_pointer(
            context, builder, array, described, given[1:], wraparound=False
        )
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = _places.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        how = [number(_FOR_READING), number(_KEPT), number(_DATA)]
        builder.call(prefetch, [builder.bitcast(at, pointer), *how])
        return context.get_dummy_value()

    return numba.types.void(array, i, s), lower


def _fetch(array: npt.NDArray[Any], i: np.uint64, s: int) -> None:
    """Fetch the line of a number that will be read; behind the array's end nothing is."""


if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
    _fetch = _fetch_compiled  # type: ignore[assignment]
