"""`bot run`: the daemon from its settings to its last commit.

Owns signals, the lock of the run's folder, the exchange and, with --practice, the practice exchange
inside. Rules: SIGTERM and Ctrl-C only set a flag, the loop stops between transactions; whatever ends
the run, the next start resumes it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.adapters.bybit import BybitExchange, open_bybit
from bot.adapters.journal_reader import JournalReader
from bot.adapters.run_lock import RunLock
from bot.app.config_check import check_deeply
from bot.app.live import LiveRun
from bot.app.live_report import LiveReport
from bot.app.live_setup import check_live, open_parts
from bot.app.run_folder import RunFolder, config_hash, config_of, new_run, resumable_run
from bot.config import Config
from bot.errors import ConfigError, ExchangeError
from bot.log import open_log
from bot.model.threads import single_thread
from bot.practice.clock import RealClock
from bot.practice.exchange import serve
from bot.practice.market import Market
from bot.practice.synthetic import START_MS, SyntheticMarket, symbol_names
from bot.timegrid import INTERVAL_MS


class ExchangeClock:
    """The exchange's time as our clock knows it, and waiting for it."""

    def __init__(self, exchange: BybitExchange, speed: float) -> None:
        self._exchange, self._speed = exchange, speed

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return self._exchange.now_ms()

    async def sleep_until(self, time_ms: int) -> None:
        """Return once the exchange's time has reached `time_ms`."""
        while (left_ms := time_ms - self.now_ms()) > 0:
            await asyncio.sleep(max(left_ms / 1000.0 / self._speed, 0.0005))


def live_command(
    config: Config, run_dir: str | None, *, practice: bool, max_bars: int | None
) -> RunFolder:
    """Run the daemon until it is stopped; return its folder."""
    single_thread()
    config = practice_config(config) if practice else config
    check_deeply(config)
    check_live(config)
    folder = _folder(config, run_dir)
    told = config.log
    file = open_log(folder.log, told.level, sys.stderr, told.max_mb, told.keep)
    with RunLock(folder.path), file as log:
        asyncio.run(_main(config, folder, log, practice=practice, max_bars=max_bars))
    return folder


def practice_config(config: Config) -> Config:
    """Return the settings with the practice exchange's symbols and speed."""
    exchange = config.exchange.model_copy(
        update={
            "source": "practice",
            "speed": config.practice.speed,
            "requests_per_second": 100.0,
        }
    )
    market = config.market.model_copy(
        update={"symbols": symbol_names(config.synthetic.symbols), "venue": "bybit_linear"}
    )
    return config.model_copy(update={"exchange": exchange, "market": market})


def _folder(config: Config, run_dir: str | None) -> RunFolder:
    """Return the run to go on with, or a new one."""
    folder = resumable_run(run_dir)
    if folder is None:
        return new_run(config, run_dir, "live")
    before = config_of(folder)
    if config_hash(before) != config_hash(config):
        raise ConfigError(
            f"{folder.path}: the run was made with other settings ({folder.config}); start it with "
            "those, or give another --run-dir"
        )
    return folder


async def _main(
    config: Config, folder: RunFolder, log: Any, *, practice: bool, max_bars: int | None
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _exchange(config, folder, practice=practice) as exchange:
        instruments = await _instruments(exchange, config, stop, log)
        if instruments is None:
            return
        parts = open_parts(config, folder, instruments, log)
        resumed = parts.runner.state.last_open if parts.first_bar is not None else None
        if resumed is None:
            log.info(
                "run_started", mode="live", run_dir=str(folder.path),
                symbols=len(parts.symbols), interval=config.market.interval,
                config_hash=config_hash(config),
            )  # fmt: skip
        else:
            log.info(
                "run_resumed", run_dir=str(folder.path), last_bar=resumed,
                opened=parts.runner.state.opened,
            )  # fmt: skip
        clock = ExchangeClock(exchange, config.exchange.speed)
        live = LiveRun(
            parts,
            exchange,
            clock,
            LiveReport(parts, log, config.exchange.speed),
            stop,
            config.exchange.speed,
            max_bars,
        )
        try:
            reason = await live.run()
            bars = int(parts.runner.state.book.account["bars"][0])
            log.info("run_stopped", bars=bars, reason=reason)
        finally:
            parts.journal.close()


async def _instruments(
    exchange: BybitExchange, config: Config, stop: asyncio.Event, log: Any
) -> Any:
    """Ask for the instruments until they are told; None when the run is to stop before."""
    wait_s = 1.0
    while not stop.is_set():
        try:
            return await exchange.instruments(config.market.symbols)
        except ExchangeError as error:
            log.warning("exchange_unreachable", reason=str(error), retry_s=wait_s)
        try:
            await asyncio.wait_for(stop.wait(), wait_s)
        except TimeoutError:
            wait_s = min(2.0 * wait_s, 60.0)
    return None


@asynccontextmanager
async def _exchange(
    config: Config, folder: RunFolder, *, practice: bool
) -> AsyncIterator[BybitExchange]:
    """Give the exchange of the settings; with `practice`, one that runs inside."""
    if not practice:
        exchange = open_bybit(config)
        try:
            yield exchange
        finally:
            exchange.close()
        return
    interval_ms = INTERVAL_MS[config.market.interval]
    begin = START_MS + (config.data.history_bars + 1) * interval_ms
    begin = max(begin, next_bar_ms(folder, interval_ms))
    market = Market(
        SyntheticMarket(config.synthetic, interval_ms),
        half_spread_bps=config.practice.half_spread_bps,
        ticks_per_bar=config.practice.ticks_per_bar,
    )
    server = await serve(market, RealClock(begin, config.practice.speed))
    inside = config.exchange.model_copy(
        update={"rest_url": server.rest_url, "stream_url": server.stream_url}
    )
    exchange = open_bybit(config.model_copy(update={"exchange": inside}))
    try:
        yield exchange
    finally:
        exchange.close()
        await server.close()


def next_bar_ms(folder: RunFolder, interval_ms: int) -> int:
    """Return the open time of the first bar that the run has not seen, 0 for a new run."""
    if not folder.journal.exists():
        return 0
    reader = JournalReader(folder.journal)
    last = reader.last_bar()
    reader.close()
    return 0 if last is None else last + interval_ms
