"""Returns by day of UTC, of the run and of buy and hold.

A day's return is that from the last close of the day before to its own last close. Rules: a bankruptcy
is a return of -1, and every day after it one of 0; a day without a bar is none; where buy and hold has
no price to go by, its return is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, I64
from bot.report.booked import Booked
from bot.report.money.metrics import lived_returns
from bot.timegrid import DAY_MS

Dates = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Daily:
    """Daily returns, d days, oldest first.

    Attributes:
        day: int64[d], days since 1970 UTC.
        run, held: float64[d], returns of the run and of buy and hold.
        per_year: days with bars in a year, by the calendar of the symbols.
    """

    day: I64
    run: F64
    held: F64
    per_year: float

    def __len__(self) -> int:
        return len(self.day)

    @cached_property
    def date(self) -> Dates:
        """Return the days as datetime64[D]."""
        return self.day.astype("datetime64[D]")

    @cached_property
    def month(self) -> Dates:
        """Return the month of each day as datetime64[M]."""
        return self.date.astype("datetime64[M]")

    @cached_property
    def year(self) -> I64:
        """Return the year of each day."""
        return self.date.astype("datetime64[Y]").astype(np.int64) + 1970


def daily_of(run: Booked, start: int, held: F64, periods_per_year: float) -> Daily:
    """Return the daily returns from bar `start` on.

    Args:
        held: float64[n - start], the equity of buy and hold at each close.
        periods_per_year: bars a year by the calendar.
    """
    day = run.open_time[start:] // DAY_MS
    last = np.flatnonzero(np.append(day[1:] != day[:-1], True))
    capital = run.equity_before(start)
    days_per_bar = len(last) / len(day)
    return Daily(
        day[last],
        run=_returns(run.equity[start:][last], capital),
        held=_returns(held[last], capital),
        per_year=periods_per_year * days_per_bar,
    )


def _returns(closing: F64, capital: float) -> F64:
    return np.nan_to_num(lived_returns(np.concatenate(([capital], closing[:-1])), closing))


def compounded(returns: F64) -> float:
    """Return what returns multiply up to.

    >>> round(compounded(np.array([0.1, -0.5])), 6)
    -0.45
    """
    return float(np.prod(1.0 + returns) - 1.0)
