"""From settings to a backtest job: read the market, the instruments, forecasts or another schedule."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.adapters.files.forecasts import read_forecasts
from bot.adapters.files.history import load_history
from bot.adapters.files.instruments import instruments_text
from bot.app.backtest.contract_units import check_contract_units
from bot.app.backtest.job import BacktestJob
from bot.app.loop.forecasters import TABLE_ID, TABLE_TASKS, TableForecaster
from bot.app.loop.runner import Progress
from bot.app.runs.borrow import Recorded, take_models
from bot.app.runs.folder import RunFolder
from bot.app.runs.trials import FORECASTS_SHA256
from bot.app.runs.unknown_variances import tell_unknown_variances
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


@dataclass(frozen=True)
class RunBars:
    """The bars of a run, from files or made: all of them, and where trading starts.

    `members` bool[n, S] are those of the universe at each close, None where there is no rule.
    """

    symbols: tuple[str, ...]
    bars: BarBlock
    start_index: int
    missing: int
    funding_unknown: int
    repairs: tuple[tuple[Path, str], ...] = ()
    members: Bool | None = None


def read_market(config: Config) -> RunBars:
    """Read or make the bars that the settings name.

    Raises:
        ConfigError: the account cannot hold a symbol.
        DataError: a file is missing or faulty, counts inverse contracts otherwise, or the start lies
            behind the last bar.
    """
    symbols = traded_symbols(config)
    check_symbols(config, symbols, known_instruments(config, symbols))
    repairs: tuple[tuple[Path, str], ...] = ()
    if config.data.source == "synthetic":
        bars, start_ms = _synthetic(config)
    else:
        history = load_history(config)
        bars, start_ms, repairs = history.bars, history.start_ms, history.repairs
        check_contract_units(symbols, bars, inverse_of(config, symbols))
    members = _members(config, symbols, bars)
    if members is not None:
        bars = replace(bars, leaving=bars.leaving | ~members)
    start = 0 if start_ms is None else int(np.searchsorted(bars.open_time, start_ms))
    if start == len(bars):
        raise DataError(
            f"data.start = '{config.data.start}' (--from) lies behind the last bar there is, "
            f"{format_utc(int(bars.open_time[-1]))}; 'bot data' lists the files with their spans"
        )
    unknown = _unknown(bars.rows(start, len(bars)))
    return RunBars(
        symbols, bars, start, missing=_missing(bars), funding_unknown=unknown, repairs=repairs,
        members=members,
    )  # fmt: skip


def _members(config: Config, symbols: tuple[str, ...], bars: BarBlock) -> Bool | None:
    rule = config.market.rule
    if rule is None:
        return None
    known = known_instruments(config, symbols)
    launches = [known[name].launch_ms if name in known else 0 for name in symbols]
    inverse = is_inverse(config.market.venue)
    universe = Universe(rule, INTERVAL_MS[config.market.interval], launches, inverse=inverse)
    return universe.advance(bars)


def prepare(
    config: Config,
    market: RunBars,
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
    times = market.bars.open_time
    log.info(
        "history_loaded", bars=len(times), first=int(times[0]), last=int(times[-1]),
        missing=market.missing, funding_unknown=market.funding_unknown,
    )  # fmt: skip
    for path, note in market.repairs:
        log.warning("file_put_in_order", path=str(path), what=note)
    tell_unknown_variances(log, config, market.symbols, market.bars)
    _tell_universe(config, market, log)
    source = config.data.root if config.data.source == "files" else "synthetic"
    instruments = schedule.instruments if schedule else known_instruments(config, market.symbols)
    job = BacktestJob(
        config=config,
        folder=folder,
        symbols=market.symbols,
        bars=market.bars,
        start_index=market.start_index,
        rules=rules_from(config, market.symbols, instruments),
        log=log,
        progress=progress,
        meta={
            "mode": "backtest",
            "data": source,
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


def _tell_universe(config: Config, market: RunBars, log: Any) -> None:
    """Tell what the rule of the universe came to in the bars that are traded."""
    if market.members is None:
        return
    traded = market.members[market.start_index :]
    log.info(
        "universe", rule=config.market.universe, candidates=len(market.symbols),
        members=[s for s, on in zip(market.symbols, np.asarray(traded.any(axis=0)), strict=True) if on],
        changes=int((traded[1:] != traded[:-1]).any(axis=1).sum()),
    )  # fmt: skip


def _take_forecasts(job: BacktestJob, file: Path) -> None:
    """Let a file of forecasts decide, and say in the run's facts which one it is."""
    columns = read_forecasts(file, job.symbols, job.bars.open_time)
    value = np.stack(
        [columns.expected_return, columns.p_up, columns.volatility, columns.volume], axis=2
    )
    job.table, job.table_tasks = TableForecaster(job.bars.open_time, value), TABLE_TASKS
    job.meta[TABLE_ID] = str(file)
    job.meta[FORECASTS_SHA256] = hashlib.sha256(file.read_bytes()).hexdigest()


