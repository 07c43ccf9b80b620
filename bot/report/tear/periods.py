"""Returns by month and year, over the last periods, and the best and worst of each length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, Bool
from bot.report.tear.daily import Daily, Dates, compounded

LENGTHS: dict[str, Callable[[Dates], npt.NDArray[Any]]] = {
    "day": lambda date: date,
    "week": lambda date: (date.astype(np.int64) + 3) // 7,  # 1970-01-01 was a Thursday
    "month": lambda date: date.astype("datetime64[M]"),
    "quarter": lambda date: date.astype("datetime64[M]").astype(np.int64) // 3,
    "year": lambda date: date.astype("datetime64[Y]"),
}
"""What tells one period of a length from the next; weeks begin on Monday."""


def by_length(date: Dates, returns: F64, length: str) -> tuple[Dates, F64]:
    """Return the first day of each period of a length, and its compounded return."""
    label = LENGTHS[length](date)
    first = np.flatnonzero(np.concatenate(([True], label[1:] != label[:-1])))
    return date[first], np.multiply.reduceat(1.0 + returns, first) - 1.0


def monthly_table(daily: Daily) -> list[dict[str, Any]]:
    """Return a row a year: `year`, `months` (12 returns, None without a day), `run`, `held`."""
    rows = []
    for year in np.unique(daily.year).tolist():
        mine = daily.year == year
        months: list[float | None] = [None] * 12
        for first, value in zip(
            *by_length(daily.date[mine], daily.run[mine], "month"), strict=True
        ):
            months[int(first.astype("datetime64[M]").astype(np.int64)) % 12] = float(value)
        rows.append(
            {
                "year": year,
                "months": months,
                "run": compounded(daily.run[mine]),
                "held": compounded(daily.held[mine]),
            }
        )
    return rows


def last_periods(daily: Daily) -> list[dict[str, Any]]:
    """Return what was earned over the last month, quarter, ... of days; None where the run is shorter.

    The year to date begins with the first day of the last day's year.
    """
    end, first = daily.date[-1], daily.date[0]
    begins: list[tuple[str, Any]] = [
        ("1 month", end - np.timedelta64(30, "D")),
        ("3 months", end - np.timedelta64(91, "D")),
        ("6 months", end - np.timedelta64(182, "D")),
        (
            "year to date",
            end.astype("datetime64[Y]").astype("datetime64[D]") - np.timedelta64(1, "D"),
        ),
        ("1 year", end - np.timedelta64(365, "D")),
        ("3 years", end - np.timedelta64(1096, "D")),
    ]
    rows: list[dict[str, Any]] = []
    for name, after in begins:
        whole = name == "year to date" or first <= after + np.timedelta64(1, "D")
        inside = daily.date > after
        rows.append(
            {
                "period": name,
                "run": compounded(daily.run[inside]) if whole else None,
                "held": compounded(daily.held[inside]) if whole else None,
            }
        )
    return rows


def extremes(daily: Daily) -> list[dict[str, Any]]:
    """Return a row a length: the best and worst period with its first day, and the share that won."""
    rows = []
    for length in LENGTHS:
        first, returns = by_length(daily.date, daily.run, length)
        if len(returns) < 2:
            continue
        best, worst = int(np.argmax(returns)), int(np.argmin(returns))
        active = returns[returns != 0.0]
        rows.append(
            {
                "length": length,
                "count": len(returns),
                "best": float(returns[best]),
                "best_from": str(first[best]),
                "worst": float(returns[worst]),
                "worst_from": str(first[worst]),
                "mean": float(returns.mean()),
                "won": float(np.mean(active > 0.0)) if len(active) else None,
            }
        )
    return rows


def longest_streak(flags: Bool) -> int:
    """Return the most days in a row for which it holds.

    >>> longest_streak(np.array([True, True, False, True]))
    2
    """
    longest = now = 0
    for flag in flags.tolist():
        now = now + 1 if flag else 0
        longest = max(longest, now)
    return longest
