"""The page in Chromium against a live run: its figures are the journal's, changes arrive, commands work.

Skipped by name where Playwright (the extra 'browsers') or Chromium is not there.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("playwright", reason="the extra 'browsers' is not installed")
if not (shutil.which("chromium") or shutil.which("chromium-browser")):
    pytest.skip("Chromium is not installed", allow_module_level=True)

from bot.app.runs.folder import RunFolder
from bot.app.runs.status import read_status
from bot.timestamps import format_utc
from scripts.documents.browsing import Seen, Serving, api, chromium, serving, shown, trading, until
from tests.conftest import Ran

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
GONE = "#line:text-is(\"not up to date: there is no run 'doomed' here; /api/v1/runs lists them\")"
ANALYSED_MS = 240_000
"""An analysis runs at the lowest priority, so other work on all cores starves it."""
PHONE = {"viewport": {"width": 390, "height": 844}}
DARK = {"color_scheme": "dark"}


@pytest.fixture(scope="module")
def runs(short: Ran, inverse_run: Ran, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "runs"
    folder.mkdir()
    shutil.copytree(short.folder.path, folder / "finished")
    shutil.copytree(short.folder.path, folder / "another")
    shutil.copytree(inverse_run.folder.path, folder / "coins")
    return folder


@pytest.fixture(scope="module")
def live(runs: Path) -> Iterator[Path]:
    with trading(runs / "live"):
        yield runs / "live"


@pytest.fixture(scope="module")
def server(runs: Path) -> Iterator[Serving]:
    with serving(runs, runs.parent / "serve-token") as at_work:
        yield at_work


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def page(
    browser: Any, server: Serving, seen: Seen, request: pytest.FixtureRequest
) -> Iterator[Any]:
    """A page that a link has opened; at its end it has complained of nothing and asked nobody else."""
    context = browser.new_context(**DESKTOP | getattr(request, "param", {}))
    opened = context.new_page()
    seen.watch(opened)
    opened.goto(server.link())
    opened.wait_for_url(f"{server.base}/")
    opened.wait_for_selector("h1")
    yield opened
    context.close()
    assert seen.complaints == []
    assert [url for url in seen.asked if not url.startswith(server.base)] == []


def test_a_link_opens_the_page_once_and_leaves_no_code(
    page: Any, browser: Any, server: Serving
) -> None:
    link = server.link()
    first = browser.new_page()
    first.goto(link)
    first.wait_for_selector("table.overview")
    assert first.url == f"{server.base}/"
    assert "#" not in first.evaluate("document.referrer + history.length")
    again = browser.new_context().new_page()
    again.goto(link)
    again.wait_for_selector("#says:has-text('used already')")
    assert again.url == f"{server.base}/open"
    for each in (first, again):
        each.close()


def test_without_a_link_there_is_nothing_to_see(browser: Any, server: Serving) -> None:
    stranger = browser.new_context().new_page()
    stranger.goto(server.base)
    assert stranger.url == f"{server.base}/open"
    assert "finished" not in stranger.content()
    assert stranger.evaluate("fetch('/api/v1/runs').then(a => a.status)") == 401
    stranger.close()


def test_another_site_reads_nothing_though_the_browser_has_a_cookie(
    page: Any, browser: Any, server: Serving
) -> None:
    foreign = page.context.new_page()
    foreign.route(
        "http://evil.example/",
        lambda route: route.fulfill(body="<h1>evil</h1>", content_type="text/html"),
    )
    foreign.goto("http://evil.example/")
    asked = "path => fetch(path, {credentials: 'include', mode: 'MODE'}).then(a => a.type + a.status, e => 'refused')"
    for mode in ("cors", "no-cors"):
        got = foreign.evaluate(asked.replace("MODE", mode), f"{server.base}/api/v1/runs")
        assert got in ("refused", "opaque0")
    foreign.close()


def test_the_overview_has_each_run_with_its_figures(page: Any, runs: Path, live: Path) -> None:
    page.wait_for_selector("table.overview tbody tr:last-child:nth-child(4)")
    row = page.locator("tr:has(a:text-is('finished'))")
    status = read_status(RunFolder(runs / "finished"))
    assert row.locator("td.strong").inner_text() == f"{status.equity:,.2f}"
    assert "finished" in row.locator(".badge").inner_text()
    assert "live" in page.locator("tr:has(a:text-is('live')) .badge").inner_text()
    page.fill("input[type=search]", "another")
    assert page.locator("table.overview tbody tr").count() == 1
    page.fill("input[type=search]", "")
    page.click(".chip:text-is('finished')")
    assert page.locator("table.overview tbody tr").count() == 3


def test_a_run_that_is_left_before_it_is_read_is_not_shown_in_the_next_ones_place(
    page: Any, server: Serving
) -> None:
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/api/v1/runs/finished/status", hold)
    with page.expect_request("**/api/v1/runs/finished/status"):
        page.goto(f"{server.base}/#/run/finished")
    page.goto(f"{server.base}/#/run/another")
    page.wait_for_selector("h1:text-is('another')")
    page.wait_for_selector("#fills tbody tr")
    with page.expect_response("**/api/v1/runs/finished/fills*"):  # asked once it is drawn
        held[0].continue_()
    assert page.locator("main h1").all_inner_texts() == ["another"]
    page.unroute("**/api/v1/runs/finished/status")


def test_runs_are_compared_on_one_axis(page: Any) -> None:
    page.check("[aria-label='Compare finished']")
    page.check("[aria-label='Compare another']")
    page.click("a.button:has-text('Compare 2 runs')")
    page.wait_for_selector("#differences table")
    told = page.locator("#differences").inner_text()
    assert "finished \u2212 another" in told or "another \u2212 finished" in told


def test_coins_stand_below_the_positions_with_the_cash(page: Any, runs: Path) -> None:
    page.goto(page.url + "#/run/coins")
    page.wait_for_selector("#positions table:has(caption:text-is('Coins'))")
    status = read_status(RunFolder(runs / "coins"))
    assert f"Cash {status.cash:,.2f}, and coins" in page.locator("#positions h3").first.inner_text()
    told = page.locator("#positions table:has(caption:text-is('Coins')) tbody tr").all_inner_texts()
    assert len(told) == len(status.coins) == 3
    for row, each in zip(told, status.coins, strict=True):
        assert each.symbol in row
        assert f"{abs(each.value):,.2f}" in row
    page.wait_for_selector("#fills tbody tr")
    newest = api(page, "/api/v1/runs/coins/fills?limit=5000")["items"][-1]
    assert f"{abs(newest['quantity']):,.2f}" in page.locator("#fills tbody tr").first.inner_text()


def test_every_panel_of_a_finished_run_says_what_the_journal_says(
    page: Any, runs: Path, short_by_row: Ran
) -> None:
    page.goto(page.url + "#/run/finished")
    page.wait_for_selector("#controls table", timeout=ANALYSED_MS)
    db = sqlite3.connect(short_by_row.folder.journal)
    status = read_status(RunFolder(runs / "finished"))
    assert shown(page, "Equity") == f"{status.equity:.2f}"
    assert float(shown(page, "Total").lstrip("+")) == pytest.approx(
        100 * status.total_return, abs=0.006
    )
    assert shown(page, "Fills") == str(db.execute("SELECT count(*) FROM fills").fetchone()[0])
    newest = db.execute(
        "SELECT symbol, quantity, price, fee FROM fills ORDER BY id DESC LIMIT 1"
    ).fetchone()
    first = page.locator("#fills tbody tr").first.inner_text().replace(",", "")
    assert newest[0] in first
    assert f"{newest[3]:.2f}" in first
    assert (
        page.locator("#models tbody tr").count()
        == db.execute("SELECT count(*) FROM models").fetchone()[0]
    )
    assert page.locator("#decisions tbody tr").count() == 3
    costs = page.locator("#costs").inner_text().replace(",", "").replace("\u2212", "-")
    fees = db.execute("SELECT sum(fees) FROM ledger").fetchone()[0]
    assert f"{-fees:.2f}" in costs
    equity = api(page, "/page/runs/finished/equity?points=4000")
    rows = db.execute("SELECT open_time, equity FROM ledger ORDER BY open_time").fetchall()
    assert equity["exact"]
    assert list(zip(equity["time"], equity["equity"], strict=True)) == rows
    candles = api(page, f"/page/runs/finished/candles?symbol={newest[0]}")
    bars = db.execute(
        "SELECT open_time, close FROM bars WHERE symbol = ? AND valid = 1 AND open_time >= ?",
        (newest[0], rows[0][0]),
    )
    told = dict(zip(candles["time"], candles["close"], strict=True))
    inside = [row for row in bars.fetchall() if row[0] <= candles["time"][-1]]
    if candles["exact"]:
        assert all(told[time] == close for time, close in inside)


def test_a_fill_leads_to_its_decision_forecasts_and_bar(page: Any, short_by_row: Ran) -> None:
    page.goto(page.url + "#/run/finished")
    page.wait_for_selector("#fills tbody tr button")
    page.locator("#fills tbody tr button").first.click()
    page.wait_for_selector("dialog h3:has-text('The bar')")
    told = page.locator("dialog").inner_text()
    db = sqlite3.connect(short_by_row.folder.journal)
    bar, symbol, quantity = db.execute(
        "SELECT open_time, symbol, quantity FROM fills WHERE reason = 'signal' ORDER BY id DESC LIMIT 1"
    ).fetchone()
    (ordered,) = db.execute(
        "SELECT max(open_time) FROM decisions WHERE symbol = ? AND open_time < ? AND order_quantity * ? > 0",
        (symbol, bar, quantity),
    ).fetchone()
    assert f"Decided at the close of {format_utc(ordered)[:16].replace('T', ' ')}" in told
    assert "Forecast by model" in told
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()


def test_a_decision_among_the_candles_leads_to_itself(page: Any, short_by_row: Ran) -> None:
    page.goto(page.url + "#/run/finished")
    page.wait_for_selector("#market canvas")
    db = sqlite3.connect(short_by_row.folder.journal)
    symbol, ordered = db.execute(
        "SELECT symbol, open_time FROM decisions AS d WHERE order_quantity != 0 AND NOT EXISTS "
        "(SELECT 1 FROM fills WHERE symbol = d.symbol AND open_time = d.open_time) ORDER BY open_time DESC"
    ).fetchone()
    at = format_utc(ordered)[:16].replace("T", " ")
    page.locator("#market button", has_text="SYN0USDT").click()
    with page.expect_response(lambda answer: "/candles?symbol=" + symbol in answer.url):
        page.locator("#market button", has_text=symbol).click()
    page.locator("#market canvas").focus()
    for _ in range(600):
        if at in page.locator("#market .legend").inner_text():
            break
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog h3:has-text('The bar')")
    told = page.locator("dialog").inner_text()
    assert f"Decided at the close of {at}" in told
    assert "Bought" not in told
    assert "Sold" not in told


def test_what_was_worked_out_earlier_says_of_which_bar(page: Any, server: Serving) -> None:
    told: dict[str, Any] = {}

    def of_an_earlier_bar(route: Any) -> None:
        told.update(found := route.fetch().json())
        if found["result"] is not None:
            held = found["result"]["buy_and_hold"]
            kept = len(held["time"]) // 2
            found["result"]["last_bar"] = held["time"][kept - 1]
            held.update(time=held["time"][:kept], equity=held["equity"][:kept])
        route.fulfill(json=found)

    page.route("**/page/runs/finished/analysis", of_an_earlier_bar)
    page.goto(f"{server.base}/#/run/finished")
    page.wait_for_selector("#trips p:has-text('As of the bar of')", timeout=ANALYSED_MS)
    page.unroute("**/page/runs/finished/analysis")
    bar = format_utc(told["result"]["last_bar"])[:16].replace("T", " ")
    assert f"As of the bar of {bar} UTC." in page.locator("#trips").inner_text()
    assert re.search(rf"buy and hold [\d,.]+, {bar}", page.locator("#equity .legend").inner_text())


def test_a_run_that_is_gone_is_not_shown_as_if_it_were_there(
    browser: Any, server: Serving, runs: Path
) -> None:
    shutil.copytree(runs / "finished", runs / "doomed")
    page = browser.new_page()
    page.goto(server.link())
    page.wait_for_selector("a:text-is('doomed')")
    page.goto(f"{server.base}/#/run/doomed")
    page.wait_for_selector("#fills tbody tr")
    page.wait_for_selector("#line:text-is('live')")
    shutil.rmtree(runs / "doomed")
    page.wait_for_selector(GONE)
    page.close()


def test_a_run_that_is_gone_before_the_line_is_open_is_not_shown_as_live(
    browser: Any, server: Serving, runs: Path
) -> None:
    def late(route: Any) -> None:
        shutil.rmtree(runs / "doomed", ignore_errors=True)
        route.continue_()

    shutil.copytree(runs / "finished", runs / "doomed")
    page = browser.new_page()
    page.goto(server.link())
    page.wait_for_selector("a:text-is('doomed')")
    page.route("**/api/v1/changes?run=doomed", late)
    page.goto(f"{server.base}/#/run/doomed")
    page.wait_for_selector(GONE)
    page.close()


def test_a_line_that_is_refused_is_opened_again(browser: Any, server: Serving, runs: Path) -> None:
    """A proxy that has lost its server answers 502, after which a browser does not try by itself."""
    page = browser.new_page()
    page.goto(server.link())
    page.wait_for_selector("a:text-is('finished')")
    refused = "**/api/v1/**"
    page.goto(f"{server.base}/#/run/finished")
    page.wait_for_selector("#line:text-is('live')")
    page.route(refused, lambda route: route.fulfill(status=502, body="no server"))
    server.site.watching.let_go()
    page.wait_for_selector("#line:text-is('not up to date: the server answered 502')")
    page.unroute(refused)
    page.wait_for_selector("#line:text-is('live')")
    with page.expect_response("**/api/v1/runs/finished/status"):
        (runs / "finished" / "STOP_TRADING").touch()
    (runs / "finished" / "STOP_TRADING").unlink()
    page.close()


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_many_symbols_are_a_list_to_choose_from(page: Any, server: Serving) -> None:
    def with_more(route: Any) -> None:
        found = route.fetch().json()
        like = next(iter(found["decided"].values()))
        found["decided"].update({f"MORE{k}USDT": like for k in range(60)})
        route.fulfill(json=found)

    symbols = list(api(page, "/api/v1/runs/finished/status")["decided"])
    page.route("**/api/v1/runs/finished/status", with_more)
    page.goto(f"{server.base}/#/run/finished")
    page.wait_for_selector("#market .legend span")
    assert page.locator("#market .chips button").count() == 0
    assert page.locator("#market .chips option").count() == len(symbols) + 60
    with page.expect_response(
        lambda answer: "/candles" in answer.url and f"symbol={symbols[1]}" in answer.url
    ):
        page.select_option("#market .chips select", symbols[1])
    assert page.locator("#market .chips select").input_value() == symbols[1]
    page.unroute("**/api/v1/runs/finished/status")


@pytest.mark.parametrize(
    ("step", "digits"), [(1, 0), (25, 0), (0.5, 1), (2.5, 1), (0.25, 2), (0.02, 2), (1e-9, 7)]
)
def test_the_marks_of_an_axis_are_told_apart(page: Any, step: float, digits: int) -> None:
    asked = "step => import('/static/format.js').then(made => made.digitsOf(step))"
    assert page.evaluate(asked, step) == digits


def test_the_newest_fills_are_shown_however_many_there_are(page: Any, server: Serving) -> None:
    def small_pages(route: Any) -> None:
        route.continue_(url=re.sub(r"limit=\d+", "limit=3", route.request.url))

    page.route("**/api/v1/runs/finished/fills*", small_pages)
    page.goto(f"{server.base}/#/run/finished")
    page.wait_for_selector("#fills tbody tr")
    page.unroute("**/api/v1/runs/finished/fills*")
    newest = api(page, "/api/v1/runs/finished/fills?limit=10000")["items"][-1]
    told = page.locator("#fills tbody tr").first.inner_text()
    assert format_utc(newest["open_time"]) in told
    assert newest["symbol"] in told


def test_charts_are_read_zoomed_and_opened_with_the_keyboard(page: Any) -> None:
    page.goto(page.url + "#/run/finished")
    page.wait_for_selector("#market .legend span")
    chart = page.locator("#market canvas")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    first = page.locator("#market .legend").inner_text()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#market .legend").inner_text() != first
    assert "close" in page.locator("#market .chart [aria-live]").inner_text()
    with page.expect_response(lambda answer: "/candles" in answer.url):
        page.keyboard.press("+")
    with page.expect_response(lambda answer: "/candles" in answer.url):
        page.keyboard.press("Home")


def test_a_live_run_changes_before_the_eyes_and_obeys(page: Any, live: Path) -> None:
    page.goto(page.url + "#/run/live")
    page.wait_for_selector(".hand button")
    about = page.locator("main p.quiet").nth(1)
    before = about.inner_text()
    page.wait_for_function(
        "before => document.querySelectorAll('main p.quiet')[1].textContent !== before",
        arg=before,
        timeout=15_000,
    )
    asked = page.evaluate("performance.getEntriesByType('navigation').length")
    page.click(".hand button:text-is('Pause')")
    page.wait_for_selector("dialog:has-text('nothing is opened')")
    page.click("dialog button.primary")
    page.wait_for_selector(
        "dialog h2:has-text('Taken'), dialog h2:has-text('Asked')", timeout=20_000
    )
    page.click("dialog button:text-is('Close')")
    page.wait_for_selector(".badge.halted", timeout=15_000)
    until(lambda: read_status(RunFolder(live)).paused == "paused")
    db = sqlite3.connect(live / "journal.db")
    (row,) = db.execute("SELECT kind, refused FROM commands").fetchall()
    assert row == ("pause", None)
    page.click(".hand button:text-is('Resume')")
    page.wait_for_selector("dialog:has-text('trading continues')")
    page.click("dialog button.primary")
    page.wait_for_selector(
        "dialog h2:has-text('Taken'), dialog h2:has-text('Asked')", timeout=20_000
    )
    until(lambda: read_status(RunFolder(live)).paused == "no")
    assert asked == 1  # nothing was loaded anew


@pytest.mark.parametrize(
    "page", [DESKTOP, PHONE, DARK, PHONE | DARK], indirect=True,
    ids=["desktop", "phone", "dark", "phone, dark"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["#/", "#/run/finished", "#/compare?run=finished&run=another"])
def test_a_screen_reader_finds_its_way_and_nothing_overflows(page: Any, path: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed"
    )
    page.goto(page.url.partition("#")[0] + path)
    page.wait_for_selector("h1")
    page.wait_for_timeout(1200)
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    grave = [v for v in found if v["impact"] in ("serious", "critical")]
    assert grave == [], json.dumps(
        [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in grave], indent=1
    )
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_signing_out_closes_the_page_and_every_copy_of_it(browser: Any, server: Serving) -> None:
    context = browser.new_context()
    page, other = context.new_page(), context.new_page()
    page.goto(server.link())
    page.wait_for_selector("table.overview")
    (cookie,) = context.cookies()
    assert cookie["name"] == f"mtl_paper_bot_{server.base.rpartition(':')[2]}"
    page.click("#leave")
    page.wait_for_url(f"{server.base}/open")
    context.add_cookies([cookie])  # a copy that somebody kept
    other.goto(f"{server.base}/")
    assert other.url == f"{server.base}/open"
    context.close()
