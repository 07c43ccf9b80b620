"""Telling where a realised variance that the settings ask for is not known.

Features and baselines take the range of such a bar, so that nothing stops: without a word nobody would
see that the shorter candles lack, or are of another price. Must not judge how many are too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bot.blocks import I64, BarBlock
from bot.config import Config


def tell_unknown_variances(
    log: Any, config: Config, symbols: Sequence[str], bars: BarBlock
) -> None:
    """Warn of the symbols that have bars without their realised variance, and of how many."""
    lacks = (bars.valid & np.isnan(bars.realised_variance)).sum(axis=0)
    tell_lacking(log, config, symbols, lacks, bars.open_time)


def tell_lacking(log: Any, config: Config, symbols: Sequence[str], lacks: I64, times: I64) -> None:
    """Warn of such symbols, whose numbers int64[S] and all open times are known already."""
    if not config.market.finer_interval:
        return
    unknown = {symbol: n for symbol, n in zip(symbols, lacks.tolist(), strict=True) if n}
    if unknown:
        log.warning(
            "variance_unknown", bars=len(times), first=int(times[0]), last=int(times[-1]),
            unknown=unknown,
        )  # fmt: skip
