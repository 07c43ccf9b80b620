"""What the engine hands over, as rows of a record.

Rules: a row for each bar and symbol, symbols in the run's order; numbers as they are; a reason by its
name. Must not know where they are stored.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.adapters.record.chain import rows_as_bytes
from bot.adapters.record.commands import CommandRow, command_bytes
from bot.adapters.record.tables import BAR_COLUMNS, BAR_FLAGS, LEDGER_VALUES
from bot.blocks import F64, I64, BarBlock
from bot.engine import StepResult
from bot.engine_state import Activation
from bot.portfolio.reasons import FILL_REASON, REFUSAL

Rows = Iterator[tuple[Any, ...]]


def bar_rows(block: BarBlock, matrix: F64, hashes: I64, symbols: Sequence[str]) -> Rows:
    """Return the rows of `bars`, from the matrix that `bar_matrix` makes."""
    return zip(
        np.repeat(block.open_time, len(symbols)).tolist(),
        itertools.cycle(symbols),
        *(_column(name, matrix[:, :, k]) for k, name in enumerate(BAR_COLUMNS)),
        hashes.ravel().tolist(),
        strict=False,
    )


def fill_rows(fills: npt.NDArray[np.void], symbols: Sequence[str]) -> Rows:
    """Return the rows of `fills`, in the order of booking."""
    return (
        (f[0], symbols[f[1]], f[2], f[3], f[4], f[5], f[6], FILL_REASON[f[7]])
        for f in fills.tolist()
    )


def forecast_rows(
    result: StepResult, schedule: Sequence[Activation], symbols: Sequence[str]
) -> Rows:
    """Return the rows of `forecasts`: of each bar and symbol that has one."""
    forecast = result.forecast
    known = np.isfinite(forecast.value).any(axis=2) & (forecast.model >= 0)[:, None]
    rows, which = np.nonzero(known)
    return zip(
        result.bars.open_time[rows].tolist(),
        (symbols[s] for s in which.tolist()),
        (schedule[m].model_id for m in forecast.model[rows].tolist()),
        *(forecast.value[rows, which, k].tolist() for k in range(len(forecast.tasks))),
        strict=True,
    )


def decision_rows(result: StepResult, symbols: Sequence[str]) -> Rows:
    """Return the rows of `decisions`."""
    trace = result.trace
    return zip(
        np.repeat(result.bars.open_time, len(symbols)).tolist(),
        itertools.cycle(symbols),
        result.signal.ravel().tolist(),
        trace.weight.ravel().tolist(),
        trace.order.ravel().tolist(),
        (REFUSAL[r] for r in trace.refusal.ravel().tolist()),
        *(column.ravel().tolist() for column in later_decisions(result)),
        strict=False,
    )


def later_decisions(result: StepResult) -> list[F64]:
    """Return LATER_DECISION_VALUES, each float64[n, S]."""
    trace, known = result.trace, result.calibrated
    by_bar = (np.broadcast_to(b[:, None], trace.edge.shape) for b in (known.slope, known.error))
    return [trace.edge, trace.hurdle, trace.age, *by_bar]


def ledger_rows(result: StepResult) -> Rows:
    """Return the rows of `ledger`."""
    columns = [getattr(result.trace, name).tolist() for name in LEDGER_VALUES]
    return zip(result.bars.open_time.tolist(), *columns, strict=True)


def position_rows(result: StepResult, symbols: Sequence[str]) -> Rows:
    """Return the rows of `positions`: those that are not zero."""
    trace = result.trace
    held, which = np.nonzero(trace.quantity)
    return zip(
        result.bars.open_time[held].tolist(),
        (symbols[s] for s in which.tolist()),
        trace.quantity[held, which].tolist(),
        strict=True,
    )


def chain_rows(
    result: StepResult, hashes: npt.NDArray[np.int64], fills: npt.NDArray[np.void],
    commands: Iterable[CommandRow],
) -> list[bytes]:  # fmt: skip
    """Return the bytes of each bar's rows, as the chain hashes them; `commands` are those of the bars."""
    trace, n = result.trace, len(result.bars)
    values = [result.forecast.value, result.signal, trace.weight, trace.order, trace.quantity]
    return rows_as_bytes(
        result.bars.open_time,
        hashes=hashes,
        values=np.concatenate([v.reshape(n, -1) for v in values], axis=1),
        refusals=trace.refusal.astype(np.int64),
        ledger=np.stack([getattr(trace, name) for name in LEDGER_VALUES], axis=1),
        fills=fills,
        later=np.stack(later_decisions(result), axis=2),
        commands=command_bytes(commands),
    )


def _column(name: str, values: F64) -> list[Any]:
    flat = values.ravel()
    column: list[Any] = (flat.astype(int) if name in BAR_FLAGS else flat).tolist()
    return column
