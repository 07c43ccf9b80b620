"""Bars of the past from the exchange, on the run's grid: for a first start, and after an outage.

Rules: only closed candles; a candle that the exchange does not have is not valid, never made up;
a settlement whose rate is not known is NaN. What is fetched after its bar was over is not decided on:
the caller marks it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.adapters.exchange import Exchange
from bot.adapters.files.bar_funding import lay_funding
from bot.adapters.files.bar_marks import lay_marks
from bot.adapters.files.bar_realised import inner_closes, with_realised
from bot.adapters.files.candles import COLUMNS, Candles
from bot.adapters.files.funding import Funding, settlements_between
from bot.blocks import F64, I64, BarBlock
from bot.errors import BotError, ExchangeError, UnlistedError, UnreachableError
from bot.timegrid import HOUR_MS, INTERVAL_MS
from bot.timestamps import format_utc
from bot.venues import is_contract, is_inverse

Column = tuple[Candles, Candles, Funding, F64 | None]
"""A symbol's candles, those of its mark price, its funding, and the closes of shorter candles inside the
bars, None where none are asked for: they are many, and nothing else of them is kept."""

PIECES_AT_ONCE = 10_000
"""Shorter candles of one question, whole bars of them; no more than these are in memory for a symbol."""

AT_ONCE = 8
"""Requests that wait for an answer together; the limiter spaces them."""


class PartlyError(ExchangeError):
    """The exchange answers of some symbols; `symbols` are those for which its answers are unusable."""

    def __init__(self, error: ExchangeError, symbols: tuple[str, ...]) -> None:
        super().__init__(str(error))
        self.symbols = symbols


async def fetch_bars(
    exchange: Exchange, symbols: Sequence[str], venue: str, interval: str, interval_ms: int,
    first_ms: int, last_ms: int, unlisted: Callable[[str, BotError], None], closes: F64 | None = None,
    screen: Callable[[BarBlock], BarBlock] = lambda bars: bars, max_jump: float = math.inf,
    without: Collection[str] = (), kept: dict[str, Column] | None = None, finer: str = "",
) -> BarBlock:  # fmt: skip
    """Fetch the closed bars that open in first_ms..last_ms, inclusive.

    Args:
        unlisted: called with a symbol that the exchange does not list any more; its bars are not valid.
        closes: float64[S], the last close before these bars, where they are booked; None for bars
            that only warm up: nobody pays the funding inside them.
        screen: takes out candles that cannot be true; asked once, when all has been answered.
        max_jump: how far from the last close a mark price may be in a bar whose candle was refused.
        without: symbols that are not asked for; their bars are not valid.
        kept: what a try before was answered of these bars, by symbol; this one's answers are added.
        finer: interval of the shorter candles that tell the realised variance; "": none are asked for.

    Returns:
        a bar for each time of the grid, tradable and fillable as history is.

    Raises:
        ExchangeError: the exchange does not answer, or does not show that all these bars are over;
            a PartlyError where it answers of other symbols.
    """
    times = np.arange(first_ms, last_ms + 1, interval_ms, dtype=np.int64)
    turn = asyncio.Semaphore(AT_ONCE)
    nothing = Funding(np.empty(0, np.int64), np.empty(0))
    marked = "1h" if closes is not None and interval_ms > HOUR_MS else interval
    wanted = _Wanted(venue, interval, interval_ms, marked, finer=finer, span=(first_ms, last_ms))
    answers: dict[str, Column] = {} if kept is None else kept

    async def column(symbol: str) -> Column:
        try:
            if symbol not in without:
                if symbol not in answers:
                    async with turn:
                        answers[symbol] = await _asked(exchange, symbol, wanted)
                return answers[symbol]
        except UnlistedError as error:
            unlisted(symbol, error)
        return Candles.empty(), Candles.empty(), nothing, None

    columns = await _all_of({symbol: column(symbol) for symbol in symbols})
    before = np.full(len(columns), np.nan) if closes is None else closes
    marks = [(marks.time, marks.column("open")) for _, marks, _, _ in columns]
    settlements = [funding for _, _, funding, _ in columns]
    bars = screen(_block(times, columns, INTERVAL_MS[marked], interval_ms))
    if finer:
        bars = with_realised(bars, [inner for _, _, _, inner in columns])
    return lay_funding(
        bars, settlements, marks, interval_ms=interval_ms,
        since_ms=first_ms, before=before, max_jump=max_jump,
        inverse=np.full(len(columns), is_inverse(venue)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is asked for of a symbol: bars that open in a span, their marks and shorter candles."""

    venue: str
    interval: str
    interval_ms: int
    marked: str
    finer: str
    span: tuple[int, int]


