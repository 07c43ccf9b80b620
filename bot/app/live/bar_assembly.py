"""From events to closed bars: which bar is complete, what is missing, and what is too late.

Owns the bars that are not yet closed. The caller asks `awaited`, fetches what is missing, gives it to
`accept`, and takes the bar with `close`; each bar is closed exactly once, in order.
Rules:
1. A bar is complete once every symbol's candle is confirmed, or was asked for and is not there; of a
   symbol that is traded no more none is awaited.
2. The first confirmed candle counts, whether pushed or fetched; a later one changes nothing.
3. A bar is tradable if it is closed in time: within `tradable_ms` of its end, and before the next
   bar's, by our time and by what the answers show of the exchange's. Whatever is not confirmed `deadline_ms` after the end is to be fetched; of a symbol that the
   stream does not hear, at once, so that it does not hold up the others.
4. A bar no one pushed, after a reconnect or a restart, is a hole and is fetched before later bars
   are closed.
5. No candle is taken from the future: none that opens, and no confirm of one that ends, more than
   `slack_ms` after the time at which it came.
Must not know a clock: the time is handed in, ms UTC of the exchange.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from bot.adapters.exchange import (
    BadFrame,
    Candle,
    Connected,
    Disconnected,
    Event,
    Klines,
    Quote,
)
from bot.app.live.closed_bar import ClosedBar
from bot.app.live.feed_counters import Counters

MAX_BARS_ASKED = 1000
"""Bars after a long outage that are asked for at once."""


@dataclass(frozen=True, slots=True)
class CandleSpan:
    """A symbol's candles that open in first..last, inclusive, and are to be fetched."""

    symbol: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Awaited:
    """What is awaited of the next bar, and what to do about it.

    Attributes:
        open_time: of the next bar.
        complete: it can be closed.
        missing: what to fetch now, of the next bar and of the bars after it whose deadline has passed.
        wake_ms: when to ask again if nothing comes before; None where something is to do now.
    """

    open_time: int
    complete: bool
    missing: tuple[CandleSpan, ...]
    wake_ms: int | None


