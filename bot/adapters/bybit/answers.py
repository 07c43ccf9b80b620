"""The shape of Bybit's answers: rows, numbers and candles out of raw JSON.

Rule: what is not of the documented form raises an error that shows what came; nothing is guessed, and
nothing that can stand in an answer makes the showing itself fail.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from bot.adapters.files.candles import COLUMNS, Candles
from bot.errors import ExchangeError

_FAR_FUTURE_MS = 10**14
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?")
"""A number as JSON and Bybit write one; Python's float reads 1_000 and other scripts' digits as well."""

_SHOWN = 120


def shown(value: Any) -> str:
    """Return the beginning of a value, printable everywhere.

    >>> shown({"list": None}), len(shown("x" * 10_000))
    ("{'list': None}", 120)
    """
    try:
        return ascii(value)[:_SHOWN]
    except (RecursionError, ValueError):
        return "something nested too deeply or a number of thousands of digits"


def result_of(answer: Any) -> dict[str, Any]:
    """Return the result of an answer.

    Raises:
        TypeError, KeyError: the answer is no object of Bybit's form, or does not say that it is one.
    """
    result = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(result, dict):
        raise TypeError(f"got {shown(answer)}")
    if type(answer["retCode"]) is not int or answer["retCode"]:
        raise TypeError(f"retCode {shown(answer['retCode'])}")
    return result


def answered_at(answer: dict[str, Any]) -> int:
    """Return the exchange's time that an answer tells of itself, ms UTC."""
    return moment(answer.get("time"), "time")


def check_subject(result: dict[str, Any], **asked: str) -> None:
    """Refuse an answer that names another category or symbol than was asked for."""
    for name, wanted in asked.items():
        if result.get(name, wanted) != wanted:
            raise ExchangeError(
                f"Bybit was asked for {name} {wanted} and answers of {shown(result[name])}; try "
                "again later"
            )


def rows_of(result: dict[str, Any], key: str) -> list[Any]:
    """Return a result's list."""
    rows = result.get(key)
    if not isinstance(rows, list):
        raise ExchangeError(f"Bybit answers without a list of rows ({shown(result)}); try again")
    return rows


def field(row: Any, key: str) -> Any:
    """Return a field of a row."""
    if not isinstance(row, dict) or key not in row:
        raise ExchangeError(f"Bybit answers a row without '{key}' ({shown(row)}); try again later")
    return row[key]


def text(row: Any, key: str) -> str:
    """Return a field of a row as text."""
    value = field(row, key)
    return value if isinstance(value, str) else shown(value)


def number(value: Any, name: str) -> float:
    """Return a value as a finite number; `name` is what an error calls it."""
    parsed = parsed_number(value)
    if math.isnan(parsed):
        raise ExchangeError(
            f"Bybit answers {name} = {shown(value)}, expected a number; try again later"
        )
    return parsed


def parsed_number(value: Any) -> float:
    """Return a value as a finite number, NaN where it is none.

    >>> parsed_number("1e-3"), parsed_number(7), parsed_number("1_000"), parsed_number(True)
    (0.001, 7.0, nan, nan)
    """
    odd = isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.fullmatch(value))
    try:
        parsed = math.nan if odd else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return parsed if math.isfinite(parsed) else math.nan


def moment(value: Any, name: str, unit: int = 1) -> int:
    """Return a time as ms UTC; `unit` is how many of the value's units a ms has.

    >>> moment("1670608800000", "start"), moment(1670608800123456789, "timeNano", 1_000_000)
    (1670608800000, 1670608800123)
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 30:
        value = int(value)
    if type(value) is not int or not 0 <= value < _FAR_FUTURE_MS * unit:
        raise ExchangeError(
            f"Bybit answers {name} = {shown(value)}, expected a time; try again later"
        )
    return value // unit


def page_of_candles(rows: list[Any], columns: int, low: int, high: int, where: str) -> Candles:
    """Return a page of candles, given newest first, as rows oldest first."""
    if not rows:
        return Candles.empty()
    values = np.full((len(rows), len(COLUMNS)), np.nan)
    times = np.empty(len(rows), np.int64)
    for i, row in enumerate(reversed(rows)):
        if not isinstance(row, list) or len(row) < columns:
            raise ExchangeError(f"{where}: expected rows of {columns} numbers, got {shown(row)}")
        times[i] = moment(row[0], "start")
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
