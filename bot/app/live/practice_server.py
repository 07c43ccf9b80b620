"""`bot exchange`: a practice exchange for other processes, over made or recorded candles."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from bot.adapters.files.history import load_history
from bot.app.start.history_need import history_need
from bot.app.symbols import made_market
from bot.config import Config
from bot.errors import ConfigError
from bot.practice.clock import Clock, ManualClock, RealClock
from bot.practice.exchange import PracticeExchange, serve_until_stopped
from bot.practice.faults import Faults, FaultSwitch
from bot.practice.market import MarketSource, PracticeMarket
from bot.practice.recorded import RecordedMarket
from bot.timegrid import INTERVAL_MS
from bot.timestamps import parse_utc
from bot.venues import is_inverse


def exchange_command(
    config: Config, port: int, speed: float, source: str, start: str, faults: Sequence[str],
    *, manual: bool,
) -> None:  # fmt: skip
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        ConfigError: an option cannot be, or the port cannot be had.
        DataError: the recorded candles are missing or faulty.
    """
    if not speed > 0.0:
        raise ConfigError(f"--speed {speed}: expected a number above 0")
    candles = _source(config, source)
    begin = parse_utc(start, "--from")
    if begin is None:
        history = history_need(config).bars if source == "synthetic" else 1
        begin = candles.start_ms + (history + 1) * candles.interval_ms
    market = PracticeMarket(
        candles,
        half_spread_bps=config.practice.half_spread_bps,
        ticks_per_bar=config.practice.ticks_per_bar,
    )
    clock: Clock = ManualClock(begin, real_pauses=True) if manual else RealClock(begin, speed)
    try:
        serve_until_stopped(market, clock, port=port, faults=read_faults(faults), on_ready=_tell)
    except OSError as error:
        raise ConfigError(
            f"--port {port}: cannot be had ({error.strerror}); take another"
        ) from None


def read_faults(given: Sequence[str]) -> Faults:
    """Return the faults of name=value options.

    Raises:
        ConfigError: one has no '=', an unknown name or a value of another type.
    """
    switch = FaultSwitch(Faults())
    wanted: dict[str, Any] = {}
    for item in given:
        name, eq, value = item.partition("=")
        if not eq:
            raise ConfigError(f"--fault {item}: expected name=value, for example drop=0.01")
        try:
            wanted[name] = json.loads(value)
        except json.JSONDecodeError:
            raise ConfigError(
                f"--fault {item}: '{value}' is no number and not true or false"
            ) from None
    return switch.change(wanted)


def _source(config: Config, source: str) -> MarketSource:
    interval_ms = INTERVAL_MS[config.market.interval]
    if source == "synthetic":
        return made_market(config)
    data = config.data.model_copy(update={"root": source, "source": "files"})
    history = load_history(config.model_copy(update={"data": data}))
    inverse = is_inverse(config.market.venue)
    return RecordedMarket(history.bars, history.symbols, interval_ms, inverse=inverse)


def _tell(exchange: PracticeExchange) -> None:
    print(
        json.dumps({"rest_url": exchange.rest_url, "stream_url": exchange.stream_url}), flush=True
    )
    print("practice exchange: Ctrl-C stops it", file=sys.stderr)