async def _asked(exchange: Exchange, symbol: str, wanted: _Wanted) -> Column:
    first_ms, last_ms = wanted.span
    end_ms = last_ms + wanted.interval_ms
    answer = await exchange.klines(symbol, wanted.interval, first_ms, last_ms)
    if answer.over_ms < end_ms:
        raise ExchangeError(
            f"{symbol}: the exchange does not show that the bar of {format_utc(last_ms)} is "
            f"over, only what ended by {format_utc(answer.over_ms)}; it is asked again"
        )
    inside = await _inner_of(exchange, symbol, wanted) if wanted.finer else None
    if not is_contract(wanted.venue):
        return answer.candles, Candles.empty(), Funding(np.empty(0, np.int64), np.empty(0)), inside
    marks = await exchange.marks(symbol, wanted.marked, first_ms, end_ms - 1)
    known = await exchange.funding(symbol, first_ms, end_ms - 1)
    return answer.candles, marks, settlements_between(known, first_ms, end_ms), inside


async def _inner_of(exchange: Exchange, symbol: str, wanted: _Wanted) -> F64:
    """Ask for the shorter candles inside the bars, a few bars at a time; return `inner_closes`."""
    step_ms, length_ms = INTERVAL_MS[wanted.finer], wanted.interval_ms
    times = np.arange(wanted.span[0], wanted.span[1] + 1, length_ms, dtype=np.int64)
    at_once = max(PIECES_AT_ONCE * step_ms // length_ms, 1)
    found = []
    for first in range(0, len(times), at_once):
        part = times[first : first + at_once]
        end_ms = int(part[-1]) + length_ms
        told = await exchange.klines(symbol, wanted.finer, int(part[0]), end_ms - 1)
        found.append(inner_closes(part, told.candles, step_ms, length_ms))
    return np.concatenate(found)


async def _all_of(asked: Mapping[str, Coroutine[None, None, Column]]) -> list[Column]:
    answers = await asyncio.gather(*asked.values(), return_exceptions=True)
    failed = {s: a for s, a in zip(asked, answers, strict=True) if isinstance(a, BaseException)}
    for error in failed.values():
        if not isinstance(error, ExchangeError):
            raise error
        if len(failed) == len(asked):
            raise error
        odd = tuple(s for s, e in failed.items() if not isinstance(e, UnreachableError))
        raise PartlyError(error, odd)
    return [answer for answer in answers if not isinstance(answer, BaseException)]


def late(bars: BarBlock) -> BarBlock:
    """Return the bars marked as seen too late to decide on and to fill at."""
    return replace(
        bars,
        tradable=np.zeros_like(bars.tradable),
        fillable=np.zeros_like(bars.fillable),
    )


def _block(times: I64, columns: Sequence[Column], mark_ms: int, interval_ms: int) -> BarBlock:
    """Return the bars; candles of the mark price are of `mark_ms`."""
    shape = (len(times), len(columns))
    values = {name: np.full(shape, np.nan) for name in (*COLUMNS, "mark", "mark_high", "mark_low")}
    for s, (candles, marks, _, _) in enumerate(columns):
        place = _places(times, candles.time)
        for name in COLUMNS:
            values[name][place, s] = candles.column(name)
        laid = lay_marks(times, marks, mark_ms, interval_ms)
        for name, column in zip(("mark", "mark_high", "mark_low"), laid, strict=True):
            values[name][:, s] = column
    return BarBlock.of_candles(times, **values)


def _places(times: I64, of: I64) -> I64:
    places = np.searchsorted(times, of)
    if len(of) and (places[-1] >= len(times) or not np.array_equal(times[places], of)):
        raise ExchangeError("the exchange sent candles that were not asked for; try again")
    return places.astype(np.int64)
