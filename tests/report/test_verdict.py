"""The ten lines say what the tables say, and what follows is by rule."""

from __future__ import annotations

import dataclasses
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bot.config.schema import Report
from bot.report.inputs import RunData
from bot.report.page.side_by_side import side_by_side
from bot.report.page.verdict_view import render_verdict
from bot.report.skill.bootstrap import Interval
from bot.report.summary import Summary, build
from bot.report.tear.sheet import TearSheet, tear_sheet
from bot.report.verdict import headline, verdict

CONFIG = Report(bootstrap_samples=100)


@pytest.fixture(scope="module")
def summary(run: RunData) -> Summary:
    return build(run, CONFIG)


@pytest.fixture(scope="module")
def sheet(run: RunData) -> TearSheet:
    return tear_sheet(run, 100)


def said(summary: Any, sheet: TearSheet) -> dict[str, str]:
    return {line.about: line.says for line in verdict(summary, sheet)}


def test_there_are_ten_lines_with_the_figures_of_the_tables(
    run: RunData, summary: Summary, sheet: TearSheet
) -> None:
    lines = said(summary, sheet)
    names = ["Earned", "Against", "Edge", "Drawdown", "Sharpe", "Traded", "Paid", "Forecasts"]
    assert list(lines) == [*names, "Covered", "So"]
    net = run.equity[-1] - run.equity_before(run.start_index)
    assert f"({net:+,.0f} on 10,000)" in lines["Earned"]
    assert sheet.return_interval is not None
    assert sheet.return_interval.value == pytest.approx(summary["metrics"]["total_return"])
    assert f"{summary['edge']['edge_bps']:.1f} bp before costs" in lines["Edge"]
    assert f"{summary['edge']['cost_bps']:.1f} bp" in lines["Edge"]
    assert "surely below its cost" in lines["Edge"]
    worst = summary["metrics"]["max_drawdown"]
    assert worst is not None
    assert lines["Drawdown"].startswith(f"{100 * worst:.2f} % at worst, from 2023-01-")
    ratio = summary["metrics"]["sharpe_ratio"]
    assert lines["Sharpe"].startswith(f"{ratio:.2f} ± ")
    assert f"{summary['metrics']['trades']:,} round trips" in lines["Traded"]
    paid = summary["costs"]["gross"] - summary["costs"]["net"]
    assert lines["Paid"].startswith(f"{paid:,.0f} of a gross ")
    assert "return_3" in lines["Forecasts"]
    assert lines["So"].startswith("not worth trading like this")
    assert headline(summary) == "small: S0USDT, S1USDT, S2USDT, 1h, 2023-01-05 to 2023-01-17"


def test_what_follows_is_by_rule(run: RunData, summary: Summary, sheet: TearSheet) -> None:
    quiet = {**summary, "edge": {**summary["edge"], "warning": ""}}

    def so(low: float, high: float, **metrics: float | None) -> str:
        told = {**quiet, "metrics": {**summary["metrics"], **metrics}}
        found = dataclasses.replace(sheet, return_interval=Interval(0.1, low, high, 1))
        return said(told, found)["So"]

    assert so(-0.5, -0.1).startswith("not worth trading like this: it loses")
    sure: dict[str, float | None] = {"probabilistic_sharpe": 0.99, "deflated_sharpe": None}
    assert so(0.05, 0.2, **sure).startswith("worth a look on bars that nobody has seen")
    tried: dict[str, float | None] = {**sure, "sharpe_ratio": 1.0, "sharpe_error": 5.0}
    years = len(sheet.daily) / sheet.daily.per_year * (5.0 * 1.96) ** 2
    assert f"about {years:,.1f} years of such days" in so(
        0.05, 0.2, **{**tried, "deflated_sharpe": 0.6}
    )
    soon = so(-0.1, 0.2, sharpe_ratio=1.96, sharpe_error=1.5)
    assert f"about {math.ceil(2.25 * len(sheet.daily))} such days to tell" in soon
    assert "came in few stretches" in so(-0.1, 0.2, sharpe_ratio=4.0, sharpe_error=1.0)
    assert so(-0.1, 0.2, sharpe_ratio=-1.0, sharpe_error=1.0).startswith("no reason to trade it")
    waits = {**summary["coverage"], "calibration": {"days": 3, "needed": 90, "until": None}}
    early: Any = {**summary, "coverage": waits}
    assert "scored for 3 of 90 days" in said(early, sheet)["So"]


def test_a_run_that_never_traded_says_why(run: RunData) -> None:
    n = len(run.equity)
    nothing: Any = {name: np.zeros(n) for name in ("fees", "funding", "spread", "slippage")}
    idle = dataclasses.replace(
        run, fills=run.fills[:0], quantity=np.zeros_like(run.quantity),
        equity=np.full(n, 10_000.0), refusals={"edge_below_cost": 512, "paused": 3},
        **nothing,
    )  # fmt: skip
    lines = said(build(idle, CONFIG), tear_sheet(idle, 100))
    assert lines["Traded"] == "never: most often refused for edge below cost (512 times)"
    assert lines["Edge"] == "nothing was traded that could be measured"
    assert lines["Sharpe"].startswith("none")
    assert "'bot export small --what decisions'" in lines["So"]
    where = Path("elsewhere/my runs/small")
    last = verdict(build(idle, CONFIG), tear_sheet(idle, 100), where)[-1].says
    assert "`bot export 'elsewhere/my runs/small' --what decisions`" in last
    assert "nan" not in " ".join(lines.values())


def test_one_round_trip_is_one(summary: Summary, sheet: TearSheet) -> None:
    one: Any = {**summary, "metrics": {**summary["metrics"], "trades": 1}}
    assert said(one, sheet)["Traded"].startswith("1 round trip, ")


def test_a_bankruptcy_and_gaps_are_warned_of(run: RunData) -> None:
    equity = run.equity.copy()
    equity[200:] = -500.0
    broke = dataclasses.replace(run, equity=equity)
    lines = said(build(broke, CONFIG), tear_sheet(broke, 100))
    assert next(iter(lines)) == "Beware", "it puts all others in doubt"
    assert lines["Beware"].startswith("The account went bankrupt at")
    assert lines["So"].startswith("smaller positions first")
    assert "too few days for an interval" in lines["Earned"]


def test_the_lines_fit_a_narrow_terminal(summary: Summary, sheet: TearSheet) -> None:
    out = io.StringIO()
    Console(file=out, width=60).print(render_verdict(headline(summary), verdict(summary, sheet)))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 60
    assert "Earned" in text
    assert "\x1b" not in text


def test_runs_stand_side_by_side(run: RunData, summary: Summary, sheet: TearSheet) -> None:
    later = dataclasses.replace(run, name="later", start_index=150)
    other = (build(later, CONFIG), tear_sheet(later, 100))
    found = side_by_side([(summary, sheet), other])
    assert found.columns == ("", "small", "later")
    rows = {row.cells[0].strip(): row.cells[1:] for row in found.rows}
    assert rows["From"] == ("2023-01-05", "2023-01-07")
    assert rows["Net return"][0] == f"{100 * summary['metrics']['total_return']:.2f} %"  # type: ignore[operator]
    assert "do not cover the same bars" in found.note
    assert "do not" not in side_by_side([(summary, sheet), (summary, sheet)]).note
