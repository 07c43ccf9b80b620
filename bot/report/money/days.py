"""A run day by day: what each day earned, paid and traded, over the equity that it opened with.

A day is one of UTC, its opening equity that of the close before its first bar. Rules: days that open
without any equity, after a bankruptcy, are left out; costs are positive where the run paid, and
gross − fees − spread − slippage − funding = net on every day. Must not annualise or format.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64, Bool
from bot.portfolio.worth import values_of_fills
from bot.report.inputs import RunData
from bot.report.some_symbols import groups_of_symbols
from bot.timegrid import DAY_MS

COSTS = ("fees", "spread", "slippage", "funding")
"""What stands between gross and net, in the ledger's names."""


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a run, oldest first, d of them; all but `day` are shares of the opening equity.

    Attributes:
        day: int64[d], days since 1970 UTC.
        net: float64[d], the day's return.
        fees, spread, slippage, funding: float64[d], paid.
        notional: float64[d, S], the value traded in each symbol, at the prices paid.
    """

    day: I64
    net: F64
    fees: F64
    spread: F64
    slippage: F64
    funding: F64
    notional: F64

    @property
    def costs(self) -> F64:
        """Return float64[d], all that was paid."""
        return self.fees + self.spread + self.slippage + self.funding

    @property
    def gross(self) -> F64:
        """Return float64[d], the return before costs: fills at the middle, no fees, no funding."""
        return self.net + self.costs


def days_of(run: RunData, start: int) -> Days:
    """Return the days of the run from bar `start` on; the first may begin within a day."""
    day = run.open_time[start:] // DAY_MS
    first = np.flatnonzero(np.concatenate(([True], day[1:] != day[:-1])))
    before = np.concatenate(([run.equity_before(start)], run.equity[start:-1]))
    opening = before[first]
    counted = opening > 0.0

    def on_the_day(amounts: F64) -> F64:
        """Return each day's sum over its opening equity; the rows are bars."""
        sums = np.add.reduceat(amounts, first, axis=0)[counted]
        share: F64 = (sums.T / opening[counted]).T
        return share

    return Days(
        day[first][counted],
        net=on_the_day(run.equity[start:] - before),
        notional=np.concatenate(
            [
                on_the_day(
                    notional_by_bar(some.fills, run.open_time[start:], some.n_symbols, some.inverse)
                )
                for _, some in groups_of_symbols(run)
            ],
            axis=1,
        ),
        **{name: on_the_day(getattr(run, name)[start:]) for name in COSTS},
    )


def notional_by_bar(
    fills: npt.NDArray[np.void], open_time: I64, n_symbols: int, inverse: Bool | None = None
) -> F64:
    """Return float64[n, S], the value traded in each bar, at the prices paid.

    Args:
        fills: of dtype FILL, in the order of bars; those before the first bar are left out.
        open_time: int64[n], of the bars.
        inverse: bool[S], which symbols are held in contracts; None for none.
    """
    ours = fills[np.searchsorted(fills["open_time"], open_time[0]) :]
    bar = np.searchsorted(open_time, ours["open_time"])
    size = len(open_time) * n_symbols
    value = np.abs(values_of_fills(ours, inverse))
    traded = np.bincount(bar * n_symbols + ours["symbol"], value, minlength=size)
    return traded.astype(np.float64).reshape(-1, n_symbols)  # of no fills they are whole numbers
