"""From a run's folder to the numbers and pictures: reads the record, asks the report package.

Rules: everything comes from the folder, so `bot report` after a year says what the backtest said; it
is read in one snapshot, since a daemon may be writing on, or in spans up to the last bar that was
booked when it began; a bar that is open and not closed is left out, with its fills.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bot.adapters.files.manifests import load_manifest
from bot.adapters.record.contents import ModelRow
from bot.adapters.record.reading import Record
from bot.app.loop.forecasters import TABLE_ID
from bot.app.runs.carried_state import account_state
from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.in_force import due_bars, instruments_of_record, told
from bot.app.runs.last_decision import decided_last
from bot.app.runs.record import open_record
from bot.app.runs.wide_columns import WideColumns, counted_codes, room_of
from bot.app.symbols import bars_a_year, venues_of
from bot.app.training.rehearsal import rehearsal_bars
from bot.app.training.triggers import planned_dues
from bot.blocks import F64, I64, BarBlock, Forecast
from bot.config import Config
from bot.config.needed_heads import needs_calibration, needs_model
from bot.errors import JournalError
from bot.portfolio.denomination import currency_note
from bot.portfolio.funding import funding_unknown
from bot.portfolio.reasons import FILL_REASON, REFUSAL, Refusal
from bot.portfolio.rules import rules_from
from bot.report.inputs import CalibrationProgress, GateWeights, Insight, ModelInfo, RunData
from bot.report.insights import over_models
from bot.report.why import Decided
from bot.timegrid import INTERVAL_MS, spans
from bot.timestamps import parse_utc


def read_run(folder: RunFolder, *, follow: bool = False) -> RunData:
    """Read a run for its report.

    Args:
        follow: hold no snapshot, for who reads beside a daemon and takes long.

    Raises:
        JournalError: the journal is missing, damaged or of another version.
    """
    config = config_of(folder)
    with open_record(folder, follow=follow) as record:
        return _read(folder, config, record)


def _read(folder: RunFolder, config: Config, record: Record) -> RunData:
    times, ledger = record.ledger()
    open_time, start = _times(record, times)
    n, span = len(open_time), slice(start, start + len(times))
    room = room_of(folder)
    columns = WideColumns(record, open_time, room)
    bars = columns.bars()
    wide = {name: _filled(column, n, span) for name, column in ledger.items()}
    wide["equity"][:start] = wide["cash"][:start] = config.portfolio.initial_capital
    decisions, refusals = columns.decisions()
    rules = rules_from(config, record.symbols, numbers_only=True)
    quantity = columns.quantity(span)
    judged = config.run.record == "full" and TABLE_ID not in record.meta
    forecasts = columns.forecasts(folder, start) if judged else None
    known = _calibration(folder, config, record, bars.open_time, refusals)
    return RunData(
        name=folder.path.name,
        symbols=record.symbols,
        venues=venues_of(config, record.symbols),
        interval=config.market.interval,
        interval_ms=INTERVAL_MS[config.market.interval],
        periods_per_year=bars_a_year(config, record.symbols),
        volume_window=config.features.window,
        initial_capital=config.portfolio.initial_capital,
        fill=config.execution.fill,
        taker_fee=rules.taker_fee,
        pays_funding=rules.funding,
        allow_short=rules.allow_short,
        fraction=rules.fraction,
        horizon=config.targets.horizons[0],
        seed=config.run.seed,
        half_spread_bps=rules.half_spread * 1e4,
        slippage_bps=rules.slippage * 1e4,
        bars=bars,
        start_index=start,
        quantity=quantity,
        inverse=rules.inverse,
        weights=decisions["weight"],
        signal=decisions["signal"],
        edge=decisions.get("edge"),
        hurdle=decisions.get("hurdle"),
        fills=columns.fills(),
        fill_reasons=FILL_REASON,
        forecast=forecasts and Forecast(record.tasks, forecasts.value, forecasts.model),
        labels=columns.labels(config, bars, record.tasks) if judged else None,
        models=tuple(
            _model_info(folder.models, row) for row in record.models() if row.model_id != TABLE_ID
        ),
        shrunk=forecasts and forecasts.shrunk,
        refusals=_refusals(refusals),
        funding_unknown=_unknown_funding(config, bars, quantity, record.symbols),
        asked_ms=_asked(config, record),
        trainings_due=_trainings_due(config, record, bars, start),
        rehearsed=rehearsal_bars(config) > 0,
        decided=_decided(config, record, known),
        calibration=known,
        room=room,
        reference=config.costs.reference,
        max_jump=config.market.max_jump,
        facts=_facts(folder, record, config),
        **wide,
    )


def _times(record: Record, ledger_times: I64) -> tuple[I64, int]:
    """Return the open times of the journal's bars up to the last that is booked, and the first that is."""
    if len(ledger_times) == 0:
        raise JournalError(
            f"{record.path}: no bar has been closed since the run's start, so there is nothing to "
            "report yet; 'bot status' says where it stands"
        )
    times = record.bar_times()
    booked = np.searchsorted(times, ledger_times)
    return times[: int(booked[-1]) + 1], int(booked[0])


def _filled(column: np.ndarray[Any, np.dtype[np.float64]], n: int, span: slice) -> Any:
    wide = np.zeros(n)
    wide[span] = column
    return wide


