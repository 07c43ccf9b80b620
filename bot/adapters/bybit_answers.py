"""The shape of Bybit's answers: rows, numbers, candles and instruments out of raw JSON.

Rule: what is not of the documented form raises ExchangeError and shows what came; nothing is guessed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bot.adapters.candles import COLUMNS, Candles
from bot.errors import ExchangeError
from bot.portfolio.rules import Instrument


def result_of(answer: Any) -> dict[str, Any]:
    """Return the result of an answer.

    Raises:
        TypeError: the answer is no object of Bybit's form.
    """
    result = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(result, dict):
        raise TypeError(f"got {str(answer)[:80]!r}")
    return result


def rows_of(result: dict[str, Any], key: str) -> list[Any]:
    """Return a result's list."""
    rows = result.get(key)
    if not isinstance(rows, list):
        raise ExchangeError(f"Bybit answers without a list of rows ({str(result)[:80]}); try again")
    return rows


def field(row: Any, key: str) -> Any:
    """Return a field of a row."""
    if not isinstance(row, dict) or key not in row:
        raise ExchangeError(
            f"Bybit answers a row without '{key}' ({str(row)[:80]}); try again later"
        )
    return row[key]


def text(row: Any, key: str) -> str:
    """Return a field of a row as text."""
    return str(field(row, key))


def number(value: Any, name: str) -> float:
    """Return a value as a finite number; `name` is what an error calls it."""
    try:
        parsed = float(value)
    except (TypeError, ValueError):
        parsed = math.nan
    if not math.isfinite(parsed):
        raise ExchangeError(f"Bybit answers {name} = {value!r}, expected a number; try again later")
    return parsed


def page_of_candles(rows: list[Any], columns: int, low: int, high: int, where: str) -> Candles:
    """Return a page of candles, given newest first, as rows oldest first."""
    if not rows:
        return Candles.empty()
    values = np.full((len(rows), len(COLUMNS)), np.nan)
    times = np.empty(len(rows), np.int64)
    for i, row in enumerate(reversed(rows)):
        if not isinstance(row, list) or len(row) < columns:
            raise ExchangeError(f"{where}: expected rows of {columns} numbers, got {str(row)[:80]}")
        times[i] = int(number(row[0], "start"))
        for k in range(columns - 1):
            values[i, k] = number(row[k + 1], COLUMNS[k])
    if columns == 5:
        values[:, COLUMNS.index("volume")] = 0.0
    if times[0] < low or times[-1] > high or np.any(np.diff(times) <= 0):
        raise ExchangeError(
            f"{where}: candles from {low} to {high} were asked for, newest first; the answer runs "
            f"from {times[0]} to {times[-1]} or is not in order; try again later"
        )
    return Candles(times, values)


def instrument_of(entry: Any) -> Instrument:
    """Return an instrument; spot has a precision in place of a step, inverse no least notional."""
    sizes = field(entry, "lotSizeFilter")
    step = "qtyStep" if isinstance(sizes, dict) and "qtyStep" in sizes else "basePrecision"
    quantity_step = number(field(sizes, step), step)
    notional = sizes.get("minNotionalValue") or sizes.get("minOrderAmt") or 0.0
    return Instrument(
        quantity_step=quantity_step,
        min_quantity=number(field(sizes, "minOrderQty"), "minOrderQty"),
        min_notional=number(notional, "minNotionalValue"),
    )
