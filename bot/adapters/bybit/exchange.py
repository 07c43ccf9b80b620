"""Bybit as the daemon sees it: requests beside the loop, a stream, the exchange's time.

Rules: a name of market.symbols stands for one symbol of one of Bybit's venues; a candle that cannot
be true is left out and reported. Must not keep market data.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from bot.adapters.bybit.answers import parsed_number
from bot.adapters.bybit.clock import Jump, ServerClock
from bot.adapters.bybit.frames import quote_of
from bot.adapters.bybit.links import plan_links
from bot.adapters.bybit.polling import Polling
from bot.adapters.bybit.rest import INTERVAL_CODE
from bot.adapters.bybit.retry import backoff_of
from bot.adapters.bybit.socket import Inbox, Socket
from bot.adapters.bybit.stream import BybitStream, Supervision
from bot.adapters.bybit.threads import DaemonPool
from bot.adapters.bybit.tickers import LiveRest
from bot.adapters.exchange import Delivery, Event, Klines, Quote
from bot.adapters.files.candles import Candles, faults_of
from bot.adapters.files.funding import Funding
from bot.config import Config
from bot.errors import ConfigError, ExchangeError, UnlistedError
from bot.portfolio.instruments import Instrument, untraded
from bot.timestamps import format_utc
from bot.venues import is_inverse, split_symbol

T = TypeVar("T")

_FEW_SYMBOLS = 10
"""Up to here a ticker is asked by symbol, beyond it all of the venue at once."""


class BybitExchange:
    """The `Exchange` of Bybit, its testnet, or a practice exchange."""

    def __init__(
        self,
        config: Config,
        pool: DaemonPool[LiveRest],
        clock: ServerClock,
        new_socket: Callable[[str, Inbox], Socket],
        sleep: Callable[[float], Awaitable[None]],
        dice: Callable[[], float],
        on_fault: Callable[[int, str], None] | None,
        on_jump: Callable[[Jump, int], None] | None = None,
    ) -> None:
        self.clock = clock
        self._venue, self._feed = config.market.venue, config.market.feed
        self._settings = config.exchange
        self._pool, self._new_socket = pool, new_socket
        self._sleep, self._dice = sleep, dice
        self._on_fault, self._faulty = on_fault, 0
        self._on_jump = on_jump

    def now_ms(self) -> int:
        """Return the exchange's time by our clock, corrected by what was last measured."""
        return self.clock.now_ms()

    async def server_time_ms(self) -> int:
        """Ask the exchange's time, and correct `now_ms` by it, unless it jumps."""

        def ask(rest: LiveRest) -> tuple[int, float, float]:
            asked_s = self.clock.monotonic()
            return rest.server_time_ms(), asked_s, self.clock.monotonic()

        server_ms, asked_s, at_s = await self._pool.run(ask)
        jump = self.clock.answered(server_ms, asked_s, at_s)
        if jump is not None and self._on_jump is not None:
            self._on_jump(jump, self.clock.refused)
        return server_ms

    async def klines(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Klines:
        """Return the candles that open in start..end, inclusive, oldest first.

        Raises:
            ExchangeError: it is out of reach, refuses, or answers something else.
            UnlistedError: it does not list the symbol, or no longer.
        """
        venue, own = self._split(symbol)
        pages = await self._of_listed(
            symbol, lambda rest: list(rest.klines(venue, own, interval, start_ms, end_ms))
        )
        return Klines(
            self._sound(_joined(page.candles for page in pages), interval, symbol),
            pages[-1].over_ms if pages else start_ms,
            self._sound(_joined(page.forming for page in pages), interval, symbol),
        )

    async def marks(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Candles:
        """Return closed candles of a contract's mark price; raises as `klines`."""
        venue, own = self._split(symbol)
        candles = await self._of_listed(
            symbol, lambda rest: _joined(rest.mark_pages(venue, own, interval, start_ms, end_ms))
        )
        return self._sound(candles, interval, symbol)

    async def funding(self, symbol: str, start_ms: int, end_ms: int) -> Funding:
        """Return a contract's funding rates of start..end, inclusive, oldest first."""
        venue, own = self._split(symbol)
        return await self._of_listed(
            symbol, lambda rest: rest.funding_history(venue, own, start_ms, end_ms)
        )

    async def instruments(self, symbols: Sequence[str]) -> dict[str, Instrument]:
        """Return the instruments of these symbols.

        Raises:
            ConfigError: a symbol is not listed, or not traded now.
            DataError: what the exchange says of one of them makes no sense.
            ExchangeError: the exchange does not answer.
        """
        found = await self.listed(symbols)
        faults = untraded(found)
        missing = [name for name in symbols if name not in found]
        if missing:
            faults.append(
                f"market.symbols: Bybit does not list {', '.join(missing)}; correct or remove it"
            )
        if faults:
            raise ConfigError("\n".join(faults))
        return found

    async def listed(self, symbols: Sequence[str], *, tiers: bool = True) -> dict[str, Instrument]:
        """Return the instruments of those of these symbols that are listed, whatever their status.

        Raises:
            DataError, ExchangeError: as `instruments`.
        """
        found: dict[str, Instrument] = {}
        for venue, members in self._by_venue(symbols).items():
            own_names = frozenset(members.values())
            ask = partial(_instruments, venue=venue, symbols=own_names, tiers=tiers)
            told = await self._pool.run(ask)
            found.update({name: told[own] for name, own in members.items() if own in told})
        return found

    async def delivery(self, symbol: str) -> Delivery | None:
        """Return at what a contract was settled when it ended; None where that is not told (yet)."""
        venue, own = self._split(symbol)
        return await self._pool.run(lambda rest: rest.delivery(venue, own))

    async def quote_all(self, symbols: Sequence[str]) -> list[Quote]:
        """Ask for the quotes of these symbols, in their order; one that is not listed has none.

        Raises:
            ExchangeError: it is out of reach, or refuses.
            DataError: a ticker makes no sense.
        """
        quotes: dict[str, Quote] = {}
        for venue, members in self._by_venue(symbols).items():
            few = len(members) <= _FEW_SYMBOLS
            wanted = list(members.values()) if few else [None]
            asked = [self._tickers(venue, members, own) for own in wanted]
            for part in await asyncio.gather(*asked):
                quotes.update(part)
        return [quotes[name] for name in symbols if name in quotes]

    async def by_turnover(self) -> list[str]:
        """Return the symbols of the venue that were traded in the last day, the largest turnover first.

        Turnover is in the quote currency: of inverse contracts that is what Bybit calls the volume, and
        its turnover is in coin (https://bybit-exchange.github.io/docs/v5/market/tickers).

        Raises:
            ExchangeError: it is out of reach, or refuses.
        """
        rows = await self._pool.run(lambda rest: rest.tickers(self._venue))
        key = "volume24h" if is_inverse(self._venue) else "turnover24h"
        traded = {symbol: parsed_number(row.get(key)) for symbol, row in rows.items()}
        known = [symbol for symbol in sorted(traded) if traded[symbol] > 0.0]
        return sorted(known, key=lambda symbol: -traded[symbol])

    def stream(self, symbols: Sequence[str], interval: str) -> AsyncGenerator[Event, None]:
        """Yield candles, quotes and what becomes of the connection, until it is closed."""
        settings = self._settings
        if self._feed == "poll":
            return Polling(
                self,
                symbols,
                interval,
                poll_s=settings.poll_s,
                clock_check_s=settings.clock_check_s,
                backoff=backoff_of(settings),
                sleep=self._sleep,
                dice=self._dice,
            ).events()
        supervision = Supervision(
            new_socket=self._new_socket,
            check_clock=self.server_time_ms,
            clock=self.clock,
            backoff=backoff_of(settings),
            stale_after_s=settings.stale_after_s,
            clock_check_s=settings.clock_check_s,
            sleep=self._sleep,
            dice=self._dice,
        )
        links = plan_links(symbols, self._venue, INTERVAL_CODE[interval])
        return BybitStream(links, supervision).events()

    def close(self) -> None:
        """Let the threads of the requests end."""
        self._pool.close()

    async def _of_listed(self, symbol: str, ask: Callable[[LiveRest], T]) -> T:
        """Ask about a symbol; that it is not listed is believed where the instruments say so too."""
        venue, own = self._split(symbol)
        try:
            return await self._pool.run(ask)
        except UnlistedError as error:
            if await self._pool.run(lambda rest: rest.lists(venue, own)):
                raise ExchangeError(f"{error}, yet it lists {own}; try again later") from None
            raise

    async def _tickers(
        self, venue: str, members: dict[str, str], symbol: str | None
    ) -> dict[str, Quote]:
        try:
            rows = await self._pool.run(lambda rest: rest.tickers(venue, symbol))
        except UnlistedError:
            return {}
        now_ms = self.now_ms()
        return {
            name: quote_of(name, rows[own], now_ms) for name, own in members.items() if own in rows
        }

    def _sound(self, candles: Candles, interval: str, symbol: str) -> Candles:
        """Return the candles that can be true, and tell of the others."""

        def row(i: int) -> str:
            return format_utc(int(candles.time[i]))

        faulty, fault = faults_of(candles, interval, f"Bybit's candles of {symbol}", row)
        if not faulty.any():
            return candles
        self._faulty += int(faulty.sum())
        if self._on_fault is not None:
            self._on_fault(self._faulty, fault)
        return Candles(candles.time[~faulty], candles.values[~faulty])

    def _split(self, symbol: str) -> tuple[str, str]:
        return split_symbol(symbol, self._venue)

    def _by_venue(self, symbols: Sequence[str]) -> dict[str, dict[str, str]]:
        grouped: dict[str, dict[str, str]] = {}
        for name in symbols:
            venue, own = self._split(name)
            grouped.setdefault(venue, {})[name] = own
        return grouped


def _instruments(
    rest: LiveRest, venue: str, symbols: frozenset[str], *, tiers: bool
) -> dict[str, Instrument]:
    return rest.instruments(venue, symbols, tiers=tiers)


def _joined(pages: Iterable[Candles]) -> Candles:
    return Candles.concat([page for page in pages if len(page)])
