"""What the engine hands over, as columns of a record's tables; and columns back as rows.

Rules: a table's columns are those of `columns_of`, but for what seals a row; numbers are as a row
keeps them: one bit pattern for NaN, no negative zero; texts are codes (`Texts`). Rows are in the order
of their key: by bar, and within a bar by the symbol's name; fills as they were booked. Must not know
how columns are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.adapters.record.chain import row_hashes
from bot.adapters.record.rows import later_decisions
from bot.adapters.record.tables import (
    BAR_COLUMNS,
    BAR_FLAGS,
    FILL_VALUES,
    LATER_DECISION_VALUES,
    LEDGER_VALUES,
    Row,
    Table,
    columns_of,
)
from bot.blocks import F64, I64, BarBlock, Task
from bot.engine import StepResult
from bot.engine_state import Activation
from bot.portfolio.reasons import FILL_REASON, REFUSAL

Columns = dict[str, npt.NDArray[Any]]
"""By name: int64 open times and codes, bool flags, float64 numbers, each [rows]."""

COLUMN_TABLES: tuple[Table, ...] = (
    "bars", "fills", "forecasts", "decisions", "ledger", "positions",
)  # fmt: skip
"""What is kept in columns, in the order of cause and effect within a bar."""

ROW_HASH = "row_hash"
TEXTS = ("symbol", "model_id", "refusal", "reason")
"""The columns that hold a text."""


@dataclass(frozen=True)
class Texts:
    """The texts behind the codes in columns: a symbol's and a model's are their places."""

    symbols: tuple[str, ...]
    models: tuple[str, ...] = ()

    @cached_property
    def order(self) -> I64:
        """Return the symbols' places by name, in which the rows of a bar are."""
        return np.argsort(np.array(self.symbols), kind="stable").astype(np.int64)

    def of(self, column: str) -> Mapping[int, str | None]:
        """Return the texts of a column by code."""
        if column == "refusal":
            return REFUSAL
        if column == "reason":
            return FILL_REASON
        return dict(enumerate(self.symbols if column == "symbol" else self.models))


def stored_columns(table: Table, tasks: Sequence[Task]) -> tuple[str, ...]:
    """Return the names of a table's columns as they are kept: all but what seals a row."""
    return tuple(name for name in columns_of(table, tasks) if name != ROW_HASH)


def kind_of(column: str) -> type[np.generic]:
    """Return the kind of number that a column holds."""
    if column == "open_time" or column in TEXTS:
        return np.int64
    return np.bool_ if column in BAR_FLAGS else np.float64


def bar_columns(block: BarBlock, texts: Texts) -> Columns:
    """Return the columns of `bars`."""
    columns = _keys(block.open_time, texts)
    for name in BAR_COLUMNS:
        values = getattr(block, name)
        if name == "tradable":
            columns[name] = np.repeat(values, block.n_symbols)
        else:
            columns[name] = _dense(values, texts)
    return columns


def fill_columns(fills: npt.NDArray[np.void]) -> Columns:
    """Return the columns of `fills`, in the order of booking."""
    names = ("open_time", "symbol", *FILL_VALUES, "reason")
    return {name: _plain(fills[name]) for name in names}


def forecast_columns(result: StepResult, schedule: Sequence[Activation], texts: Texts) -> Columns:
    """Return the columns of `forecasts`: of each bar and symbol that has one."""
    forecast, order = result.forecast, texts.order
    known = np.isfinite(forecast.value).any(axis=2) & (forecast.model >= 0)[:, None]
    rows, which = np.nonzero(known[:, order])
    which = order[which]
    code = {name: k for k, name in enumerate(texts.models)}
    models = np.array([code[each.model_id] for each in schedule], dtype=np.int64)
    told = forecast.model[rows]
    columns: Columns = {"open_time": result.bars.open_time[rows], "symbol": which}
    columns["model_id"] = models[told] if len(models) else told
    for k, task in enumerate(forecast.tasks):
        columns[task.name] = _plain(forecast.value[rows, which, k])
    return columns


