"""The start of a job up to its first request: what it needs is built or looked for, all faults listed.

`bot run`, `bot run --practice` and `bot backtest` begin with `check_start`; `bot config check` asks
`faults_of` for each of them. Rules: the settings have been loaded, so every key is sound by itself;
a step here is one thing that can fail; nothing is written, and of files only
the times of candles are read, where a span is asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from bot.adapters.files.candle_files import CandleFile
from bot.adapters.files.data_root import DataRoot, Series
from bot.adapters.system.temporary import check_temporary
from bot.app.start.finer import check_finer
from bot.app.start.history_need import useless_settings
from bot.app.start.practice import practice_config
from bot.app.symbols import (
    check_made,
    known_instruments,
    traded_symbols,
    venues_of,
    with_candidates,
)
from bot.app.training.triggers import DueBars
from bot.config import Config
from bot.config.needed_heads import needs_model
from bot.errors import BotError, ConfigError, DataError, JournalError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.model.device import check_device
from bot.model.networks.parameter_matching import check_match
from bot.model.training.gradients import check_solver
from bot.parts.registry import part
from bot.portfolio.denomination import check_symbols
from bot.portfolio.rules import rules_from
from bot.report.skill.rivals import check_baselines
from bot.timegrid import INTERVAL_MS
from bot.timestamps import format_utc, parse_utc
from bot.venues import is_contract, split_symbol, venue_row

Job = Literal["run", "practice", "backtest"]
JOBS: tuple[Job, ...] = ("run", "practice", "backtest")


def check_start(config: Config, job: Job, run_dir: str | None = None) -> None:
    """Refuse what the job cannot start with.

    Args:
        run_dir: the run's folder, where it is not a new one in run.runs_dir.

    Raises:
        ConfigError: with every fault, a line each.
        DataError, JournalError: where only data or only the folder of runs is at fault.
    """
    faults = faults_of(config, job, run_dir)
    if faults:
        raise together(faults)


def together(faults: Sequence[BotError]) -> BotError:
    """Return one error with the lines of all: of their kind, a ConfigError where they differ."""
    kinds = {type(fault) for fault in faults}
    kind = kinds.pop() if len(kinds) == 1 else ConfigError
    return kind("\n".join(str(fault) for fault in faults))


def faults_of(config: Config, job: Job, run_dir: str | None = None) -> list[BotError]:
    """Return everything that keeps a job from starting; `run_dir` as in `check_start`."""
    if job == "practice":
        config = practice_config(config)
    steps: list[Callable[[Config], None]] = [
        _dates,
        _symbols,
        _trigger,
        _features,
        check_finer,
        _solver,
        _device,
        _rules,
        lambda config: _folder(config, run_dir),
        _temporary,
    ]
    steps += [check_made, _files] if job == "backtest" else [_daemon]
    faults: list[BotError] = []
    if job == "backtest":
        try:
            config = with_candidates(config)
        except BotError as error:
            return [error]
    for step in steps:
        try:
            step(config)
        except BotError as error:
            if str(error) not in map(str, faults):
                faults.append(error)
    return faults


def advice_on_data(config: Config) -> list[str]:
    """Return a line for each thing that is legal and useless in the end, given bars and the schedule."""
    retrain, lines = config.retrain, []
    with suppress(BotError):  # listed among the faults
        lines += useless_settings(config)
    if retrain.trigger == "never":
        if not retrain.at_start and needs_model(config):
            lines.append(
                "retrain.trigger = 'never' and retrain.at_start = false: a live run needs another run's "
                "model, --model RUN"
            )
        return lines
    try:
        bars = DueBars(retrain, INTERVAL_MS[config.market.interval])
        start = parse_utc(config.data.start, "data.start")
        end = parse_utc(config.data.end, "data.end", inclusive_end=True)
    except BotError:
        return lines  # listed among the faults
    fire = bars.next_fire_ms(time.time_ns() // 1_000_000 if start is None else start)
    if fire is None:
        lines.append(f"retrain.{retrain.trigger}: never comes due; no model is ever trained anew")
    elif start is not None and end is not None and fire > end:
        lines.append(
            f"retrain: nothing is due from data.start = '{config.data.start}' to data.end = "
            f"'{config.data.end}'; the first model decides all of it"
        )
    return lines


def _dates(config: Config) -> None:
    data, faults = config.data, []
    moments: dict[str, int | None] = {}
    for key in ("history_start", "start", "end"):
        try:
            moments[key] = parse_utc(getattr(data, key), f"data.{key}", inclusive_end=key == "end")
        except ConfigError as error:
            faults.append(str(error))
    end = moments.get("end")
    for key in ("start", "history_start"):
        begin = moments.get(key)
        if begin is not None and end is not None and begin > end:
            faults.append(
                f"data.{key} = '{getattr(data, key)}' lies after data.end = '{data.end}'; exchange them"
            )
    if faults:
        raise ConfigError("\n".join(faults))


def _symbols(config: Config) -> None:
    symbols = traded_symbols(config)
    check_symbols(config, symbols, known_instruments(config, symbols))


def _trigger(config: Config) -> None:
    DueBars(config.retrain, INTERVAL_MS[config.market.interval])


def _features(config: Config) -> None:
    symbols = traded_symbols(config)
    pipeline = FeaturePipeline(config.features, symbols, INTERVAL_MS[config.market.interval])
    known = len(symbols) if config.model.knows_symbols else 0
    check_match(config.model, len(pipeline.names), target_tasks(config.targets), known)
    _contracts(config, pipeline.names)


def _contracts(config: Config, names: Sequence[str]) -> None:
    """Refuse features of funding and mark prices where a symbol has neither."""
    of_contracts = [
        n for n in names if part("feature", n).facts.get("needs") in ("funding", "mark")
    ]
    symbols = traded_symbols(config)
    spot = [
        name
        for name, venue in zip(symbols, venues_of(config, symbols), strict=True)
        if config.data.source != "synthetic" and not is_contract(venue)
    ]
    if of_contracts and spot:
        raise ConfigError(
            f"features.names: {', '.join(of_contracts)} are of contracts, which {', '.join(spot)} "
            "is not; take them out, or trade a contract"
        )


def _solver(config: Config) -> None:
    check_solver(config.training.gradients)
    check_baselines(config.report)


def _device(config: Config) -> None:
    check_device(config.training.device)


def _rules(config: Config) -> None:
    rules_from(config, traded_symbols(config))


def _temporary(_config: Config) -> None:
    check_temporary()


def _folder(config: Config, run_dir: str | None) -> None:
    """Refuse a folder of runs, or of the run, that cannot be written to; it need not exist yet."""
    wanted = Path(run_dir or config.run.runs_dir)
    named = f"--run-dir {wanted}" if run_dir else f"run.runs_dir = '{wanted}'"
    there = next(path for path in (wanted, *wanted.absolute().parents) if path.exists())
    if not there.is_dir():
        raise JournalError(f"{named}: {there} is a file; name a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise JournalError(f"{named}: no permission to write in {there}")


def _files(config: Config) -> None:
    """Refuse a backtest whose candle files are not there, or have no bar where it asks for one."""
    if config.data.source != "files":
        return
    root, faults, found = DataRoot.at(config.data.root), [], []
    root.candle_files()  # the folder itself, once for all symbols
    for name in config.market.symbols:
        venue, symbol = split_symbol(name, config.market.venue)
        for interval in filter(None, (config.market.interval, config.market.finer_interval)):
            try:
                path = root.find_candles(Series(venue, symbol, interval))
            except DataError as error:
                faults.append(str(error))
            else:
                found += [path] if interval == config.market.interval else []
    if faults:
        raise DataError("\n".join(faults))
    if config.data.start or config.data.end:
        _bars(config, found)


def _bars(config: Config, paths: Sequence[Path]) -> None:
    """Refuse a span that lies beside all the bars of these files."""
    data = config.data
    start = parse_utc(data.start, "data.start")
    end = parse_utc(data.end, "data.end", inclusive_end=True)
    spans = [CandleFile(path, config.market.interval).span() for path in paths]
    first = min((span.first_ms for span in spans if span is not None), default=None)
    last = max((span.last_ms for span in spans if span is not None), default=None)
    if start is not None and last is not None and start > last:
        raise DataError(
            f"data.start = '{data.start}' lies behind the last bar there is, {format_utc(last)}; 'bot data' lists "
            "the files with their spans"
        )
    if end is not None and first is not None and end < first:
        raise DataError(
            f"data.end = '{data.end}' lies before the first bar there is, {format_utc(first)}; 'bot data' lists "
            "the files with their spans"
        )


def _daemon(config: Config) -> None:
    """Refuse settings that only a backtest can have."""
    faults, own = [], config.market.venue
    venues = {split_symbol(name, own)[0] for name in config.market.symbols}
    if venues != {own} or not venue_row(own).live:
        faults.append(
            "market.venue: the daemon trades one Bybit venue (bybit_linear, bybit_inverse, bybit_spot), the "
            f"settings name {', '.join(sorted(venues | {own}))}"
        )
    if config.costs.reference or config.execution.fill != "next_open":
        faults.append(
            "execution.fill: the daemon fills at the next open; next_close and costs.reference are "
            "for backtests"
        )
    if config.run.record != "full":
        faults.append("run.record: the daemon keeps everything; set it to 'full'")
    if faults:
        raise ConfigError("\n".join(faults))
