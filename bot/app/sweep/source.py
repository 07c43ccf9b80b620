"""What a sweep replays: bars and forecasts as a run has recorded them, or of a file.

Rules: the very numbers that the run traded on; only before its start, where a record has none, its
models are asked again. The settings of a sweep begin from the run's own. Must not write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bot.adapters.files.forecasts import read_forecasts
from bot.adapters.record.reading import Record
from bot.app.backtest.preparing import read_market
from bot.app.loop.forecasters import TABLE_ID, TABLE_TASKS
from bot.app.runs.folder import RunFolder, config_hash, config_of
from bot.app.runs.in_force import instruments_of_record
from bot.app.runs.own_parts import check_parts
from bot.app.runs.record import open_record
from bot.app.runs.trials import FORECASTS_SHA256, runs_dir_of
from bot.app.sweep.rehearsed import rehearsed
from bot.app.symbols import known_instruments, with_candidates
from bot.blocks import F64, I64, BarBlock, Forecast
from bot.config import Config
from bot.config.given import read_toml
from bot.config.renamed import translated
from bot.errors import DataError
from bot.portfolio.instruments import Instrument


@dataclass(frozen=True)
class SweepSource:
    """Bars with their forecasts.

    Attributes:
        name: the run or file, for people.
        config: the settings that the varied ones are laid over.
        bars: n bars, those before the start too.
        start: index of the first bar that is traded.
        forecast: of all n bars, NaN where there is none.
        digest: what tells these forecasts from others.
        settings: the same, by section and key, as given.
        runs_dir: the folder that a sweep's folder goes into.
        register_dir: where the run's own trial is entered, wherever the tables go; None for a file,
            whose trials lie beside the sweep's folder.
        live: whether a daemon saw the bars.
    """

    name: str
    config: Config
    symbols: tuple[str, ...]
    instruments: Mapping[str, Instrument]
    bars: BarBlock
    start: int
    forecast: Forecast
    digest: tuple[str, ...]
    settings: Mapping[str, Any]
    runs_dir: Path
    register_dir: Path | None = None
    live: bool = False

    @cached_property
    def heads(self) -> frozenset[tuple[str, int]]:
        """Kind and horizon of the heads that forecast anything; a run without a model has none."""
        return frozenset(
            (task.kind, task.horizon)
            for k, task in enumerate(self.forecast.tasks)
            if np.isfinite(self.forecast.value[:, :, k]).any()
        )


def source_of_run(folder: RunFolder) -> SweepSource:
    """Read what a run recorded.

    Raises:
        DataError: it booked no bar, or recorded no forecasts.
    """
    config = config_of(folder)
    with open_record(folder) as record:
        builds = record.builds()
        check_parts(config, builds[-1].made_by if builds else "", folder.path)
        return _recorded(folder, config, record)


def _recorded(folder: RunFolder, config: Config, record: Record) -> SweepSource:
    times, _ = record.ledger()
    if not len(times):
        raise DataError(f"{folder.path}: the run has closed no bar yet; nothing to replay")
    if config.run.record != "full":
        raise DataError(
            f"{folder.path}: the run recorded no forecasts (run.record = '{config.run.record}'); run it "
            "again with run.record = 'full'"
        )
    bars = record.bars()
    bars = bars.rows(0, int(np.searchsorted(bars.open_time, times[-1])) + 1)
    start = int(np.searchsorted(bars.open_time, times[0]))
    value, model = record.forecasts(bars.open_time)
    schedule = record.models()
    early = [row for row in schedule if row.effective_from < times[0]]
    if early and early[0].model_id == TABLE_ID:
        value[:start] = _before(record, bars, start)
    elif early:
        value[:start] = rehearsed(
            config,
            folder.models,
            symbols=record.symbols,
            tasks=record.tasks,
            bars=bars.rows(0, start),
            schedule=early,
        )
    return SweepSource(
        name=str(folder.path),
        config=config,
        symbols=record.symbols,
        instruments=instruments_of_record(record),
        bars=bars,
        start=start,
        forecast=Forecast(record.tasks, value, model),
        digest=(
            config_hash(config),
            record.meta.get(FORECASTS_SHA256, ""),
            *(f"{row.model_id}@{row.effective_from}" for row in schedule),
        ),
        settings=translated(read_toml(folder.config)),
        runs_dir=runs_dir_of(folder.path),
        register_dir=runs_dir_of(folder.path),
        live=record.meta.get("mode") == "live",
    )


def _before(record: Record, bars: BarBlock, start: int) -> F64:
    """Return the forecasts of a run's file before its start, which a journal does not repeat.

    Raises:
        DataError: the file is gone, or is another one by now.
    """
    path, wanted = Path(record.meta[TABLE_ID]), record.meta.get(FORECASTS_SHA256, "")
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        found = str(error.strerror)
    if found != wanted:
        raise DataError(
            f"{path}: the run's forecasts before its start are read from this file, and it is not as it "
            f"was (SHA-256 {wanted[:12]}…, now {found[:12]}); put it back, or give --forecasts FILE"
        )
    value = _table(path, record.symbols, bars.open_time)
    return np.where(bars.valid[:, :, None], value, np.nan)[:start]


def _table(path: Path, symbols: tuple[str, ...], open_time: I64) -> F64:
    c = read_forecasts(path, symbols, open_time)
    return np.stack([c.expected_return, c.p_up, c.volatility, c.volume], axis=2)


def source_of_file(path: Path, config: Config) -> SweepSource:
    """Read a file of forecasts, and the bars that the settings name.

    Raises:
        DataError: a file is missing or faulty.
    """
    config = with_candidates(config)
    market = read_market(config)
    times = market.bars.open_time
    value = _table(path, market.symbols, times)
    value = np.where(market.bars.valid[:, :, None], value, np.nan)
    if not config.policy.rehearse:
        value[: market.start_index] = np.nan
    return SweepSource(
        name=str(path),
        config=config,
        symbols=market.symbols,
        instruments=known_instruments(config, market.symbols),
        bars=market.bars,
        start=market.start_index,
        forecast=Forecast(TABLE_TASKS, value, np.zeros(len(times), dtype=np.int64)),
        digest=(config_hash(config), hashlib.sha256(path.read_bytes()).hexdigest(), str(times[0])),
        settings=config.model_dump(mode="json"),
        runs_dir=Path(config.run.runs_dir),
    )
