"""What befalls single symbols of the practice exchange: launches, delistings, halts and gaps.

Rules: everything is a function of the source, the switches and a bar's number, so that what was answered
once is answered again, as long as no switch is changed. A symbol that does not trade in a bar has no candle.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bot.blocks import F64, BarBlock, Bool
from bot.practice.faults import Faults

_PRICES = ("open", "high", "low", "close", "fill_bid", "fill_ask", "mark", "mark_high", "mark_low")


def befallen(
    bars: BarBlock, places: tuple[int, ...], n: int, faults: Faults, tick: F64
) -> BarBlock:
    """Return bars with what befalls their symbols.

    Args:
        places: of the block's symbols among the exchange's `n`.
        tick: float64[S] of the block's symbols; prices stay multiples of it, and above zero.
    """
    if not (faults.launched or faults.delisted or faults.halted or faults.gapped):
        return bars
    from_last = n - np.array(places)
    times = bars.open_time[:, None]
    gapped = (from_last <= faults.gapped) & (times >= faults.gap_ms)
    silent = (
        (from_last <= faults.halted) & (times >= faults.halt_ms) & (times < faults.halt_until_ms)
    )
    silent |= (from_last <= faults.launched) & (times < faults.launch_ms)
    if faults.delist_ms:
        silent |= (from_last <= faults.delisted) & (times >= faults.delist_ms)
    prices = {
        name: np.where(silent, np.nan, _moved(getattr(bars, name), gapped, faults.gap, tick))
        for name in _PRICES
    }
    return replace(
        bars, **prices,
        volume=np.where(silent, np.nan, bars.volume), turnover=np.where(silent, np.nan, bars.turnover),
        valid=bars.valid & ~silent,
    )  # fmt: skip


def delisting_ms(place: int, n: int, faults: Faults) -> int:
    """Return when a symbol is delisted, as far as that is announced; 0 where it is not."""
    return faults.delist_ms if n - place <= faults.delisted else 0


def launch_ms(place: int, n: int, faults: Faults) -> int:
    """Return when a symbol is launched; 0 where it was there from the first bar on."""
    return faults.launch_ms if n - place <= faults.launched else 0


def _moved(price: F64, gapped: Bool, factor: float, tick: F64) -> F64:
    moved = np.maximum(np.rint(price * factor / tick), 1.0) * tick
    found: F64 = np.where(gapped, np.round(moved, 10), price)
    return found
