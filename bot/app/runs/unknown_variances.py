"""Telling where a realised variance that the settings ask for is not known.

Features and baselines take the range of such a bar, so that nothing stops: without a word nobody would
see that the shorter candles lack, or are of another price. Must not judge how many are too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bot.blocks import BarBlock
from bot.config import Config


def tell_unknown_variances(
    log: Any, config: Config, symbols: Sequence[str], bars: BarBlock
) -> None:
    """Warn of the symbols that have bars without their realised variance, and of how many."""
    if not config.market.finer_interval:
        return
    lacks = (bars.valid & np.isnan(bars.realised_variance)).sum(axis=0).tolist()
    unknown = {symbol: n for symbol, n in zip(symbols, lacks, strict=True) if n}
    if unknown:
        times = bars.open_time
        log.warning(
            "variance_unknown", bars=len(times), first=int(times[0]), last=int(times[-1]),
            unknown=unknown,
        )  # fmt: skip
