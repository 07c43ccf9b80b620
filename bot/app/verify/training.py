"""When a run's models were due, and the rows that they were trained on, cut again from its bars.

Rules: a due bar is one of the trigger's, but for the training at the start, of the rehearsal where
there is one, which comes before all others. Rows are cut by the archive that cut them for the training, bars forward, a window at a time.
Must not train: whether these rows give these weights is not shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bot.adapters.files.manifests import load_manifest
from bot.adapters.record.contents import ModelRow
from bot.adapters.record.difference import Difference
from bot.adapters.record.reading import Record
from bot.adapters.record.tables import EARLIEST
from bot.app.loop.forecasters import TABLE_ID
from bot.app.runs.folder import RunFolder
from bot.app.runs.in_force import due_bars
from bot.app.symbols import traded_symbols
from bot.app.training.archive import Archive
from bot.app.training.rehearsal import rehearsal_bars
from bot.app.training.request import training_seed
from bot.app.verify.engine import start_of
from bot.app.verify.tables import proved_bars
from bot.blocks import I64
from bot.config import Config
from bot.features.pipeline import FeaturePipeline
from bot.timegrid import INTERVAL_MS

BLOCK_BARS = 4096


def trained_here(record: Record, models: Sequence[ModelRow]) -> list[ModelRow]:
    """Return the models that were trained on the run's own bars, by their due bars."""
    given = {TABLE_ID, record.meta.get("given_model")}
    own = [row for row in models if row.due is not None and row.model_id not in given]
    return sorted(own, key=lambda row: row.due or 0)


def check_training_rows(
    folder: RunFolder, config: Config, record: Record, models: Sequence[ModelRow]
) -> Iterator[tuple[ModelRow | None, Difference]]:
    """Yield each model that was not due or tells of other rows; a bar that is damaged ends it."""
    trained = trained_here(record, models)
    times = record.bar_times()
    known = set(times.tolist())
    yield from _not_due(config, record, trained, times)
    of_symbols: dict[tuple[str, ...], list[ModelRow]] = {}
    for row in trained:
        if row.due in known:
            learned = load_manifest(folder.models, row.model_id).get("symbols", ())
            of_symbols.setdefault(tuple(learned), []).append(row)
    for symbols, waiting in of_symbols.items():
        if symbols != record.symbols[: len(symbols)] or len(symbols) < record.joins.first:
            first = waiting[0]
            yield first, _other(first, "symbols", list(symbols), list(record.symbols))
            continue
        yield from _other_rows(folder, _of(config, symbols), record, waiting, len(symbols))


def _of(config: Config, symbols: tuple[str, ...]) -> Config:
    """Return the settings of a training on these symbols."""
    if traded_symbols(config) == symbols:
        return config
    market = config.market.model_copy(update={"symbols": symbols})
    return config.model_copy(update={"market": market})


def _other_rows(
    folder: RunFolder, config: Config, record: Record, waiting: list[ModelRow], count: int
) -> Iterator[tuple[ModelRow | None, Difference]]:
    """Yield each model that tells of other rows than those of the first so many symbols."""
    times = record.bar_times()
    place = {time: i for i, time in enumerate(times.tolist())}
    dues = [place[row.due or 0] for row in waiting]
    interval_ms = INTERVAL_MS[config.market.interval]
    pipeline = FeaturePipeline(config.features, record.symbols[:count], interval_ms)
    archive, state = Archive(config, record.tasks), pipeline.initial()
    stop = max(dues, default=-1) + 1
    edges = sorted({*range(0, stop, BLOCK_BARS), *(due + 1 for due in dues), stop})
    for a, b in itertools.pairwise(edges):
        after, to = EARLIEST if a == 0 else int(times[a - 1]), int(times[b - 1])
        block, difference = proved_bars(record, after, to, times[a:b])
        if difference is not None or block is None:
            if difference is not None:
                yield None, difference
            return
        block = block.symbols(range(count))
        state, features = pipeline.advance(state, block)
        archive.extend(block, features)
        while waiting and dues[0] == b - 1:
            row, due = waiting.pop(0), dues.pop(0)
            found = _difference(folder, config, row, archive, due)
            if found is not None:
                yield row, found
        if dues:
            archive.drop_before(dues[0])


def _not_due(
    config: Config, record: Record, trained: Sequence[ModelRow], times: I64
) -> Iterator[tuple[ModelRow, Difference]]:
    """Yield each model at whose due bar no training was due; `trained` is in their order."""
    known = set(times.tolist())
    due = set(times[due_bars(config, record.commands()).due(times)].tolist())
    rehearsed = rehearsal_bars(config)
    at_start = config.retrain.at_start and (rehearsed > 0 or "given_model" not in record.meta)
    earliest = (
        EARLIEST  # a daemon plans its start, and the first bar that it trades may be a later one
    )
    if record.meta.get("mode") == "backtest" and len(times):
        start = int(np.searchsorted(times, start_of(record)))
        before = max(start - rehearsed, 0) - config.retrain.latency_bars
        earliest = int(times[max(before, 0)])
    trigger = config.retrain.trigger
    for row in trained:
        at, expected = row.due or 0, None
        of_start = at_start and row is trained[0] and at >= earliest
        if at not in known:
            expected = "a bar of the run"
        elif at not in due and not of_start:
            expected = f"a bar at which a training is due by retrain.trigger = '{trigger}'"
        if expected is not None:
            yield (
                row,
                Difference(
                    "models",
                    "due",
                    row.effective_from,
                    symbol=None,
                    stored=row.due,
                    replayed=expected,
                ),
            )


def _difference(
    folder: RunFolder, config: Config, row: ModelRow, archive: Archive, due: int
) -> Difference | None:
    manifest = load_manifest(folder.models, row.model_id)
    dataset = archive.dataset(due)
    expected: dict[str, Any] = {"rows": len(dataset), "data_sha256": dataset.digest()}
    if len(dataset):
        rows = archive.training_rows(dataset)
        expected |= {"first_ms": rows.first_ms, "last_ms": rows.last_ms}
    expected |= {
        "seed": training_seed(config.run.seed, int(row.due or 0)),
        "interval": config.market.interval,
    }
    for field, value in expected.items():
        if manifest.get(field) != value:
            return _other(row, field, manifest.get(field), value)
    return None


def _other(row: ModelRow, field: str, stored: Any, replayed: Any) -> Difference:
    return Difference(
        "models", field, row.effective_from, symbol=None, stored=stored, replayed=replayed
    )