def _model_info(folder: Path, row: ModelRow) -> ModelInfo:
    manifest = load_manifest(folder, row.model_id)
    return ModelInfo(
        model_id=row.model_id,
        due_ms=int(manifest["due_ms"]),
        effective_from_ms=row.effective_from,
        rows=int(manifest["rows"]),
        train_from_ms=int(manifest["first_ms"]),
        train_to_ms=int(manifest["last_ms"]),
        variance_scales=dict(manifest["variance_scales"]),
        metrics={k: v for k, v in manifest["metrics"].items() if isinstance(v, int | float)},
        insight=insight_of(manifest),
    )


def insight_of(manifest: Mapping[str, Any]) -> Insight | None:
    """Return what the training found out about its model; None where `training.interpret` was off.

    Of an ensemble, importance is the members' mean; cosines and gates are the first member's,
    because members stop at epochs of their own and their experts are not the same.
    """
    members = manifest.get("insights", [])
    if not members:
        return None
    first: list[F64] = []
    for epoch in manifest["history"]:
        if first and epoch["number"] == 1:
            break
        first.append(np.array(epoch["cosines"], dtype=np.float64))
    n = len(manifest["tasks"])
    cosines = np.stack(first) if first[0].size else np.zeros((0, n, n))
    features = list(manifest["features"])
    if manifest["spec"].get("symbols"):
        features.append("symbol")  # the place of the symbol follows the features
    each = [np.array(member["importance"], dtype=np.float64) for member in members]
    return Insight(
        tasks=tuple(manifest["tasks"]),
        features=tuple(features),
        importance=over_models(each).mean,
        cosines=cosines,
        best_epoch=int(manifest["metrics"]["best_epoch"]),
        gates=tuple(_gate(value) for value in members[0]["gates"]),
    )


def _gate(value: Mapping[str, Any]) -> GateWeights:
    weights = dict(zip(value["experts"], value["weights"], strict=True))
    return GateWeights(int(value["layer"]), value["reader"], weights)


def _refusals(codes: I64) -> dict[str, int]:
    return {REFUSAL[code] or "": count for code, count in sorted(counted_codes(codes).items())}


def _asked(config: Config, record: Record) -> tuple[int | None, int | None]:
    """Return the first and last bar that a backtest was asked for; a daemon has no such span."""
    if record.meta.get("mode") != "backtest":
        return None, None
    step = INTERVAL_MS[config.market.interval]
    start = parse_utc(config.data.start, "data.start")
    end = parse_utc(config.data.end, "data.end", inclusive_end=True)
    return start, None if end is None else end // step * step


def _trainings_due(config: Config, record: Record, bars: BarBlock, start: int) -> I64 | None:
    """Return the due bars whose models were to decide in the run; None where it trains none."""
    given = TABLE_ID in record.meta or "schedule_of" in record.meta
    if given or config.retrain.trigger == "never":
        return None
    due = due_bars(config, record.commands()).due(bars.open_time)
    wanted = planned_dues(due, start, config.retrain.latency_bars)
    return bars.open_time[[each.index for each in wanted]]


def _calibration(
    folder: RunFolder, config: Config, record: Record, times: I64, refusals: I64
) -> CalibrationProgress | None:
    carried = record.carried()
    if not needs_calibration(config) or config.run.record != "full" or carried is None:
        return None
    state = account_state(carried, folder.journal, len(record.symbols))
    waits = [(refusals[at] == Refusal.CALIBRATING).any(axis=1) for at in spans(*refusals.shape)]
    waited = np.flatnonzero(np.concatenate(waits))
    return CalibrationProgress(
        days=int(state.calibration.sums["days"][0]),
        needed=config.policy.min_calibration_days,
        until_ms=int(times[waited[-1]]) if len(waited) else None,
    )


def _decided(
    config: Config, record: Record, known: CalibrationProgress | None
) -> dict[str, Decided]:
    if config.run.record != "full":
        return {}
    days, needed = (known.days, known.needed) if known is not None else (0, 0)
    return decided_last(record, days, needed)[1]


def _unknown_funding(
    config: Config, bars: BarBlock, quantity: F64, symbols: tuple[str, ...]
) -> dict[str, int]:
    """Count the settlements of positions held whose rate was not known."""
    if not config.costs.funding:
        return {}
    counted, last = np.zeros(len(symbols)), np.zeros((1, len(symbols)))
    for span in spans(*quantity.shape):
        held = quantity[span]
        before = np.vstack([last, held[:-1]])
        inside = held if config.execution.fill == "next_open" else before
        counted += funding_unknown(bars.rows(span.start, span.stop), before, inside).sum(axis=0)
        last = held[-1:]
    counts = counted.astype(int).tolist()
    return {name: count for name, count in zip(symbols, counts, strict=True) if count}


def _facts(folder: RunFolder, record: Record, config: Config) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "run_dir": str(folder.path),
        "data": record.meta.get("data", ""),
        "seed": config.run.seed,
        "record": config.run.record,
        "needs_model": needs_model(config),
    }
    instruments = instruments_of_record(record)
    facts["currency"] = currency_note(config, record.symbols, instruments)
    if config.market.universe:
        facts["universe"] = f"{config.market.universe}, of {len(record.symbols)} symbols"
    for key in ("config_hash", "ledger_sha256", TABLE_ID, "schedule_of"):
        if record.meta.get(key):
            facts[key] = record.meta[key]
    by_hand = [told(row) for row in record.commands() if row.refused is None]
    if by_hand:
        facts["by_hand"] = by_hand
    if "interrupted" in record.meta:
        facts["interrupted"] = record.meta["interrupted"] == "1"
    if "seconds" in record.meta:
        facts["seconds"] = float(record.meta["seconds"])
    return facts
