"""The tear sheet as sheets of rows: returns by period, drawdowns, risks, groups of trips. Must not compute."""

from __future__ import annotations

import math
from typing import Any

from bot.report import formats as w
from bot.report.money.metrics import Figures
from bot.report.page.sheet import Sheet, SheetRow, from_column
from bot.report.tear.falls import Fall
from bot.report.tear.sheet import TearSheet

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Line = tuple[str, str, w.Format]
RISKS: tuple[Line, ...] = (
    ("var_95", "Value at risk of a day, 95 %", w.percent),
    ("cvar_95", "CVaR (expected shortfall) of a day, 95 %", w.percent),
    ("var_99", "Value at risk of a day, 99 %", w.percent),
    ("cvar_99", "CVaR of a day, 99 %", w.percent),
    ("var_95_normal", "Value at risk, 95 %, were it normal", w.percent),
    ("skew", "Skew of daily returns", w.two_digits),
    ("kurtosis", "Kurtosis in excess of a normal's", w.two_digits),
    ("tail_ratio", "Tail ratio", w.two_digits),
    ("outlier_win_ratio", "Outlier win ratio", w.two_digits),
    ("outlier_loss_ratio", "Outlier loss ratio", w.two_digits),
)
RATIOS: tuple[Line, ...] = (
    ("daily_sharpe", "Sharpe ratio of days", w.two_digits),
    ("smart_sharpe", "  less what autocorrelation lends it", w.two_digits),
    ("daily_sortino", "Sortino ratio of days", w.two_digits),
    ("smart_sortino", "  less what autocorrelation lends it", w.two_digits),
    ("adjusted_sortino", "  over √2", w.two_digits),
    ("omega", "Omega, profit factor of days", w.two_digits),
    ("gain_to_pain", "Gain to pain", w.two_digits),
    ("payoff_ratio", "Payoff ratio", w.two_digits),
    ("common_sense_ratio", "Common sense ratio", w.two_digits),
    ("cpc_index", "CPC index", w.two_digits),
    ("kelly", "Kelly criterion", w.percent),
    ("ulcer_index", "Ulcer index", w.percent),
    ("ulcer_performance", "Ulcer performance index", w.two_digits),
    ("recovery_factor", "Recovery factor", w.two_digits),
    ("serenity", "Serenity index", w.two_digits),
    ("expected_day", "Geometric mean of a day", w.percent),
    ("expected_month", "Geometric mean of a month", w.percent),
    ("expected_year", "Geometric mean of a year", w.percent),
    ("won_days", "Days won, of those that moved", w.percent),
    ("mean_winning_day", "Mean winning day", w.percent),
    ("mean_losing_day", "Mean losing day", w.percent),
    ("most_winning_days", "Most winning days in a row", w.count),
    ("most_losing_days", "Most losing days in a row", w.count),
)
BESIDE: tuple[Line, ...] = (
    ("beta", "Beta", w.two_digits),
    ("alpha", "Alpha a year", w.percent),
    ("correlation", "Correlation", w.two_digits),
    ("r_squared", "R²", w.two_digits),
    ("information_ratio", "Information ratio", w.two_digits),
    ("tracking_error", "Tracking error a year", w.percent),
    ("treynor", "Treynor ratio", w.two_digits),
    ("up_capture", "Captured of rising days", w.percent),
    ("down_capture", "Captured of falling days", w.percent),
)
GROUPS = (
    ("symbol", "by symbol"), ("side", "by side"), ("hour", "by hour of entry, UTC"),
    ("weekday", "by weekday of entry"), ("reason", "by reason of the end"), ("held", "by time held"),
)  # fmt: skip


def tear_sheets(sheet: TearSheet) -> list[Sheet]:
    """Return the sheets in reading order; those without rows are left out."""
    every = [
        months_sheet(sheet),
        last_sheet(sheet),
        extremes_sheet(sheet),
        falls_sheet(sheet.falls),
        _figures("risks", "What a bad day costs", RISKS, sheet.tails, sheet.held_tails),
        _figures("ratios", "Ratios of daily returns", RATIOS, sheet.ratios, sheet.held_ratios),
        _figures("beside", "Beside buy and hold", BESIDE, sheet.beside, None),
        *(group_sheet(sheet, name, words) for name, words in GROUPS),
    ]
    return [made for made in every if made.rows]


def months_sheet(sheet: TearSheet) -> Sheet:
    """Return a row a year, a column a month."""
    columns = ("", *MONTHS, "year", "buy and hold")
    rows = tuple(
        SheetRow(
            (
                str(row["year"]),
                *("" if x is None else _plain(x) for x in row["months"]),
                _plain(row["run"]),
                _plain(row["held"]),
            )
        )
        for row in sheet.months
    )
    return Sheet(
        "months", "Returns by month, percent", columns, numbers=from_column(1, columns), rows=rows
    )