def check_known(config: Config, market: RunBars) -> None:
    """Refuse bars without any volume, funding, mark price or shorter candles that a model is to learn from.

    Raises:
        DataError: no bar of a symbol has one of them.
    """
    bars = market.bars
    there = {
        "volume": bars.valid & (bars.volume > 0.0),
        "funding": (bars.funding_rate != 0.0) | (bars.funding_inside != 0.0),
        "mark": np.isfinite(bars.mark),
    }
    there["funding"] &= np.isfinite(bars.funding_rate)
    faults = []
    some: Bool = np.asarray(bars.valid.any(axis=0))
    if not config.market.universe:  # whose candidates may lie outside the span
        some = np.ones_like(some)
    for what, known in there.items():
        names = [n for n in config.features.names if part("feature", n).facts.get("needs") == what]
        uses = [f"'{name}' out of features.names" for name in names]
        if what == "volume" and "volume" in config.targets.kinds:
            uses.append("'volume' out of targets.kinds")
        silent = [
            name for s, name in enumerate(market.symbols) if some[s] and not known[:, s].any()
        ]
        if uses and silent:
            faults.append(
                f"{', '.join(silent)}: {_SILENT[what]}, so that no row of the model would be complete; "
                f"get {_WANTED[what]}, or take {' and '.join(uses)}"
            )
    if config.market.finer_interval:
        faults += [
            f"{name}: no bar has {config.market.finer_interval} candles inside it at its prices; get them "
            "for these times and this market ('bot fetch' does), or leave market.finer_interval empty"
            for s, name in enumerate(market.symbols)
            if bars.valid[:, s].any() and np.isnan(bars.realised_variance[:, s]).all()
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


def _synthetic(config: Config) -> tuple[BarBlock, int | None]:
    """Make the synthetic market, and cut it where a file's history would be cut."""
    market = made_market(config)
    bars = market.block(0, config.synthetic.bars)
    bars = bars.symbols([market.symbols.index(name) for name in traded_symbols(config)])
    low = parse_utc(config.data.history_start, "data.history_start")
    high = parse_utc(config.data.end, "data.end", inclusive_end=True)
    first = 0 if low is None else int(np.searchsorted(bars.open_time, low))
    stop = len(bars) if high is None else int(np.searchsorted(bars.open_time, high, "right"))
    if first >= stop:
        raise DataError(
            f"the synthetic market has no bar between data.history_start = "
            f"'{config.data.history_start}' and data.end = '{config.data.end}'; it goes from "
            f"{format_utc(int(bars.open_time[0]))} to {format_utc(int(bars.open_time[-1]))}"
        )
    return bars.rows(first, stop), parse_utc(config.data.start, "data.start")


def _missing(bars: BarBlock) -> int:
    """Count a symbol's missing bars between its first and its last."""
    count = 0
    for s in range(bars.n_symbols):
        at = np.flatnonzero(bars.valid[:, s])
        if len(at):
            span = slice(at[0], at[-1] + 1)
            count += int((~bars.valid[span, s] & bars.in_session[span, s]).sum())
    return count


def _unknown(bars: BarBlock) -> int:
    unknown = np.isnan(bars.funding_rate) + bars.funding_inside_unknown
    return int(unknown[bars.valid].sum())
