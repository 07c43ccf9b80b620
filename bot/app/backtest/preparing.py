"""From settings to a backtest job: read the market, the instruments, forecasts or another schedule."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bot.adapters.files.forecasts import read_forecasts
from bot.adapters.files.history import OpenHistory
from bot.adapters.files.instruments import instruments_text
from bot.app.backtest.bar_source import (
    BarsOfFiles,
    BarSource,
    HeldBars,
    MadeBars,
    UniverseBars,
)
from bot.app.backtest.job import BacktestJob
from bot.app.backtest.market_facts import MarketFacts
from bot.app.loop.forecasters import TABLE_ID, TABLE_TASKS, TableForecaster
from bot.app.loop.recorders import bars_at_once
from bot.app.loop.runner import Progress
from bot.app.runs.borrow import Recorded, take_models
from bot.app.runs.folder import RunFolder
from bot.app.runs.trials import FORECASTS_SHA256
from bot.app.runs.unknown_variances import tell_lacking
from bot.app.symbols import inverse_of, known_instruments, made_market, traded_symbols
from bot.blocks import BarBlock, Bool
from bot.config import Config
from bot.config.needed_heads import read_beyond_forecasts
from bot.errors import ConfigError, DataError
from bot.parts.registry import part
from bot.portfolio.denomination import check_symbols
from bot.portfolio.rules import rules_from
from bot.timegrid import INTERVAL_MS
from bot.timestamps import format_utc, parse_utc
from bot.universe import Universe
from bot.venues import is_inverse

HELD_SYMBOL_BARS = 2**20
"""Of a run, at the most, that are held in memory from beginning to end."""


@dataclass(frozen=True)
class RunMarket:
    """The bars of a run as they are read: their facts, where they come from, and where trading starts."""

    symbols: tuple[str, ...]
    source: BarSource
    start_index: int
    facts: MarketFacts
    repairs: tuple[tuple[Path, str], ...] = ()

    @property
    def bars(self) -> BarBlock:
        """Return all bars at once; those that are not held are read anew."""
        if isinstance(self.source, HeldBars):
            return self.source.bars
        return BarBlock.concat(list(self.source.blocks(len(self.facts.open_time))))


def read_market(config: Config) -> RunMarket:
    """Read or make all bars that the settings name, and hold them.

    Raises:
        ConfigError, DataError: as `open_market`.
    """
    return open_market(config, hold=True)


def open_market(config: Config, *, hold: bool = False) -> RunMarket:
    """Read or make the bars that the settings name, once, and return what gives them again.

    At most HELD_SYMBOL_BARS are kept from that; of more, one block at a time is held, but where all
    are wanted (`hold`).

    Raises:
        ConfigError: the account cannot hold a symbol.
        DataError: a file is missing or faulty, counts inverse contracts otherwise, or the start lies
            behind the last bar.
    """
    symbols = traded_symbols(config)
    check_symbols(config, symbols, known_instruments(config, symbols))
    source, start_ms, n_bars, repairs = _found(config, symbols)
    universe = _universe_of(config, symbols)
    inverse = inverse_of(config, symbols) if config.data.source == "files" else None
    facts = MarketFacts.of(symbols, start_ms, inverse)
    seen = _seen(facts, source.blocks(bars_at_once(len(symbols), config.run.block_bars)), universe)
    if hold or n_bars * len(symbols) <= HELD_SYMBOL_BARS:
        source = HeldBars(BarBlock.concat(list(seen)))
    else:
        deque(seen, maxlen=0)
        source = source if universe is None else UniverseBars(source, universe)
    facts.factors.check()
    if facts.start_index == len(facts.open_time):
        raise DataError(
            f"data.start = '{config.data.start}' (--from) lies behind the last bar there is, "
            f"{format_utc(int(facts.open_time[-1]))}; 'bot data' lists the files with their spans"
        )
    return RunMarket(symbols, source, facts.start_index, facts, repairs)


def _found(
    config: Config, symbols: tuple[str, ...]
) -> tuple[BarSource, int | None, int, tuple[tuple[Path, str], ...]]:
    """Return where the bars come from, the start of trading, how many there are, and files put in order."""
    if config.data.source == "synthetic":
        return *_synthetic(config, symbols), ()
    history = OpenHistory(config)
    return BarsOfFiles(history), history.start_ms, history.n_bars, history.repairs


def _seen(
    facts: MarketFacts, blocks: Iterator[BarBlock], universe: Callable[[], Universe] | None
) -> Iterator[BarBlock]:
    """Yield the blocks once their facts are gathered; bars outside the universe are leaving."""
    following = None if universe is None else universe()
    for block in blocks:
        members = None if following is None else following.advance(block)
        facts.see(block, members)
        yield block if members is None else replace(block, leaving=block.leaving | ~members)


def _universe_of(config: Config, symbols: tuple[str, ...]) -> Callable[[], Universe] | None:
    """Return what makes the universe before the first bar, None where there is no rule."""
    rule = config.market.rule
    if rule is None:
        return None
    known = known_instruments(config, symbols)
    launches = [known[name].launch_ms if name in known else 0 for name in symbols]
    inverse = is_inverse(config.market.venue)
    return partial(Universe, rule, INTERVAL_MS[config.market.interval], launches, inverse=inverse)


def prepare(
    config: Config,
    market: RunMarket,
    folder: RunFolder,
    log: Any,
    progress: Progress,
    forecasts: str | None = None,
    schedule: Recorded | None = None,
) -> BacktestJob:
    """Put a backtest together.

    Args:
        forecasts: a file of predictions made elsewhere, in place of a model.
        schedule: a run whose recorded models decide, from the recorded bars on.
    """
    if forecasts and schedule:
        raise ConfigError("--forecasts and --schedule exclude one another; give one")
    if forecasts and config.signal.source == "decision":
        raise ConfigError(
            "--forecasts: a file has returns and directions, signal.source = 'decision' asks for "
            "another head; set it to 'return_x_direction'"
        )
    facts = market.facts
    times = facts.open_time
    log.info(
        "history_loaded", bars=len(times), first=int(times[0]), last=int(times[-1]),
        missing=facts.missing, funding_unknown=facts.funding_unknown,
    )  # fmt: skip
    for path, note in market.repairs:
        log.warning("file_put_in_order", path=str(path), what=note)
    tell_lacking(log, config, market.symbols, facts.lacks_variance, times)
    _tell_universe(config, facts, log)
    origin = config.data.root if config.data.source == "files" else "synthetic"
    instruments = schedule.instruments if schedule else known_instruments(config, market.symbols)
    job = BacktestJob(
        config=config,
        folder=folder,
        symbols=market.symbols,
        source=market.source,
        open_time=times,
        start_index=market.start_index,
        rules=rules_from(config, market.symbols, instruments),
        log=log,
        progress=progress,
        meta={
            "mode": "backtest",
            "data": origin,
            "instruments": instruments_text(instruments),
        },
    )
    for key in read_beyond_forecasts(config) if forecasts else ():
        raise ConfigError(
            f"{key}: it asks a model for more than its forecasts, and a file of forecasts (--forecasts) "
            "has no more; set it to 0"
        )
    if forecasts:
        _take_forecasts(job, Path(forecasts))
    else:
        check_known(config, market)
    if schedule:
        job.schedule = take_models(schedule, folder, int(times[0]))
        job.meta["schedule_of"] = str(schedule.folder.path)
    return job


def _tell_universe(config: Config, facts: MarketFacts, log: Any) -> None:
    """Tell what the rule of the universe came to in the bars that are traded."""
    if facts.members is None:
        return
    log.info(
        "universe", rule=config.market.universe, candidates=len(facts.symbols),
        members=[s for s, on in zip(facts.symbols, facts.members.tolist(), strict=True) if on],
        changes=facts.changes,
    )  # fmt: skip


def _take_forecasts(job: BacktestJob, file: Path) -> None:
    """Let a file of forecasts decide, and say in the run's facts which one it is."""
    columns = read_forecasts(file, job.symbols, job.open_time)
    value = np.stack(
        [columns.expected_return, columns.p_up, columns.volatility, columns.volume], axis=2
    )
    job.table, job.table_tasks = TableForecaster(job.open_time, value), TABLE_TASKS
    job.meta[TABLE_ID] = str(file)
    job.meta[FORECASTS_SHA256] = hashlib.sha256(file.read_bytes()).hexdigest()