class BarAssembler:
    """Puts bars together from the events of a stream and from what was fetched.

    Args:
        symbols: in the ledger's order.
        interval_ms: length of a bar.
        deadline_ms: from a bar's end until what is missing is fetched.
        tradable_ms: from a bar's end until it can no longer be decided on.
        first_open: open time of the first bar to be closed.
        counters: to count in; new ones where none are given.
        slack_ms: by how much the exchange's time may be ahead of the time that is handed in.
        ended: which symbols are traded no more in the bar that opens at a time; None: none ever is.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        interval_ms: int,
        deadline_ms: int,
        tradable_ms: int,
        first_open: int,
        counters: Counters | None = None,
        slack_ms: int = 2_000,
        ended: Callable[[int], Collection[str]] | None = None,
    ) -> None:
        self.symbols = tuple(symbols)
        self._known = frozenset(symbols)
        self.interval_ms = interval_ms
        self.counters = counters or Counters()
        self.quotes: dict[str, Quote] = {}
        self._deadline_ms = deadline_ms
        self._tradable_ms = min(tradable_ms, interval_ms)
        self._slack_ms = min(slack_ms, interval_ms // 2)
        self._soon_ms = min(self._slack_ms, deadline_ms)
        self._next, self._ended_by = first_open, ended
        self._unheard: frozenset[str] = frozenset()
        self._confirmed: dict[int, dict[str, Candle]] = {}
        self._absent: dict[int, set[str]] = {}
        self._opens: dict[int, dict[str, Candle]] = {}
        self._last_closed: dict[str, Candle] = {}

    @property
    def next_open(self) -> int:
        """Return the open time of the next bar to be closed."""
        return self._next

    def feed(self, event: Event) -> None:
        """Take an event of the stream."""
        match event:
            case Candle():
                self._candle(event)
            case Quote():
                self.counters.quotes += 1
                if event.symbol in self._known:
                    self.quotes[event.symbol] = event
            case BadFrame():
                self.counters.bad_frames += 1
            case Connected():
                self.counters.connects += 1
                self._unheard -= set(event.symbols)
            case Disconnected():
                self.counters.disconnects += 1
                self._unheard |= self._known & set(event.symbols)

    def first_open_seen(self, symbol: str, open_time: int) -> Candle | None:
        """Return the first candle that was seen of a symbol's bar, which knows the bar's open."""
        return self._opens.get(open_time, {}).get(symbol)

    def awaited(self, now_ms: int) -> Awaited:
        """Return what to do about the next bar at this time."""
        end_ms = self._next + self.interval_ms
        ended = self._known.intersection(self._ended_by(self._next) if self._ended_by else ())
        if ended and now_ms >= end_ms:
            confirmed = self._confirmed.get(self._next, {}).keys()
            self._absent.setdefault(self._next, set()).update(ended - confirmed)
        if self._is_complete(self._next):
            return Awaited(self._next, complete=True, missing=(), wake_ms=None)
        soon_ms, deadline_ms = end_ms + self._soon_ms, end_ms + self._deadline_ms
        known = self._confirmed.get(self._next, {}).keys() | self._absent.get(self._next, set())
        waiting = tuple(s for s in self.symbols if s not in known)
        unheard = tuple(s for s in waiting if s in self._unheard)
        asked = unheard if now_ms < deadline_ms else waiting
        if now_ms < soon_ms or not asked:
            wake_ms = soon_ms if unheard else deadline_ms
            if ended.issuperset(waiting):
                wake_ms = end_ms
            return Awaited(self._next, complete=False, missing=(), wake_ms=wake_ms)
        further = min(max(now_ms - deadline_ms, 0) // self.interval_ms, MAX_BARS_ASKED - 1)
        last = self._next + further * self.interval_ms
        spans = tuple(span for s in asked for span in self._missing(s, last))
        return Awaited(self._next, complete=False, missing=spans, wake_ms=None)

    def accept(self, span: CandleSpan, answer: Klines, now_ms: int) -> bool:
        """Take what was fetched for a span; what is over and is not in it is not expected any more.

        Args:
            now_ms: when it came.

        Returns:
            whether anything is known by it that was not.
        """
        candles, learned = answer.candles, False
        now_ms = max(now_ms, answer.over_ms)  # our clock may be behind what is shown
        there = dict(zip(candles.time.tolist(), candles.values.tolist(), strict=True))
        for open_time in range(max(span.first, self._next), span.last + 1, self.interval_ms):
            if span.symbol in self._confirmed.get(open_time, {}):
                continue
            if open_time in there:
                o, h, low, c, v, turnover = there[open_time]
                candle = Candle(
                    span.symbol, open_time, open=o, high=h, low=low, close=c, volume=v,
                    turnover=turnover, confirm=True, received_ms=now_ms,
                )  # fmt: skip
                self._confirmed.setdefault(open_time, {})[span.symbol] = candle
                self.counters.fetched += 1
                learned = True
            elif open_time + self.interval_ms <= answer.over_ms:
                self._absent.setdefault(open_time, set()).add(span.symbol)
                self.counters.absent += 1
                learned = True
        return learned

    def close(self, now_ms: int) -> ClosedBar:
        """Return the next bar, and go on to the one after it.

        Raises:
            ValueError: it is not complete.
        """
        open_time = self._next
        if not self._is_complete(open_time):
            raise ValueError(f"bar {open_time} is not complete; ask awaited() first")
        found = self._confirmed.pop(open_time, {})
        self._absent.pop(open_time, None)
        self._opens.pop(open_time, None)
        self._last_closed = found
        self._next = open_time + self.interval_ms
        came = [candle.received_ms for candle in found.values()]
        tradable = max([now_ms, *came]) < self._next + self._tradable_ms
        self.counters.late_bars += not tradable
        return ClosedBar(
            open_time=open_time,
            candles=tuple(found.get(s) for s in self.symbols),
            tradable=tradable,
            confirmed_ms=max(came) if came else None,
            closed_ms=now_ms,
        )

    def _is_complete(self, open_time: int) -> bool:
        known = len(self._confirmed.get(open_time, {})) + len(self._absent.get(open_time, ()))
        return known == len(self.symbols)

    def _missing(self, symbol: str, last: int) -> list[CandleSpan]:
        """Return the spans of a symbol that are neither confirmed nor asked for, up to a bar."""
        spans: list[CandleSpan] = []
        for open_time in range(self._next, last + 1, self.interval_ms):
            if symbol in self._confirmed.get(open_time, {}):
                continue
            if symbol in self._absent.get(open_time, ()):
                continue
            if spans and spans[-1].last == open_time - self.interval_ms:
                spans[-1] = CandleSpan(symbol, spans[-1].first, open_time)
            else:
                spans.append(CandleSpan(symbol, open_time, open_time))
        return spans

    def _candle(self, candle: Candle) -> None:
        self.counters.candles += 1
        self.counters.forming += not candle.confirm
        there_ms = candle.open_time + (self.interval_ms if candle.confirm else 0)
        if (
            candle.symbol not in self._known
            or candle.open_time % self.interval_ms
            or there_ms > candle.received_ms + self._slack_ms
        ):
            self.counters.foreign += 1
        elif candle.open_time < self._next:
            self._of_closed_bar(candle)
        else:
            self._of_open_bar(candle)

    def _of_closed_bar(self, candle: Candle) -> None:
        known = self._last_closed.get(candle.symbol)
        if not candle.confirm:
            self.counters.reordered += 1
        elif known is None or known.open_time != candle.open_time:
            self.counters.late += 1
        else:
            self._again(candle, known)

    def _of_open_bar(self, candle: Candle) -> None:
        confirmed = self._confirmed.setdefault(candle.open_time, {})
        known = confirmed.get(candle.symbol)
        if not candle.confirm:
            self.counters.reordered += known is not None
        elif known is not None:
            self._again(candle, known)
            return
        else:
            confirmed[candle.symbol] = candle
            self._absent.get(candle.open_time, set()).discard(candle.symbol)
        self._opens.setdefault(candle.open_time, {}).setdefault(candle.symbol, candle)

    def _again(self, candle: Candle, known: Candle) -> None:
        if _same(candle, known):
            self.counters.duplicates += 1
        else:
            self.counters.revisions += 1


def _same(one: Candle, other: Candle) -> bool:
    """Return whether two candles say the same; a turnover that either lacks says nothing."""
    *prices, turnover = one.values
    *other_prices, other_turnover = other.values
    unknown = math.isnan(turnover) or math.isnan(other_turnover)
    return prices == other_prices and (unknown or turnover == other_turnover)
