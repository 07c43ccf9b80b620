from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import numpy as np

from bot.adapters.bybit.clock import ServerClock
from bot.adapters.bybit.polling import SETTLE_MS, Polling
from bot.adapters.bybit.retry import Backoff
from bot.adapters.exchange import Candle, Connected, Disconnected, Event, Klines, Quote
from bot.adapters.files.candles import Candles
from bot.errors import ExchangeError

MINUTE = 60_000
NAN = float("nan")


class FakeSource:
    """Candles of every minute, time that passes by sleeping, and symbols that fail."""

    def __init__(self) -> None:
        self.now_s = 30.0
        self.clock = ServerClock(wall_ms=lambda: 30_000, monotonic=lambda: self.now_s)
        self.slept: list[float] = []
        self.asked: list[tuple[str, int]] = []
        self.clock_checks = 0
        self.down = False
        self.failing: set[str] = set()
        self.unlisted: set[str] = set()
        self.newest_missing = False
        self.behind_ms = 0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    async def server_time_ms(self) -> int:
        self.clock_checks += 1
        return self.clock.now_ms()

    async def quote_all(self, symbols: Sequence[str]) -> list[Quote]:
        if self.down:
            raise ExchangeError("out of reach")
        return [
            Quote(s, 1.0, 2.0, NAN, NAN, None, self.clock.now_ms())
            for s in symbols
            if s not in self.unlisted
        ]

    async def klines(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Klines:
        if symbol in self.failing:
            raise ExchangeError(f"no candles of {symbol}")
        self.asked.append((symbol, start_ms))
        over_ms = self.clock.now_ms() - self.behind_ms
        stop = over_ms - 2 * MINUTE if self.newest_missing else over_ms
        times = np.arange(start_ms, stop + 1, MINUTE, dtype=np.int64)
        candles = Candles(times, np.ones((len(times), 6)))
        closed = times + MINUTE <= over_ms
        return Klines(candles.only(closed), over_ms, candles.only(~closed))


def polling(source: FakeSource, symbols: Sequence[str] = ("A", "B")) -> AsyncGenerator[Event, None]:
    return Polling(
        source, symbols, "1m", poll_s=20.0, clock_check_s=100.0,
        backoff=Backoff(first_s=0.5, longest_s=4.0), sleep=source.sleep, dice=lambda: 1.0,
    ).events()  # fmt: skip


async def take(events: AsyncGenerator[Event, None], count: int) -> list[Event]:
    return [await anext(events) for _ in range(count)]


async def test_quotes_come_now_and_then_and_candles_soon_after_each_end() -> None:
    source = FakeSource()
    async with aclosing(polling(source)) as events:
        first = await take(events, 5)
        assert first[0] == Connected(1, ("A", "B"))
        assert [type(e) for e in first[1:]] == [Quote] * 4
        assert source.slept == [20.0]
        closing = await take(events, 6)
    assert source.slept == [20.0, 11.0], "just after the end of the bar and the settling"
    candles = [e for e in closing if isinstance(e, Candle)]
    assert [(c.symbol, c.open_time, c.confirm) for c in candles] == [
        ("A", 0, True), ("A", MINUTE, False), ("B", 0, True), ("B", MINUTE, False),
    ]  # fmt: skip
    assert {c.received_ms for c in candles} == {MINUTE + SETTLE_MS}
    assert isinstance(closing[-1], Quote)


async def test_a_candle_that_is_not_there_yet_is_asked_again() -> None:
    source = FakeSource()
    source.newest_missing = True
    async with aclosing(polling(source, ("A",))) as events:
        await take(events, 4)
        assert source.asked == [("A", 0)]
        source.newest_missing = False
        later = await take(events, 3)
    assert source.asked == [("A", 0), ("A", 0)]
    assert [e.open_time for e in later if isinstance(e, Candle) and e.confirm] == [0]


async def test_a_candle_is_closed_when_the_exchange_shows_it_whatever_our_clock_says() -> None:
    source = FakeSource()
    source.behind_ms = 10_000
    seen: list[Candle] = []
    async with aclosing(polling(source, ("A",))) as events:
        while not seen or not seen[-1].confirm:
            event = await anext(events)
            seen += [event] if isinstance(event, Candle) else []
            assert not any(c.confirm for c in seen) or source.now_s >= 70.0
    assert [c.open_time for c in seen] == [0, 0]


async def test_a_clock_that_was_a_day_ahead_holds_nothing_up() -> None:
    source = FakeSource()
    source.now_s += 86_400.0
    async with aclosing(polling(source, ("A",))) as events:
        await take(events, 2)
        source.now_s -= 86_400.0
        while not isinstance(event := await anext(events), Candle):
            assert source.now_s < 100.0
    assert event.open_time == 0


async def test_one_symbol_that_fails_does_not_hold_up_the_others() -> None:
    source = FakeSource()
    source.failing = {"A"}
    async with aclosing(polling(source)) as events:
        await take(events, 5)
        closing = await take(events, 5)
        assert [e.symbol for e in closing if isinstance(e, Candle)] == ["B", "B"]
        assert closing[-1] == Disconnected("no candles of A", ("A",))
        source.failing = set()
        again = await take(events, 2)
    assert again[0] == Connected(2, ("A",))
    assert isinstance(again[1], Candle)
    assert again[1].open_time == 0, "what was missed is asked for"


async def test_a_symbol_without_a_ticker_does_not_hold_up_the_others() -> None:
    source = FakeSource()
    source.unlisted = {"A"}
    async with aclosing(polling(source)) as events:
        assert await take(events, 3) == [
            Connected(1, ("B",)),
            Quote("B", 1.0, 2.0, NAN, NAN, None, 30_000),
            Disconnected("the exchange has no ticker of A", ("A",)),
        ]
        later = await take(events, 6)
    assert {e.symbol for e in later if isinstance(e, Candle | Quote)} == {"B"}
    assert source.slept[0] == 20.0, "one symbol's absence is no outage"


async def test_an_outage_is_told_and_waited_out_with_back_off() -> None:
    source = FakeSource()
    source.down = True
    async with aclosing(polling(source)) as events:
        assert await take(events, 4) == [Disconnected("out of reach", ("A", "B"))] * 4
        assert source.slept == [0.5, 1.0, 2.0]
        source.down = False
        assert (await take(events, 1))[0] == Connected(1, ("A", "B"))


async def test_the_clock_is_checked_periodically() -> None:
    source = FakeSource()
    async with aclosing(polling(source, ("A",))) as events:
        while source.now_s < 250.0:
            await anext(events)
    assert source.clock_checks == 3
