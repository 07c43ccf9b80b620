"""The tear sheet, each figure against a formula in pandas or scipy."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bot.blocks import F64
from bot.report.inputs import RunData
from bot.report.tear.beside import market_figures
from bot.report.tear.daily import Daily, daily_of
from bot.report.tear.falls import falls
from bot.report.tear.groups import grouped
from bot.report.tear.periods import extremes, last_periods, monthly_table
from bot.report.tear.ratios import ratio_figures
from bot.report.tear.rolling import WINDOWS, rolling
from bot.report.tear.sheet import TearSheet, return_interval, tear_sheet
from bot.report.tear.tails import autocorrelation_penalty, histogram, tail_figures
from bot.timegrid import DAY_MS

FIRST_DAY = 18_990  # 2021-12-29


def made(n: int = 900, seed: int = 1) -> Daily:
    random = np.random.default_rng(seed)
    held = 0.02 * random.standard_t(4, n)
    mine = 0.4 * held + 0.01 * random.standard_normal(n) + 0.0005
    mine[::17] = 0.0
    return Daily(FIRST_DAY + np.arange(n, dtype=np.int64), mine, held, 365.0)


def series(daily: Daily, which: str = "run") -> Any:
    index = pd.to_datetime(daily.day, unit="D")
    return pd.Series(getattr(daily, which), index=index)


@pytest.fixture(scope="module")
def daily() -> Daily:
    return made()


@pytest.fixture(scope="module")
def sheet(run: RunData) -> TearSheet:
    return tear_sheet(run, 200)


# --- days and periods ------------------------------------------------------------------------


def test_days_are_those_of_pandas(run: RunData, sheet: TearSheet) -> None:
    start = run.start_index
    index = pd.to_datetime(run.open_time[start:], unit="ms")
    closing = pd.Series(run.equity[start:], index=index).resample("D").last()
    expected = pd.concat([pd.Series([run.equity_before(start)]), closing]).pct_change().iloc[1:]
    np.testing.assert_allclose(sheet.daily.run, expected, atol=1e-14)
    assert [str(day) for day in sheet.daily.date] == [str(time)[:10] for time in closing.index]
    assert np.prod(1 + sheet.daily.run) == pytest.approx(run.equity[-1] / run.equity_before(start))
    assert np.prod(1 + sheet.daily.held) == pytest.approx(
        sheet.held_curve[-1] / sheet.held_curve[0]
    )
    hours = len(run.equity) - start
    assert sheet.daily.per_year == pytest.approx(8760 * len(closing) / hours)


def test_a_bankruptcy_is_a_day_of_all(run: RunData) -> None:
    equity = run.equity.copy()
    equity[200:] = -10.0
    broke = dataclasses.replace(run, equity=equity)
    held = np.full(len(equity) - run.start_index, 100.0)
    got = daily_of(broke, run.start_index, held, 8760.0)
    at = int(np.flatnonzero(got.run == -1.0)[0])
    assert (got.run[at + 1 :] == 0.0).all()
    assert return_interval(got.run, 100) is None
    assert tear_sheet(broke, 100).return_interval is None


def test_months_and_years_compound(daily: Daily) -> None:
    rows = monthly_table(daily)
    mine, held = series(daily), series(daily, "held")
    months = (1 + mine).resample("MS").prod() - 1
    years = (1 + mine).resample("YS").prod() - 1
    got = {
        (row["year"], m + 1): value
        for row in rows
        for m, value in enumerate(row["months"])
        if value is not None
    }
    assert got == pytest.approx({(t.year, t.month): v for t, v in months.items()})
    assert [row["run"] for row in rows] == pytest.approx(years.tolist())
    expected = ((1 + held).resample("YS").prod() - 1).tolist()
    assert [row["held"] for row in rows] == pytest.approx(expected)


def test_the_last_periods_end_with_the_last_day(daily: Daily) -> None:
    mine = series(daily)
    got = {row["period"]: row["run"] for row in last_periods(daily)}
    for name, days in (("1 month", 30), ("3 months", 91), ("6 months", 182), ("1 year", 365)):
        assert got[name] == pytest.approx(float((1 + mine.iloc[-days:]).prod() - 1))
    year = mine[mine.index.year == mine.index[-1].year]
    assert got["year to date"] == pytest.approx(float((1 + year).prod() - 1))
    assert got["3 years"] is None, "the run is shorter"
    exact = Daily(daily.day[:365], daily.run[:365], daily.held[:365], 365.0)
    assert {r["period"]: r["run"] for r in last_periods(exact)}["1 year"] is not None


@pytest.mark.parametrize(
    ("length", "rule"),
    [("day", "D"), ("week", "W-SUN"), ("month", "MS"), ("quarter", "QS"), ("year", "YS")],
)
def test_best_and_worst_of_each_length(daily: Daily, length: str, rule: str) -> None:
    periods = (1 + series(daily)).resample(rule).prod() - 1
    row = next(row for row in extremes(daily) if row["length"] == length)
    assert row["count"] == len(periods)
    assert row["best"] == pytest.approx(periods.max())
    assert row["worst"] == pytest.approx(periods.min())
    assert row["mean"] == pytest.approx(periods.mean())
    assert row["won"] == pytest.approx((periods[periods != 0] > 0).mean())
    if length in ("day", "month", "year"):
        best: Any = periods.idxmax()
        assert row["best_from"] == str(max(best, series(daily).index[0]).date())


# --- rolling figures, drawdowns, tails -------------------------------------------------------


def test_rolling_figures_are_those_of_pandas(daily: Daily) -> None:
    got = rolling(daily)
    assert got is not None
    assert got.window == 182
    mine, held = (series(daily, which).rolling(got.window) for which in ("run", "held"))
    root = np.sqrt(365.0)
    cut = slice(got.window - 1, None)
    np.testing.assert_allclose(got.sharpe, (mine.mean() / mine.std() * root)[cut])
    np.testing.assert_allclose(got.volatility, (mine.std() * root)[cut])
    np.testing.assert_allclose(got.held_sharpe, (held.mean() / held.std() * root)[cut])
    np.testing.assert_allclose(got.held_volatility, (held.std() * root)[cut])
    beta = mine.cov(series(daily, "held")) / held.var()
    np.testing.assert_allclose(got.beta, beta[cut])
    assert got.day.tolist() == daily.day[cut].tolist()


def test_a_short_run_has_a_short_window_or_none() -> None:
    for n, window in ((3 * 182, 182), (3 * 182 - 1, 91), (100, 30), (42, 14)):
        found = rolling(made(n))
        assert found is not None
        assert found.window == window
        assert len(found.day) == n - window + 1
    assert rolling(made(3 * WINDOWS[-1] - 1)) is None
    flat = made(100)
    still = rolling(dataclasses.replace(flat, run=np.zeros(100)))
    assert still is not None
    assert np.isnan(still.sharpe).all()
    assert (still.volatility == 0.0).all()


def test_falls_are_the_stretches_below_a_peak() -> None:
    curve = np.array([100.0, 90.0, 100.0, 120.0, 60.0, 90.0, 120.0, 110.0])
    time = DAY_MS * np.arange(len(curve), dtype=np.int64)
    got = falls(time, curve)
    assert [(f.depth, f.peak_ms // DAY_MS, f.valley_ms // DAY_MS) for f in got] == [
        (0.5, 3, 4), (pytest.approx(0.1), 0, 1), (pytest.approx(1 / 12), 6, 7),
    ]  # fmt: skip
    assert [f.made_good_ms and f.made_good_ms // DAY_MS for f in got] == [6, 2, None]
    assert [f.days for f in got] == [3.0, 2.0, 1.0]
    assert falls(time, np.arange(1.0, 9.0)) == []


def test_the_deepest_fall_is_the_maximum_drawdown(sheet: TearSheet) -> None:
    curve = pd.Series(sheet.curve)
    assert sheet.falls[0].depth == pytest.approx((1 - curve / curve.cummax()).max())
    assert [f.depth for f in sheet.falls] == sorted((f.depth for f in sheet.falls), reverse=True)
    assert len(sheet.falls) <= 10


def test_tails_are_those_of_pandas_and_scipy(daily: Daily) -> None:
    got, r = tail_figures(daily.run), series(daily)
    for level, q in ((95, 0.05), (99, 0.01)):
        quantile = r.quantile(q)
        assert got[f"var_{level}"] == pytest.approx(-quantile)
        assert got[f"cvar_{level}"] == pytest.approx(-r[r <= quantile].mean())
    assert got["var_95_normal"] == pytest.approx(-stats.norm.ppf(0.05, r.mean(), r.std()))
    assert got["skew"] == pytest.approx(float(stats.skew(r)))
    assert got["kurtosis"] == pytest.approx(float(stats.kurtosis(r)))
    assert got["tail_ratio"] == pytest.approx(abs(r.quantile(0.95) / r.quantile(0.05)))
    assert got["outlier_win_ratio"] == pytest.approx(r.quantile(0.99) / r[r > 0].mean())
    assert got["outlier_loss_ratio"] == pytest.approx(r.quantile(0.01) / r[r < 0].mean())


@pytest.mark.parametrize("returns", [np.zeros(100), np.full(100, 0.01), np.array([0.1, -0.1])])
def test_without_variance_or_days_there_are_no_tails(returns: F64) -> None:
    assert set(tail_figures(returns).values()) == {None}
    assert histogram(returns) is None
    assert autocorrelation_penalty(returns) is None


def test_the_histogram_counts_every_day(daily: Daily) -> None:
    got = histogram(daily.run)
    assert got is not None
    assert sum(got["counts"]) == len(daily)
    assert sum(got["normal"]) == pytest.approx(len(daily))
    edges = np.array(got["edges"])
    np.testing.assert_allclose(edges, -edges[::-1], atol=1e-15)
    inner = pd.cut(series(daily), edges[1:-1].tolist()).value_counts(sort=False)
    np.testing.assert_allclose(got["counts"][1:-1], inner, atol=1)


# --- ratios, and beside the market -----------------------------------------------------------


def test_ratios_are_those_of_quantstats(daily: Daily) -> None:
    """The formulas as its `stats` has them, with nothing for the riskless rate."""
    got, r = ratio_figures(daily.run, 365.0), series(daily)
    wins, losses = r[r > 0], r[r < 0]
    won = len(wins) / len(r[r != 0])
    factor, payoff = wins.sum() / -losses.sum(), wins.mean() / -losses.mean()
    index = (1 + r).cumprod()
    under = index / index.cummax().clip(lower=1.0) - 1
    ulcer = np.sqrt((under**2).mean())
    sharpe = r.mean() / r.std() * np.sqrt(365)
    sortino = r.mean() / np.sqrt((losses**2).sum() / len(r)) * np.sqrt(365)
    rho, n = abs(np.corrcoef(r[:-1], r[1:])[0, 1]), len(r)
    penalty = np.sqrt(1 + 2 * sum((n - k) / n * rho**k for k in range(1, n)))
    tail = abs(r.quantile(0.95) / r.quantile(0.05))
    growth = (1 + r).prod()
    expected = {
        "daily_sharpe": sharpe, "daily_sortino": sortino, "smart_sharpe": sharpe / penalty,
        "smart_sortino": sortino / penalty, "adjusted_sortino": sortino / np.sqrt(2),
        "omega": factor, "gain_to_pain": r.sum() / -losses.sum(), "payoff_ratio": payoff,
        "common_sense_ratio": factor * tail, "cpc_index": factor * won * payoff,
        "kelly": (payoff * won - (1 - won)) / payoff, "ulcer_index": ulcer,
        "ulcer_performance": (growth - 1) / ulcer, "recovery_factor": abs(r.sum()) / -under.min(),
        "serenity": r.sum() / (ulcer * -under[under <= under.quantile(0.05)].mean() / r.std()),
        "expected_day": growth ** (1 / n) - 1, "expected_month": growth ** (365 / 12 / n) - 1,
        "expected_year": growth ** (365 / n) - 1, "won_days": won, "mean_winning_day": wins.mean(),
        "mean_losing_day": losses.mean(),
        "most_winning_days": (r > 0).groupby((r <= 0).cumsum()).sum().max(),
        "most_losing_days": (r < 0).groupby((r >= 0).cumsum()).sum().max(),
    }  # fmt: skip
    assert got == pytest.approx(expected)


def test_a_run_that_never_traded_has_no_ratios_and_no_nan() -> None:
    got = ratio_figures(np.zeros(60), 365.0)
    assert got["daily_sharpe"] is got["omega"] is got["kelly"] is got["won_days"] is None
    assert got["ulcer_index"] == got["most_losing_days"] == 0.0
    assert all(v is None or np.isfinite(v) for v in got.values())


def test_growth_of_a_few_days_is_not_told_of_a_year() -> None:
    for returns in (np.full(19, 0.01), np.full(40, 50.0), np.array([998.0])):
        assert ratio_figures(returns, 365.0)["expected_year"] is None


def test_beside_the_market_as_a_regression_says(daily: Daily) -> None:
    got, mine, held = market_figures(daily), series(daily), series(daily, "held")
    line: Any = stats.linregress(held, mine)
    assert got["beta"] == pytest.approx(line.slope)
    assert got["alpha"] == pytest.approx(line.intercept * 365)
    assert got["correlation"] == pytest.approx(line.rvalue)
    assert got["r_squared"] == pytest.approx(line.rvalue**2)
    gap = mine - held
    assert got["tracking_error"] == pytest.approx(gap.std() * np.sqrt(365))
    assert got["information_ratio"] == pytest.approx(gap.mean() / gap.std() * np.sqrt(365))
    assert got["treynor"] == pytest.approx(mine.mean() * 365 / line.slope)
    for name, days in (("up_capture", held > 0), ("down_capture", held < 0)):
        assert got[name] == pytest.approx(
            ((1 + mine[days]).prod() - 1) / ((1 + held[days]).prod() - 1)
        )
    still = market_figures(dataclasses.replace(daily, held=np.zeros(len(daily))))
    assert set(still.values()) == {None}


# --- the interval, and trades in groups ------------------------------------------------------


def test_the_interval_of_the_return_covers_it_as_often_as_it_says() -> None:
    """Independent days: the interval of the mean logarithm is about that of the normal theory."""
    random = np.random.default_rng(5)
    returns = np.expm1(0.001 + 0.01 * random.standard_normal(1000))
    got = return_interval(returns, 2000)
    assert got is not None
    assert got.value == pytest.approx(np.prod(1 + returns) - 1)
    assert got.low is not None
    assert got.high is not None
    logs = np.log1p(returns)
    half = 1.96 * logs.std(ddof=1) * np.sqrt(1000)
    expected = np.expm1([logs.sum() - half, logs.sum() + half])
    np.testing.assert_allclose([got.low, got.high], expected, rtol=0.2)


def test_groups_add_up_to_all_trades(run: RunData, sheet: TearSheet) -> None:
    trades = sheet.trades
    frame = pd.DataFrame({f.name: getattr(trades, f.name) for f in dataclasses.fields(trades)})
    frame["time"] = pd.to_datetime(frame["entry_ms"], unit="ms")
    keys = {
        "symbol": frame["symbol"].map(dict(enumerate(run.symbols))),
        "side": frame["side"].map({1: "long", -1: "short"}),
        "hour": frame["time"].dt.strftime("%H:00"),
        "weekday": frame["time"].dt.day_name(),
    }
    for name, key in keys.items():
        by = frame.groupby(key)
        expected = by.profit.agg(["count", "sum"])
        got = {row["name"]: (row["count"], row["profit"]) for row in sheet.groups[name]}
        assert set(got) == set(expected.index)
        for group, row in expected.iterrows():
            assert got[str(group)] == pytest.approx((row["count"], row["sum"]))
        won = by.profit.agg(lambda p: (p > 0).mean())
        assert {r["name"]: r["win_rate"] for r in sheet.groups[name]} == pytest.approx(
            won.to_dict()
        )
    for rows in sheet.groups.values():
        assert sum(row["count"] for row in rows) == len(trades)
        assert sum(row["profit"] for row in rows) == pytest.approx(trades.profit.sum())


@pytest.mark.parametrize(
    ("bars", "name"),
    [
        (1, "1 bar"),
        (2, "2 bars"),
        (3, "3–4 bars"),
        (4, "3–4 bars"),
        (5, "5–8 bars"),
        (9, "9–16 bars"),
    ],
)
def test_time_held_is_in_classes_that_double(sheet: TearSheet, bars: int, name: str) -> None:
    one = sheet.trades.rows(np.array([0]))
    one = dataclasses.replace(one, bars_held=np.array([bars]))
    assert [row["name"] for row in grouped(one, ("A", "B", "C"), {})["held"]] == [name]
