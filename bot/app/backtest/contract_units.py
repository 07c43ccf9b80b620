"""Whether files of inverse contracts count volume and turnover as Bybit does: in contracts, and in coin.

Rule: where turnovers are known the two must tell the same trades at the bars' prices; a volume in coin would be taken
for as few dollars, of which next to nothing could be traded. Must not convert anything.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.blocks import F64, BarBlock, Bool
from bot.errors import DataError

FACTOR = 2.0
"""By which the usual bar may miss: closes are not the prices of all trades."""


class UnitFactors:
    """How many times what the turnover is worth the volume of inverse symbols is, bar by bar.

    Args:
        inverse: bool[S], which symbols are inverse; None for none.
    """

    def __init__(self, symbols: Sequence[str], inverse: Bool | None) -> None:
        self._symbols = symbols
        places = [] if inverse is None else np.flatnonzero(inverse).tolist()
        self._factors: dict[int, list[F64]] = {place: [] for place in places}

    def see(self, bars: BarBlock) -> None:
        """Take in the bars that follow."""
        for s, factors in self._factors.items():
            volume, turnover, close = (
                values[:, s] for values in (bars.volume, bars.turnover, bars.close)
            )
            known = bars.valid[:, s] & (volume > 0.0) & (turnover > 0.0)
            factors.append(volume[known] / (turnover[known] * close[known]))

    def check(self) -> None:
        """Refuse inverse symbols whose volume is no number of contracts of one USD beside a turnover in coin.

        Raises:
            DataError: with each such symbol, a line each.
        """
        faults = []
        for s, parts in self._factors.items():
            factors = np.concatenate(parts)
            if len(factors) == 0:
                continue
            factor = float(np.median(factors))
            if not 1.0 / FACTOR < factor < FACTOR:
                faults.append(
                    f"{self._symbols[s]}: the volume of an inverse contract is a number of contracts of one USD and its "
                    f"turnover is in coin, but here the volume is usually {factor:.3g} times what the turnover is worth; "
                    "exchange the two columns, or fetch the symbol ('bot fetch')"
                )
        if faults:
            raise DataError("\n".join(faults))


def check_contract_units(symbols: Sequence[str], bars: BarBlock, inverse: Bool | None) -> None:
    """Refuse what `UnitFactors.check` does, in bars that are there at once.

    Raises:
        DataError: with each such symbol, a line each.
    """
    factors = UnitFactors(symbols, inverse)
    factors.see(bars)
    factors.check()