def decision_columns(result: StepResult, texts: Texts) -> Columns:
    """Return the columns of `decisions`."""
    trace = result.trace
    columns = _keys(result.bars.open_time, texts)
    columns["signal"] = _dense(result.signal, texts)
    columns["weight"] = _dense(trace.weight, texts)
    columns["order_quantity"] = _dense(trace.order, texts)
    columns["refusal"] = _dense(trace.refusal.astype(np.int64), texts)
    for name, values in zip(LATER_DECISION_VALUES, later_decisions(result), strict=True):
        columns[name] = _dense(values, texts)
    return columns


def ledger_columns(result: StepResult) -> Columns:
    """Return the columns of `ledger`."""
    values = {name: _plain(getattr(result.trace, name)) for name in LEDGER_VALUES}
    return {"open_time": result.bars.open_time} | values


def position_columns(result: StepResult, texts: Texts) -> Columns:
    """Return the columns of `positions`: those that are not zero."""
    quantity = result.trace.quantity
    rows, which = np.nonzero(quantity[:, texts.order])
    which = texts.order[which]
    return {
        "open_time": result.bars.open_time[rows],
        "symbol": which,
        "quantity": _plain(quantity[rows, which]),
    }


def empty_columns(names: Sequence[str]) -> Columns:
    """Return no rows of these columns."""
    return {name: np.empty(0, dtype=kind_of(name)) for name in names}


def joined_columns(parts: Sequence[Columns], names: Sequence[str]) -> Columns:
    """Return parts of a table that follow one another as one."""
    if len(parts) == 1:
        return parts[0]
    parts = parts or [empty_columns(names)]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def row_span(columns: Columns, after: int, to: int) -> slice:
    """Return which rows are of the bars after one up to another."""
    times = columns["open_time"]
    return slice(*np.searchsorted(times, [after, to], side="right").tolist())


def same_columns(one: Columns, two: Columns) -> bool:
    """Return whether two hold the same, bit for bit."""
    return one.keys() == two.keys() and all(
        len(one[name]) == len(two[name]) and np.array_equal(_bits(one[name]), _bits(two[name]))
        for name in one
    )


def rows_of(
    table: Table, columns: Columns, texts: Texts, tasks: Sequence[Task],
    names: Sequence[str] | None = None,
) -> list[Row]:  # fmt: skip
    """Return columns as rows: None for NaN, 0 or 1 for a flag, the text for a code."""
    wanted = columns_of(table, tasks) if names is None else names
    given = [
        _row_hashes(columns).tolist() if name == ROW_HASH else _as_list(name, columns, texts)
        for name in wanted
    ]
    return list(zip(*given, strict=True))


def _as_list(name: str, columns: Columns, texts: Texts) -> list[Any]:
    values = columns[name]
    if name in TEXTS:
        told = texts.of(name)
        return [told[code] for code in values.tolist()]
    listed: list[Any] = (values.astype(np.int64) if values.dtype == np.bool_ else values).tolist()
    if values.dtype == np.float64 and np.isnan(values).any():
        return [None if value != value else value for value in listed]  # noqa: PLR0124
    return listed


def _row_hashes(columns: Columns) -> I64:
    """Return what a record that is stored row by row seals these bars with, int64[rows]."""
    if not len(columns["open_time"]):
        return np.empty(0, dtype=np.int64)
    matrix = np.stack([columns[name].astype(np.float64) for name in BAR_COLUMNS], axis=1)
    return row_hashes(columns["open_time"], matrix[:, None, :]).ravel()


def _keys(times: I64, texts: Texts) -> Columns:
    order = texts.order
    return {"open_time": np.repeat(times, len(order)), "symbol": np.tile(order, len(times))}


def _dense(values: npt.NDArray[Any], texts: Texts) -> npt.NDArray[Any]:
    """Return values[n, S] by row."""
    return _plain(values[:, texts.order].ravel())


def _plain(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return numbers as a row keeps them."""
    if values.dtype != np.float64:
        return values
    plain: F64 = values + 0.0
    unknown = np.isnan(plain)
    if unknown.any():
        plain[unknown] = np.nan
    return plain


def _bits(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values.view(np.int64) if values.dtype == np.float64 else values