def _plain(value: float) -> str:
    """Return a fraction as percent without its sign, for a table of them."""
    return f"{100 * value:,.1f}" if abs(value) < 10.0 else f"{100 * value:,.0f}"


def last_sheet(sheet: TearSheet) -> Sheet:
    """Return what was earned over the last month, quarter, ..."""
    columns = ("last", "run", "buy and hold")
    rows = tuple(
        SheetRow((row["period"], *(w.written(row[k], w.percent) for k in ("run", "held"))))
        for row in sheet.last
        if row["run"] is not None
    )
    return Sheet("last", "Up to the end", columns, numbers=from_column(1, columns), rows=rows)


def extremes_sheet(sheet: TearSheet) -> Sheet:
    """Return the best and worst day, week, month, quarter and year."""
    columns = ("", "count", "won", "mean", "best", "from", "worst", "from")
    rows = tuple(
        SheetRow(
            (
                row["length"] + "s",
                w.count(row["count"]),
                w.written(row["won"], w.percent),
                w.percent(row["mean"]),
                w.percent(row["best"]),
                row["best_from"],
                w.percent(row["worst"]),
                row["worst_from"],
            )
        )
        for row in sheet.extremes
    )
    return Sheet(
        "extremes", "Best and worst", columns, numbers=frozenset({1, 2, 3, 4, 6}), rows=rows
    )


def falls_sheet(falls: list[Fall]) -> Sheet:
    """Return the worst drawdowns."""
    rows = tuple(
        SheetRow(
            (
                w.percent(-fall.depth),
                _minute(fall.peak_ms),
                _minute(fall.valley_ms),
                "not yet" if fall.made_good_ms is None else _minute(fall.made_good_ms),
                f"{fall.days:,.1f}",
            )
        )
        for fall in falls
    )
    columns = ("depth", "peak", "deepest", "made good", "days")
    return Sheet("falls", "Worst drawdowns", columns, numbers=frozenset({0, 4}), rows=rows)


def _minute(time_ms: int) -> str:
    return w.short_time(w.iso_time(time_ms))


def _figures(
    key: str, title: str, lines: tuple[Line, ...], run: Figures, held: Figures | None
) -> Sheet:
    """Return figures of the run, beside those of buy and hold where there are any."""
    columns = ("", "run") if held is None else ("", "run", "buy and hold")
    sources = [run] if held is None else [run, held]
    known = [line for line in lines if any(each[line[0]] is not None for each in sources)]
    rows = tuple(
        SheetRow((label, *(w.written(each[name], form) for each in sources)))
        for name, label, form in known
    )
    return Sheet(key, title, columns, numbers=from_column(1, columns), rows=rows)


def group_sheet(sheet: TearSheet, name: str, words: str) -> Sheet:
    """Return round trips by one property; none where all are in one group."""
    found: list[dict[str, Any]] = sheet.groups[name]
    columns = ("", "trips", "won", "net profit", "a trip", "profit factor", "fees", "funding")
    rows = tuple(
        SheetRow(
            (
                row["name"],
                w.count(row["count"]),
                w.written(row["win_rate"], w.percent),
                w.written(row["profit"], w.amount),
                w.written(row["mean_fraction"], w.basis_points),
                w.written(row["profit_factor"], w.two_digits),
                w.written(row["fees"], w.amount),
                w.written(row["funding"], w.amount),
            )
        )
        for row in found
    )
    return Sheet(
        f"trips_{name}", f"Round trips {words}", columns, numbers=from_column(1, columns), rows=rows
    )


def heat(sheet: TearSheet) -> list[tuple[str, list[tuple[str, str]], tuple[str, str], str]]:
    """Return the table of months for the page: year, months, the year's return, that of buy and hold.

    A return is its text and the name of its colour: p1 to p4 for gains, n1 to n4 for losses, by its
    size beside the largest of its kind (months, years).
    """
    months = [x for row in sheet.months for x in row["months"] if x is not None]
    largest = max((abs(x) for x in months), default=0.0)
    years = max((abs(row["run"]) for row in sheet.months), default=0.0)
    return [
        (
            str(row["year"]),
            [("", "") if x is None else (_plain(x), _level(x, largest)) for x in row["months"]],
            (_plain(row["run"]), _level(row["run"], years)),
            _plain(row["held"]),
        )
        for row in sheet.months
    ]


def _level(value: float, largest: float) -> str:
    """Return the colour of a return, "" of none.

    >>> _level(0.01, 0.04), _level(-0.04, 0.04), _level(0.0, 0.0)
    ('p1', 'n4', '')
    """
    if value == 0.0 or largest == 0.0:
        return ""
    size = max(math.ceil(4.0 * abs(value) / largest), 1)
    return f"{'p' if value > 0.0 else 'n'}{min(size, 4)}"
