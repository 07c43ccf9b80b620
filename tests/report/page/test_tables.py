"""The tables say what the summary says, in words a reader can trust."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import pytest
from rich.console import Console

from bot.config.schema import Report
from bot.report.inputs import ModelInfo, RunData
from bot.report.page.edge_sheets import (
    controls_sheet,
    decided_sheet,
    edge_sheet,
    slopes_sheet,
    tenths_sheet,
)
from bot.report.page.sheets import costs_sheet, metrics_sheet, models_sheet, sheets
from bot.report.page.skill_sheets import skill_sheet
from bot.report.page.tables import render, table
from bot.report.summary import Summary, build
from bot.report.why import Decided


@pytest.fixture(scope="module")
def summary(run: RunData) -> Summary:
    return build(run, Report(bootstrap_samples=100))


def text_of(item: object) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(item)
    return out.getvalue()


def test_all_tables_are_printed(summary: Summary) -> None:
    text = text_of(render(summary))
    for words in (
        "Run small", "Symbols", "S2USDT", "Sharpe ratio", "standard error", "buy and hold",
        "Gross profit", "− slippage", "Net profit", "Targets", "< 20 %", "Point values",
        "rank IC", "QLIKE skill", "no skill shown", "Models (2)",
    ):  # fmt: skip
        assert words in text, words
    assert "✓" in text or "✗" in text
    assert " nan" not in text.lower()


def test_an_interval_over_zero_reads_no_skill_shown(summary: Summary) -> None:
    rows = {(r.cells[1]): r for r in skill_sheet(summary).rows}
    assert rows["AUC"].cells[-1] == "no skill shown"
    assert rows["AUC"].tone == "doubt"


def test_without_heads_and_models_their_tables_are_left_out(run: RunData) -> None:
    bare = dataclasses.replace(run, forecast=None, labels=None, models=())
    keys = [sheet.key for sheet in sheets(build(bare, Report(bootstrap_samples=100)))]
    assert keys == [
        "coverage",
        "facts",
        "symbols",
        "edge",
        "controls",
        "metrics",
        "costs",
        "targets",
    ]


def test_figures_since_a_late_first_model_stand_beside(run: RunData) -> None:
    early = dataclasses.replace(run, start_index=50)
    sheet = metrics_sheet(build(early, Report(bootstrap_samples=100)))
    assert sheet.columns == ("", "run", "since first model", "buy and hold")


def test_a_long_list_of_models_is_shortened_on_the_terminal(run: RunData) -> None:
    first = run.models[0]
    many: list[ModelInfo] = [dataclasses.replace(first, model_id=f"m{i:02d}") for i in range(40)]
    crowded = dataclasses.replace(run, models=tuple(many))
    sheet = models_sheet(build(crowded, Report(bootstrap_samples=100)))
    assert len(sheet.rows) == 40
    text = text_of(table(sheet))
    assert "… 28 more" in text
    assert "m05" in text
    assert "m06" not in text
    assert "m39" in text


def test_a_bankruptcy_is_told_before_and_after_the_tables(run: RunData) -> None:
    equity = run.equity.copy()
    equity[200:] = -500.0
    broke = build(dataclasses.replace(run, equity=equity), Report(bootstrap_samples=100))
    text = text_of(render(broke))
    told = (
        "The account went bankrupt at 2023-01-09T09:00:00Z: its equity was -500.00 at that close."
    )
    assert text.startswith(told)
    assert text.count(told) == 2
    assert "100.00 %" in text
    assert "bankrupt" not in text_of(render(build(run, Report(bootstrap_samples=100))))


def test_costs_stand_in_currency_and_on_the_equity_of_the_day(summary: Summary) -> None:
    sheet = costs_sheet(summary)
    assert sheet.columns == ("", "amount", "of capital", "of each day's equity")
    fees = next(row for row in sheet.rows if row.cells[0] == "− fees")
    assert fees.cells[1] == f"{-summary['costs']['fees']:,.2f}"
    assert fees.cells[3] == f"{-100 * summary['cost_returns']['fees']:.2f} %"
    assert f"{100 * summary['metrics']['total_return']:.2f} %" in sheet.note  # type: ignore[operator]


def test_what_it_was_worth_stands_beside_its_cost(summary: Summary) -> None:
    edge = summary["edge"]
    rows = {row.cells[0].strip(): row for row in edge_sheet(summary).rows}
    assert rows["Edge a side, before costs"].cells[1:] == (
        f"{edge['edge_bps']:.2f} bp",
        f"[{edge['edge_low_bps']:.2f} bp, {edge['edge_high_bps']:.2f} bp]",
    )
    assert rows["Cost a side"].cells[1] == f"{edge['cost_bps']:.2f} bp"
    assert rows["Edge over cost"].cells[1] == f"{edge['edge_to_cost']:.2f}"
    assert rows["the forecast's horizon, bars"].cells[1] == "3"
    assert rows["Edge a side, before costs"].tone == "bad"
    text = text_of(render(summary))
    assert edge["warning"]
    assert text.count(edge["warning"]) == 2


@pytest.mark.parametrize(
    ("low", "warning", "tone"),
    [(8.0, "", "good"), (1.0, "", "doubt"), (1.0, "below", "bad"), (None, "", "")],
)
def test_the_tone_of_an_edge(summary: Summary, low: float | None, warning: str, tone: str) -> None:
    changed = {"edge_low_bps": low, "cost_bps": 7.5, "warning": warning}
    other: Any = {**summary, "edge": {**summary["edge"], **changed}}
    assert edge_sheet(other).rows[0].tone == tone


def test_the_controls_stand_beside_the_run(summary: Summary) -> None:
    controls = summary["edge"]["controls"]
    sheet = controls_sheet(summary)
    rows = {row.cells[0]: row.cells[1:] for row in sheet.rows}
    assert list(rows) == [
        "run", "flat", "buy and hold", "momentum, 30 days", "1,000 random twins",
    ]  # fmt: skip
    assert rows["run"][0] == f"{100 * summary['metrics']['total_return']:.2f} %"  # type: ignore[operator]
    assert rows["flat"] == ("0.00 %", "–", "–", "0.00 %", "0")
    random = controls["random"]
    assert rows["1,000 random twins"][:2] == (
        f"{100 * random['total_return']:.2f} %",
        f"[{100 * random['low']:.2f} %, {100 * random['high']:.2f} %]",
    )
    assert f"The run beats {100 * random['percentile']:.2f} % of them." in sheet.note
    assert "not known" not in sheet.note


def test_controls_of_a_run_that_never_traded_on_unknown_funding(summary: Summary) -> None:
    controls = {
        **summary["edge"]["controls"],
        "random": {"draws": 1000, "trips": 0} | dict.fromkeys(("total_return", "percentile")),
        "funding": {"unknown": 1234, "until": "2023-11-05T08:00:00Z"},
    }
    other: Any = {**summary, "edge": {**summary["edge"], "controls": controls}}
    sheet = controls_sheet(other)
    assert sheet.rows[-1].cells == ("1,000 random twins", "–", "–", "–", "–", "0")
    assert "beats" not in sheet.note
    assert (
        "1,234 settlements up to 2023-11-05 08:00 are not known and charged nothing" in sheet.note
    )


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.1, 0.9, "too loud"),
        (-0.1, 0.9, "no information shown, too loud"),
        (-0.1, 1.1, "no information shown"),
        (0.1, 1.1, "not shown to be off"),
        (1.1, 1.5, "too quiet"),
        (None, None, "too few dates to tell"),
    ],
)
def test_how_a_slope_reads(
    summary: Summary, low: float | None, high: float | None, said: str
) -> None:
    found = {"kind": "return", "value": 0.5, "error": 0.1, "low": low, "high": high}
    other: Any = {**summary, "edge": {**summary["edge"], "slopes": {"return_3": found}}}
    (row,) = slopes_sheet(other).rows
    assert row.cells[:3] == ("return_3", "0.50", "± 0.10")
    assert row.cells[-1] == said


@pytest.mark.parametrize(
    ("cost", "said", "tone"),
    [(1.0, "above its cost", "good"), (3.0, "either", "doubt"), (5.0, "below its cost", "bad")],
)
def test_a_tenth_stands_beside_its_cost(
    summary: Summary, cost: float, said: str, tone: str
) -> None:
    row = {
        "tenth": 10, "count": 1234, "expected_bps": 20.0, "realised_bps": 3.0, "low_bps": 2.0,
        "high_bps": 4.0, "cost_bps": cost,
    }  # fmt: skip
    found = {"by": "edge", "rows": [row]}
    other: Any = {**summary, "edge": {**summary["edge"], "tenths": found}}
    sheet = tenths_sheet(other)
    assert sheet.title == "Realised return by tenth of the edge"
    assert sheet.rows[0].cells == (
        "10", "1,234", "20.00 bp", "3.00 bp", "[2.00 bp, 4.00 bp]", f"{cost:.2f} bp", said,
    )  # fmt: skip
    assert sheet.rows[0].tone == tone
    assert "no edge was recorded" in tenths_sheet(summary).note


def test_why_the_last_bar_was_traded_stands_beside_its_numbers(run: RunData) -> None:
    edge = Decided("edge 3.1 bp < cost 15.0 bp", 0.0012, 0.41, 0.15, 0.00031, 0.0015, 3.0)
    none = Decided("", None, None, None, None, None, None)
    traded = dataclasses.replace(run, decided={"S0USDT": edge, "S1USDT": none})
    sheet = decided_sheet(build(traded, Report(bootstrap_samples=100)))
    assert [row.cells for row in sheet.rows] == [
        ("S0USDT", "12.00 bp", "0.41 ± 0.15", "3.10 bp", "15.00 bp", "3", "edge 3.1 bp < cost 15.0 bp"),
        ("S1USDT", *["–"] * 6),
    ]  # fmt: skip
    assert decided_sheet(build(run, Report(bootstrap_samples=100))).rows == ()
