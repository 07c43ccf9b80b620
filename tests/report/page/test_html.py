"""The page stands alone: no network, one script and one style by their hashes, the same text each time."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot.blocks import FILL, BarBlock
from bot.config.schema import Report
from bot.report.formats import percent
from bot.report.inputs import RunData
from bot.report.page import html, market_data
from bot.report.page.chart_data import charts, compact
from bot.report.page.market_data import candles
from bot.report.summary import build
from bot.report.tear.sheet import TearSheet, tear_sheet

CONFIG = Report(bootstrap_samples=100)


@pytest.fixture(scope="module")
def sheet(run: RunData) -> TearSheet:
    return tear_sheet(run, 100)


@pytest.fixture(scope="module")
def page(run: RunData, sheet: TearSheet) -> str:
    return html.render(run, build(run, CONFIG), sheet)


def page_of(run: RunData) -> str:
    return html.render(run, build(run, CONFIG), tear_sheet(run, 100))


class Tags(HTMLParser):
    """Counts tags, sees that they close in order, and keeps attributes and what scripts hold."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.meta: dict[str, str] = {}
        self.inside: dict[str, list[str]] = {"script": [], "style": []}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] += 1
        self.attributes.update(name for name, _ in attrs)
        found = dict(attrs)
        if tag == "meta" and "http-equiv" in found:
            self.meta[str(found["http-equiv"])] = str(found["content"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] += 1
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.inside:
            self.inside[self.open[-1]].append(data)


def tags_of(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


def data_of(page: str) -> Any:
    return json.loads(tags_of(page).inside["script"][0])


def test_it_needs_nothing_from_outside(page: str) -> None:
    known = page.replace("http://www.w3.org/2000/svg", "")  # the name of what svg elements are
    assert not re.search(r"https?:|//www|@import|url\((?!#)|fetch\(|XMLHttp|import\(", known)
    for link in re.findall(r'(?:href|src)="([^"]*)"', page):
        assert link.startswith(("#", "data:image/png")), link[:80]


def test_a_policy_lets_its_own_script_and_style_run_and_nothing_else(page: str) -> None:
    tags = tags_of(page)
    policy = tags.meta["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    for kind, place in (("style", 0), ("script", 1)):
        content = tags.inside[kind][place]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert tags.counts["script"] == 2
    assert tags.counts["style"] == 1
    assert "style" not in tags.attributes, "it would be refused"
    assert not [name for name in tags.attributes if name.startswith("on")]


def test_the_script_is_one_of_modules_without_a_name_twice() -> None:
    script = html.script()
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    names = re.findall(r"^(?:async )?(?:const|let|function|class) (\w+)", script, re.MULTILINE)
    assert {name for name, count in Counter(names).items() if count > 1} == set()
    assert {"TimeChart", "el", "ticks", "tradeTable"} <= set(names)


def test_it_is_well_formed_and_has_all_parts(page: str) -> None:
    tags = tags_of(page)
    assert tags.open == []
    assert tags.counts["svg"] == 4
    assert tags.counts["h2"] == 9
    for words in (
        "Equity and drawdown", "Calibration of each head", "Positions", "Returns by month",
        "Worst drawdowns", "Best and worst", "Kelly criterion", "Round trips by weekday of entry", "Candles with entries and exits", "Earned",
    ):  # fmt: skip
        assert words in page, words
    assert "CVaR" not in page, "of so few days nothing is said of their tail"
    assert "#0102" not in page  # every stand-in colour became a variable


def test_a_month_of_days_has_a_tail_and_a_beta(run_maker: Any) -> None:
    page = page_of(run_maker(n=1200))
    for words in ("CVaR (expected shortfall)", "Beta", "How days were", "Over the last days"):
        assert words in page, words


def test_the_same_run_gives_the_same_page(page: str, run: RunData) -> None:
    assert page_of(run) == page


def test_names_are_escaped_and_cannot_end_the_data(run: RunData) -> None:
    named = ("</script><b>", "S1USDT", "S2USDT")
    odd = dataclasses.replace(run, name="<b>&</b>", facts={"note": "<i>"}, symbols=named)
    page = page_of(odd)
    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;" in page
    assert tags_of(page).counts["script"] == 2
    assert named[0] in [each["name"] for each in data_of(page)["market"]]


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
        fees=np.zeros(n),
        spread=np.zeros(n),
        slippage=np.zeros(n),
        funding=np.zeros(n),
    )
    page = page_of(bare)
    assert tags_of(page).counts["svg"] == 1, "the controls"
    assert "#trips" not in page
    assert set(data_of(page)["charts"]) == {"equity", "exposure"}


def test_a_bankruptcy_stands_at_the_top(run: RunData, page: str) -> None:
    equity = run.equity.copy()
    equity[200:] = -500.0
    text = page_of(dataclasses.replace(run, equity=equity))
    assert text.index('role="alert">The account went bankrupt at') < text.index("<svg")
    assert "went bankrupt" not in page
    assert "of each day&#39;s equity" in page


def test_many_symbols_are_counted_at_its_head(run: RunData, sheet: TearSheet) -> None:
    summary = build(run, CONFIG)
    names = [f"COIN{k}USDT" for k in range(12)]
    for symbols, told in (
        (names, f"<p>{', '.join(names)} · "),
        ([*names, "X"], "<p>13 symbols · "),
    ):
        facts = summary["facts"] | {"symbols": symbols}
        assert told in html.render(run, summary | {"facts": facts}, sheet)


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


# --- what the charts draw --------------------------------------------------------------------


def decoded(told: Any) -> list[int]:
    times = told["from"] + told["unit"] * np.cumsum(told["steps"])
    return [int(time) for time in times]


def test_the_charts_draw_the_figures_of_the_run(run: RunData, sheet: TearSheet, page: str) -> None:
    data = data_of(page)
    start = run.start_index
    equity = data["charts"]["equity"]
    assert decoded(equity["t"]) == sheet.time_ms.tolist()
    curve = equity["panels"][0]["series"][0]["y"]
    np.testing.assert_allclose(curve, sheet.curve, rtol=1e-5)
    fall = equity["panels"][1]["series"][0]["y"]
    expected = sheet.curve / np.maximum.accumulate(sheet.curve) - 1.0
    np.testing.assert_allclose(fall, expected, rtol=1e-4, atol=1e-9)
    assert equity["marks"] == [
        m.effective_from_ms for m in run.models if m.effective_from_ms >= run.open_time[start]
    ]
    net = data["charts"]["costs"]["panels"][0]["series"]
    ends = {series["name"]: series["y"][-1] for series in net}
    assert ends["gross"] + ends["costs"] == pytest.approx(ends["net"], rel=1e-4)
    trades = data["trades"]
    assert trades["total"] == len(sheet.trades) == len(trades["profit"])
    assert sum(trades["profit"]) == pytest.approx(sheet.trades.profit.sum(), rel=1e-4)
    assert trades["entry"][0] * 1000 == sheet.trades.entry_ms[-1], "the newest first"
    for group in data["charts"]["groups"]["groups"].values():
        assert sum(group["profit"]) == pytest.approx(sheet.trades.profit.sum(), rel=1e-4)
        assert sum(group["count"]) == len(sheet.trades)


@pytest.mark.parametrize("most", [10_000, 100, 7])
def test_bars_become_candles_as_pandas_makes_them(run: RunData, most: int) -> None:
    start = run.start_index
    got = candles(run, 1, most)
    size = got["bars"]
    frame = pd.DataFrame(
        {x: getattr(run.bars, x)[start:, 1] for x in ("open", "high", "low", "close")}
    )
    by = frame.groupby(np.arange(len(frame)) // size)
    expected = by.agg({"open": "first", "high": "max", "low": "min", "close": "last"}).dropna()
    for key, name in zip("ohlc", expected.columns, strict=True):
        np.testing.assert_allclose(got[key], expected[name], rtol=1e-5)
    assert decoded(got["t"]) == run.open_time[start:][expected.index * size].tolist()
    assert len(got["o"]) <= max(most, 1)


def test_numbers_are_short_and_what_is_unknown_is_null() -> None:
    told = json.dumps(compact([1.0, 123456.789, 1e-9, float("inf"), float("nan"), -0.25]))
    assert told == "[1, 123457, 1e-09, null, null, -0.25]"


def test_a_year_of_five_minutes_and_five_symbols_stays_below_six_megabytes(run: RunData) -> None:
    """As many bars, fills and trips as such a run has; its page is written, not its summary's."""
    n, S = 105_120, 5
    random = np.random.default_rng(3)
    close = 100.0 * np.exp(np.cumsum(0.001 * random.standard_normal((n, S)), axis=0))
    time = run.open_time[0] + 300_000 * np.arange(n, dtype=np.int64)
    bars = BarBlock.of_candles(time, close, 1.001 * close, 0.999 * close, close, np.ones((n, S)))
    side = np.repeat(random.integers(-1, 2, (n // 20, S)), 20, axis=0).astype(np.float64)
    changed = np.argwhere(np.diff(side, axis=0, prepend=0.0))
    fills = np.zeros(len(changed), FILL)
    fills["open_time"], fills["symbol"] = time[changed[:, 0]], changed[:, 1]
    fills["quantity"], fills["price"] = 1.0, close[changed[:, 0], changed[:, 1]]
    equity = 10_000.0 * np.exp(np.cumsum(1e-4 * random.standard_normal(n)))
    nothing: Any = {name: np.zeros(n) for name in ("fees", "funding", "spread", "slippage")}
    large = dataclasses.replace(
        run, symbols=tuple(f"S{s}USDT" for s in range(S)), bars=bars, interval_ms=300_000,
        periods_per_year=105_120.0, start_index=0, quantity=side, fills=fills, equity=equity,
        models=(), forecast=None, labels=None, taker_fee=np.full(S, 0.001),
        pays_funding=np.ones(S, np.bool_), **nothing,
    )  # fmt: skip
    found = tear_sheet(large, 100)
    assert len(found.trades) > 10_000
    content: dict[str, Any] = {
        "charts": charts(large, found),
        "market": market_data.market(large, found),
        "trades": market_data.trade_columns(large, found),
    }
    assert len(html.as_data(content)) + len(html.script()) < 4_500_000
    assert content["trades"]["total"] > len(content["trades"]["profit"]) == market_data.MOST_TRADES


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="Debian's package chromium is not installed")
def test_a_browser_draws_it_without_a_word(page: str, tmp_path: Path) -> None:
    """Every chart is drawn, and the console stays empty: no error, nothing that the policy refused."""
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'browser'}", "--window-size=390,800", "--enable-logging=stderr",
            "--virtual-time-budget=3000", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    drawn = done.stdout.partition("<main>")[2]
    assert drawn.count("<canvas") == sum(
        chart["kind"] == "time" for chart in data_of(page)["charts"].values()
    ) + 1, "one more for the candles"  # fmt: skip
    assert drawn.count('<tr><td class=""><button') == 15
