"""The page stands alone: no network, no script, the same text each time."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from bot.config.schema import Report
from bot.report.formats import percent
from bot.report.inputs import RunData
from bot.report.page import html
from bot.report.summary import build
from bot.report.tear.sheet import tear_sheet

CONFIG = Report(bootstrap_samples=100)


@pytest.fixture(scope="module")
def page(run: RunData) -> str:
    return html.render(run, build(run, CONFIG), tear_sheet(run, 100))


class Tags(HTMLParser):
    """Counts tags and sees that they close in order."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_needs_nothing_from_outside(page: str) -> None:
    assert not re.search(r"https?:|//www|@import|url\((?!#)", page)
    for link in re.findall(r'(?:href|src)="([^"]*)"', page):
        assert link.startswith(("#", "data:image/png")), link[:80]
    assert "<script" not in page


def test_it_is_well_formed_and_has_all_parts(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.counts["svg"] == 6
    assert tags.counts["table"] == 14
    for words in ("Equity and drawdown", "Calibration of each head", "Positions", "new model"):
        assert words in page
    assert "#0102" not in page  # every stand-in colour became a variable


def test_the_same_run_gives_the_same_page(page: str, run: RunData) -> None:
    assert html.render(run, build(run, CONFIG), tear_sheet(run, 100)) == page


def test_names_are_escaped(run: RunData) -> None:
    odd = dataclasses.replace(run, name="<b>&</b>", facts={"note": "<i>"})
    page = html.render(odd, build(odd, CONFIG), tear_sheet(odd, 100))
    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;" in page


def test_a_run_without_forecasts_fills_or_time_to_speak_of_has_a_page(run: RunData) -> None:
    n = len(run.equity)
    bare = dataclasses.replace(
        run,
        forecast=None,
        labels=None,
        models=(),
        fills=run.fills[:0],
        quantity=np.zeros_like(run.quantity),
        equity=np.full(n, 10_000.0),
        start_index=n - 2,
    )
    tags = Tags()
    tags.feed(html.render(bare, build(bare, CONFIG), tear_sheet(bare, 100)))
    assert tags.counts["svg"] == 3, "equity, positions and the controls"


def test_a_bankruptcy_stands_at_the_top(run: RunData, page: str) -> None:
    equity = run.equity.copy()
    equity[200:] = -500.0
    broke = dataclasses.replace(run, equity=equity)
    text = html.render(broke, build(broke, CONFIG), tear_sheet(broke, 100))
    assert text.index('role="alert">The account went bankrupt at') < text.index("<svg")
    assert "bankrupt" not in page
    assert "of each day&#39;s equity" in page


def test_what_it_was_worth_stands_on_the_page(run: RunData, page: str) -> None:
    for words in (
        "What it was worth", "Edge a side, before costs", "Break-even cost a side",
        "Beside its controls", "1,000 random twins", "momentum, 30 days", "The run beats",
        "How loud the forecasts are", "Realised return by tenth of the signal",
    ):  # fmt: skip
        assert words in page, words
    assert f'role="alert">{build(run, CONFIG)["edge"]["warning"]}' in page


def test_controls_and_tenths_are_drawn_from_the_figures_of_their_tables(run: RunData) -> None:
    summary = build(run, CONFIG)
    drawn = html.beside(summary)
    assert sorted(drawn) == ["controls", "tenths"]
    controls = summary["edge"]["controls"]
    for found in (summary["metrics"], *(controls[k] for k in ("flat", "buy_and_hold", "random"))):
        value = found["total_return"]
        assert value is not None
        assert percent(value) in drawn["controls"].svg
    for label in ("run", "flat", "buy and hold", "momentum, 30 days", "1,000 random twins"):
        assert label in drawn["controls"].svg
    assert "smallest first" in drawn["tenths"].svg
    assert summary["edge"]["tenths"]["by"] in drawn["tenths"].title
    summary["edge"]["tenths"]["rows"] = []
    assert sorted(html.beside(summary)) == ["controls"]


def test_the_reference_backtest_says_why_some_controls_are_missing(run: RunData) -> None:
    reference = dataclasses.replace(run, reference=True)
    summary = build(reference, CONFIG)
    controls = summary["edge"]["controls"]
    assert controls["random"]["percentile"] is controls["momentum"]["total_return"] is None
    assert controls["flat"]["total_return"] == 0.0
    assert controls["buy_and_hold"]["total_return"] is not None
    page = html.render(reference, summary, tear_sheet(reference, 100))
    assert "under costs.reference a position is brought back to its weight" in page
    assert "All pay the run&#39;s costs" not in page
