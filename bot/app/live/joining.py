"""Symbols that join a run that goes on: asked for, fetched, and committed as one.

Rules: it is done between two bars, while no loop runs; what the exchange says of the symbols, their
history, the command and the state that obeys it are one transaction, so that a run has joined or has
not. One that cannot be traded or held is refused by name; an exchange that does not answer is asked
again later, and the run goes on as it was. Must not decide what is asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np

from bot.adapters.exchange import Exchange
from bot.adapters.files import commands as files
from bot.adapters.files.commands import Asked
from bot.adapters.record.commands import CommandRow, settings_text
from bot.adapters.record.joins import SYMBOLS
from bot.app.live.backfill import fetch_bars
from bot.app.live.catch_up import CHUNK_BARS
from bot.app.live.committed import CommittedRun
from bot.app.live.reporter import LiveReport
from bot.app.live.screening import ScreenedExchange
from bot.app.loop.joining import joined_state
from bot.app.runs.in_force import changed_settings, learning, rules_of_run
from bot.app.runs.record import open_record
from bot.app.start.history_need import history_need
from bot.blocks import BarBlock
from bot.config import Config
from bot.config.changes import recorded_changes
from bot.config.universe import MOST_SYMBOLS
from bot.engine import Engine
from bot.errors import ConfigError, DataError, ExchangeError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.plausibility import Prices
from bot.portfolio.denomination import check_symbols
from bot.portfolio.hand import Command
from bot.portfolio.instruments import Instrument
from bot.venues import split_symbol

BLOCK_BARS = 4096


def joining_symbols(asked: Asked, symbols: Sequence[str]) -> tuple[str, ...]:
    """Return the symbols that a command would let join these; none of most commands."""
    listed = asked.settings.get(SYMBOLS) if asked.kind == Command.SET else None
    names = listed if isinstance(listed, list | tuple) else []
    return tuple(n for n in dict.fromkeys(names) if isinstance(n, str) and n not in symbols)


async def let_join(
    run: CommittedRun, asked: Asked, exchange: Exchange, report: LiveReport
) -> bool:  # fmt: skip
    """Let symbols join, or refuse them; return whether it is done, and need not be tried again."""
    new = joining_symbols(asked, run.symbols)
    try:
        config = changed_settings(
            run.config, recorded_changes(asked.settings, f"command {asked.id}")
        )
        _check(run, config, new)
        instruments = await exchange.instruments(new)
        check_symbols(config, new, instruments)
        history = await _history(run, config, new, exchange, report)
    except ConfigError as error:
        report.commanded(run.take(asked, str(error)))
        files.remove(run.folder.path, asked.id)
        return True
    except (ExchangeError, DataError, TimeoutError) as error:
        report.life.not_told(f"{', '.join(new)}: {str(error) or 'no answer in time'}")
        return False
    for row in _commit(run, config, asked, instruments, new=new, history=history):
        report.commanded(row)
    files.remove(run.folder.path, asked.id)
    return True


def _check(run: CommittedRun, config: Config, new: tuple[str, ...]) -> None:
    """Refuse what no exchange need be asked about."""
    abroad = [
        name for name in new if split_symbol(name, config.market.venue)[0] != config.market.venue
    ]
    if abroad:
        raise ConfigError(
            f"{SYMBOLS}: {', '.join(abroad)}: the run trades {config.market.venue}; begin another run"
        )
    if len(run.symbols) + len(new) > MOST_SYMBOLS:
        raise ConfigError(
            f"{SYMBOLS}: {len(run.symbols)} were in the run so far, those that left among them, and "
            f"{MOST_SYMBOLS} can be; begin another run"
        )
    mine, theirs = (_pipeline(config, s, run).names for s in (run.symbols, (*run.symbols, *new)))
    if mine != theirs:
        raise ConfigError(
            f"{SYMBOLS}: the run began with one symbol, and its models know no features across the "
            "market, which it would have with more; begin another run"
        )


async def _history(
    run: CommittedRun, config: Config, new: tuple[str, ...], exchange: Exchange, report: LiveReport
) -> BarBlock:  # fmt: skip
    """Return all bars of the run, of the symbols that join; none is valid before what a start fetches."""
    with open_record(run.folder) as record:
        times = record.bar_times()
    n, step = len(times), run.interval_ms
    screened = ScreenedExchange(
        exchange, new, Prices.unknown(len(new)), config.market.max_jump, report.implausible
    )
    first = max(0, n - history_need(config).bars)
    nothing = np.full((first, len(new)), np.nan)
    blocks = [BarBlock.of_candles(times[:first], *[nothing] * 5)] if first else []
    for a in range(first, n, CHUNK_BARS):
        part = times[a : a + CHUNK_BARS]
        blocks.append(
            await fetch_bars(
                screened,
                new,
                config.market.venue,
                interval=config.market.interval,
                interval_ms=step,
                first_ms=int(part[0]),
                last_ms=int(part[-1]),
                unlisted=report.unlisted,
                screen=screened.bars,
                max_jump=config.market.max_jump,
                finer=config.market.finer_interval,
            )
        )
    return BarBlock.concat(blocks)


def _commit(
    run: CommittedRun, config: Config, asked: Asked, instruments: dict[str, Instrument], *,
    new: tuple[str, ...], history: BarBlock,
) -> list[CommandRow]:  # fmt: skip
    told = learning(instruments, time.time_ns() // 1_000_000, run.next_open, inside=False)
    row = CommandRow(
        asked.id, asked.kind, settings_text(asked.settings), asked.asked_by, asked.asked_ms,
        open_time=run.next_open, inside=False,
    )  # fmt: skip
    symbols = (*run.symbols, *new)
    engine = Engine(
        _pipeline(config, symbols, run),
        rules_of_run(config, symbols, run.instruments | instruments),
        config.signal, target_tasks(config.targets), n_symbols=len(symbols),
        initial_capital=config.portfolio.initial_capital, forecasters={},
    )  # fmt: skip
    state = joined_state(engine, run.state, _bars(run, history))
    state = engine.obey(engine.obey(state, Command.INSTRUMENTS), Command.SET)
    run.commit_joining([told, row], new, history, state)
    return [told, row]


def _bars(run: CommittedRun, history: BarBlock) -> Iterator[BarBlock]:
    with open_record(run.folder) as record:
        times = history.open_time
        for a in range(0, len(times), BLOCK_BARS):
            part = times[a : a + BLOCK_BARS]
            bars = record.bars(int(part[0]) - 1, int(part[-1]))
            yield _beside(bars, history.rows(a, a + len(part)))


def _beside(bars: BarBlock, others: BarBlock) -> BarBlock:
    """Return the same bars with the symbols of others behind these."""
    columns = {field.name: getattr(bars, field.name) for field in fields(BarBlock)}
    wide = {k: np.hstack([v, getattr(others, k)]) for k, v in columns.items() if v.ndim > 1}
    return BarBlock(**columns | wide)


def _pipeline(config: Config, symbols: Sequence[str], run: CommittedRun) -> FeaturePipeline:
    return FeaturePipeline(config.features, symbols, run.interval_ms, config.model.bars_read)
