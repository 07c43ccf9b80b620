"""When a symbol was traded, as far as its exchange tells: which bars there should be.

Rules: a launch is told to the day, so nothing of its first day is missed; where an exchange tells none,
its first daily candle stands for it; an end is believed where it is dated, and where the symbol is not
listed any more. What ended less than a minute ago may not be there yet. Must not judge holes between rows.
"""

from __future__ import annotations

import functools

from bot.adapters.bybit.rest import BybitRest
from bot.adapters.files.data_root import Series
from bot.app.history.progress import TimeSpan
from bot.errors import ExchangeError, UnreachableError
from bot.portfolio.instruments import ENDED, Instrument
from bot.timegrid import DAY_MS, MINUTE_MS

FRESH_MS = MINUTE_MS
"""What is over for less than this may not be shown yet."""


class Lifetime:
    """From when to when a symbol should have bars.

    Args:
        instrument: what the exchange says of the symbol now; None where it does not list it.
        now_ms: the exchange's time.
    """

    def __init__(
        self, series: Series, instrument: Instrument | None, rest: BybitRest, now_ms: int
    ) -> None:
        self._series, self._instrument, self._rest = series, instrument, rest
        self._now_ms = now_ms
        self._first_day = functools.cache(self._ask_first_day)

    @property
    def launch_known(self) -> bool:
        """Whether its beginning is known without asking."""
        return self._instrument is not None and self._instrument.launch_ms > 0

    def due_from(self, start_ms: int) -> int:
        """Return since when there should be bars of those that open at `start_ms` or later."""
        known = self._instrument
        listed_ms = known.launch_ms if known and known.launch_ms else self._first_day(start_ms)
        return start_ms if listed_ms + DAY_MS <= start_ms else listed_ms + DAY_MS

    def due_until(self, end_ms: int) -> int:
        """Return when what should be there by `end_ms` is over, 0 where nobody tells."""
        known = self._instrument
        if known is not None and known.delivery_ms > 0:
            end_ms = min(end_ms, known.delivery_ms - 1)  # no candle shows that its last is over
        elif known is None or known.status in ENDED:
            return 0
        return min(end_ms, self._now_ms - FRESH_MS)

    def _ask_first_day(self, start_ms: int) -> int:
        """Return the open of its first daily candle since the day before, ms UTC; without any, now.

        The day before shows whether the symbol was listed when that of `start_ms` began. An exchange
        that has no daily candles says nothing of a listing, and excuses no missing bar.
        """
        venue, symbol = self._series.venue, self._series.symbol
        day_ms = start_ms // DAY_MS * DAY_MS - DAY_MS
        try:
            for page in self._rest.kline_pages(venue, symbol, "1d", day_ms, self._now_ms):
                if len(page):
                    return int(page.time[0])
        except UnreachableError:
            raise
        except ExchangeError:
            return 0
        return self._now_ms


def missing_ends(
    first_ms: int | None, next_ms: int, due_ms: TimeSpan, step_ms: int
) -> tuple[TimeSpan | None, TimeSpan | None]:
    """Return what lacks before the first row and after the last, as first and last time of each.

    Args:
        first_ms: time of the first row; None where there is none.
        next_ms: time that a row after the last would have.
        due_ms: from when, and until when (exclusive), there should be rows.
        step_ms: from a row to the next.

    >>> missing_ends(30, 70, (10, 100), 10)
    ((10, 20), (70, 90))
    >>> missing_ends(10, 100, (11, 109), 10), missing_ends(None, 0, (11, 40), 10)
    ((None, None), ((20, 30), None))
    """
    due_from = -(-due_ms[0] // step_ms) * step_ms
    due_last = (due_ms[1] - step_ms) // step_ms * step_ms
    if first_ms is None:
        return ((due_from, due_last) if due_from <= due_last else None), None
    before = (due_from, first_ms - step_ms) if due_from < first_ms else None
    after = (max(next_ms, due_from), due_last) if max(next_ms, due_from) <= due_last else None
    return before, after