def check_known(config: Config, market: RunMarket) -> None:
    """Refuse bars without any volume, funding, mark price or shorter candles that a model is to learn from.

    Raises:
        DataError: no bar of a symbol has one of them.
    """
    facts, faults = market.facts, []
    some: Bool = facts.there
    if not config.market.universe:  # whose candidates may lie outside the span
        some = np.ones_like(some)
    for what, lacking in _SILENT.items():
        names = [n for n in config.features.names if part("feature", n).facts.get("needs") == what]
        uses = [f"'{name}' out of features.names" for name in names]
        if what == "volume" and "volume" in config.targets.kinds:
            uses.append("'volume' out of targets.kinds")
        silent = [
            name for s, name in enumerate(market.symbols) if some[s] and not facts.known[what][s]
        ]
        if uses and silent:
            faults.append(
                f"{', '.join(silent)}: {lacking}, so that no row of the model would be complete; "
                f"get {_WANTED[what]}, or take {' and '.join(uses)}"
            )
    if config.market.finer_interval:
        faults += [
            f"{name}: no bar has {config.market.finer_interval} candles inside it at its prices; get them "
            "for these times and this market ('bot fetch' does), or leave market.finer_interval empty"
            for s, name in enumerate(market.symbols)
            if facts.there[s] and not facts.known["variance"][s]
        ]
    if faults:
        raise DataError("\n".join(faults))


_SILENT = {
    "volume": "the volume of every bar is 0",
    "funding": "no funding rate is known",
    "mark": "no mark price is known",
}
_WANTED = {
    "volume": "candles with volume",
    "funding": "the rates into data.root/funding ('bot fetch' does)",
    "mark": "mark prices into data.root/mark ('bot fetch' does)",
}


def _synthetic(config: Config, symbols: tuple[str, ...]) -> tuple[BarSource, int | None, int]:
    """Return the synthetic market, cut where a file's history would be cut, its start, and its bars."""
    market = made_market(config)
    places = tuple(market.symbols.index(name) for name in symbols)
    interval_ms = INTERVAL_MS[config.market.interval]
    times = market.start_ms + np.arange(config.synthetic.bars, dtype=np.int64) * interval_ms
    low = parse_utc(config.data.history_start, "data.history_start")
    high = parse_utc(config.data.end, "data.end", inclusive_end=True)
    first = 0 if low is None else int(np.searchsorted(times, low))
    stop = len(times) if high is None else int(np.searchsorted(times, high, "right"))
    if first >= stop:
        raise DataError(
            f"the synthetic market has no bar between data.history_start = "
            f"'{config.data.history_start}' and data.end = '{config.data.end}'; it goes from "
            f"{format_utc(int(times[0]))} to {format_utc(int(times[-1]))}"
        )
    start_ms = parse_utc(config.data.start, "data.start")
    return MadeBars(market, places, first, stop), start_ms, stop - first
