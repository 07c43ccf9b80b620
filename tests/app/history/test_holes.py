"""Answers that are cut short, holes that the exchange has, hosts, waits and a missing network."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pybit.exceptions import FailedRequestError

from bot.adapters.bybit.hosts import REGIONS, TESTNET, hosts_of
from bot.adapters.bybit.rest import BybitRest
from bot.adapters.bybit.retry import Backoff, Limiter
from bot.adapters.files.candle_files import read_candles
from bot.adapters.files.data_root import DataRoot, Series
from bot.adapters.files.funding import read_funding
from bot.app.history.fetch import fetch, open_rest, telling
from bot.app.history.holes import funding_holes, holes, requests_for
from bot.app.history.progress import Fetched, noted_absent
from bot.config import load_config
from bot.config.schema import ExchangeSection, Synthetic
from bot.errors import ConfigError, ExchangeError
from bot.practice.exchange import PracticeExchange
from bot.practice.faults import Faults
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.timegrid import HOUR_MS
from tests.adapters.bybit import fake_bybit
from tests.served_practice import served_practice

if TYPE_CHECKING:
    from tests.conftest import Cli

NOW = 1_735_689_600_000 + 25 * 60_000  # 2025-01-01 00:25
CLOSED = NOW // HOUR_MS * HOUR_MS - HOUR_MS
BTC = Series("bybit_linear", "BTCUSDT", "1h")
Cut = Callable[[list[Any]], list[Any]]


def cutting(cut: Cut, listed_ms: int = 0) -> Any:
    """Return an exchange whose lists of candles and rates are cut as told."""
    session: Any = fake_bybit.FakeBybit(NOW, listed_ms)
    answer = session.answer

    def cut_answer(result: dict[str, Any]) -> dict[str, Any]:
        rows = result.get("list", [])
        if rows and "lotSizeFilter" not in rows[0] and len(rows) > 1:
            result = result | {"list": cut(rows)}
        told: dict[str, Any] = answer(result)
        return told

    session.answer = cut_answer
    return session


def run(root: Path, session: Any, start_ms: int, end_ms: int = NOW) -> list[Fetched]:
    config = load_config(None, ["market.symbols=BTCUSDT"], {})
    rest = BybitRest(
        session, clock=lambda: 0.0, sleep=lambda s: None, limiter=Limiter(1e9),
        backoff=Backoff(tries=2),
    )  # fmt: skip
    span = (start_ms, end_ms)
    return fetch(config, ("BTCUSDT",), span, root, lambda p: None, rest=lambda: rest)


def times(root: Path) -> list[int]:
    found: list[int] = read_candles(DataRoot.at(root).find_candles(BTC), "1h").time.tolist()
    return found


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), share=st.floats(0.1, 1.0), back=st.integers(50, 2500))
def test_no_cut_answer_leaves_a_hole_for_good(
    tmp_path_factory: pytest.TempPathFactory, seed: int, share: float, back: int
) -> None:
    """Whatever stretch of whichever answers is lost, a fetch of good answers makes it whole."""
    root, dice = tmp_path_factory.mktemp("cut"), random.Random(seed)

    def cut(rows: list[Any]) -> list[Any]:
        if dice.random() > share:
            return rows
        first = dice.randrange(len(rows))
        stop = dice.randrange(first, len(rows)) + 1
        return rows[:first] + rows[stop:]

    start = CLOSED - back * HOUR_MS
    run(root, cutting(cut), start, CLOSED - back // 2 * HOUR_MS)
    run(root, cutting(cut), start)
    session = cutting(lambda rows: rows)
    run(root, session, start - 10 * HOUR_MS)
    known = times(root)
    assert holes(np.array(known), HOUR_MS) == []
    assert known[-1] == CLOSED
    assert known[0] <= start
    rates = read_funding(root / "funding" / "bybit_linear_BTCUSDT_funding.parquet")
    assert (np.diff(rates.time) == 8 * HOUR_MS).all()
    asked = session.count("kline")
    assert all(not f.absent for f in run(root, session, start - 10 * HOUR_MS))
    assert session.count("kline") == asked, "a whole file is asked for nothing"


@pytest.mark.parametrize("end", ["oldest", "newest", "middle", "all but one"])
def test_one_cut_answer_is_mended_in_the_same_fetch(tmp_path: Path, end: str) -> None:
    struck: list[int] = []

    def cut(rows: list[Any]) -> list[Any]:  # newest first
        if struck or len(rows) < 100:
            return rows
        struck.append(len(rows))
        kept = {"oldest": rows[-50:], "newest": rows[:50], "middle": rows[:20] + rows[60:]}
        return kept.get(end, rows[40:41])

    run(tmp_path, cutting(cut), CLOSED - 1500 * HOUR_MS)
    assert struck
    assert times(tmp_path) == list(range(CLOSED - 1500 * HOUR_MS, CLOSED + 1, HOUR_MS))


@pytest.mark.parametrize("kept", ["newest", "oldest"])
def test_an_exchange_that_gives_half_of_what_is_asked_for_leaves_no_hole(
    tmp_path: Path, kept: str
) -> None:
    def cut(rows: list[Any]) -> list[Any]:  # newest first
        return rows[: len(rows) // 2 + 1] if kept == "newest" else rows[len(rows) // 2 :]

    run(tmp_path, cutting(cut), CLOSED - 2500 * HOUR_MS)
    known = times(tmp_path)
    assert known[0] == CLOSED - 2500 * HOUR_MS
    assert set(np.diff(known).tolist()) == {HOUR_MS}
    assert len(known) > 2000


@pytest.mark.parametrize(
    ("column", "value"), [(1, "1e300"), (2, "1"), (3, "0"), (4, "-1"), (5, "-3"), (6, "-1")]
)
def test_a_candle_that_cannot_be_true_costs_its_bar_and_no_other(
    tmp_path: Path, column: int, value: str
) -> None:
    odd_ms = CLOSED - 20 * HOUR_MS

    def spoilt(rows: list[Any]) -> list[Any]:
        for row in rows:
            if isinstance(row, list) and int(row[0]) == odd_ms and len(row) > column:
                row[column] = value
        return rows

    start = CLOSED - 1200 * HOUR_MS
    done = run(tmp_path, cutting(spoilt), start)[0]
    assert done.untrue == (odd_ms,)
    assert "; 1 left out that cannot be true" in str(done)
    assert done.absent == ((odd_ms, odd_ms),)
    assert times(tmp_path) == [t for t in range(start, CLOSED + 1, HOUR_MS) if t != odd_ms]
    mended = run(tmp_path, cutting(lambda rows: rows), start)[0]
    assert (mended.untrue, mended.absent, mended.new_rows) == ((), (), 1)


def test_a_hole_of_the_exchange_is_told_remembered_and_asked_for_once_a_fetch(
    tmp_path: Path,
) -> None:
    lost = {CLOSED - 700 * HOUR_MS, CLOSED - 699 * HOUR_MS, CLOSED - 20 * HOUR_MS}

    def cut(rows: list[Any]) -> list[Any]:
        return [row for row in rows if isinstance(row, dict) or int(row[0]) not in lost]

    session, start = cutting(cut), CLOSED - 1200 * HOUR_MS
    first = run(tmp_path, session, start)[0]
    assert first.absent == ((min(lost), min(lost) + HOUR_MS), (max(lost), max(lost)))
    assert "2 holes that the exchange does not fill, from 2024-12-02" in str(first)
    assert noted_absent(first.path) == first.absent
    before, asked = first.path.read_bytes(), session.count("kline")
    again = run(tmp_path, session, start)[0]
    assert (again.absent, again.new_rows) == (first.absent, 0)
    assert first.path.read_bytes() == before
    assert session.count("kline") - asked <= 2  # the question, and what shows that it is over
    lost.clear()
    assert run(tmp_path, session, start)[0].new_rows == 3
    assert noted_absent(first.path) == ()
    assert len(times(tmp_path)) == 1201


def test_a_young_symbol_has_no_hole_before_it(tmp_path: Path) -> None:
    session = cutting(lambda rows: rows, listed_ms=CLOSED - 300 * HOUR_MS)
    done = run(tmp_path, session, CLOSED - 3000 * HOUR_MS)
    assert [f.absent for f in done] == [(), (), (), ()]
    assert times(tmp_path)[0] == CLOSED - 300 * HOUR_MS


@given(
    present=st.sets(st.integers(0, 60), min_size=2), step=st.integers(1, 1000),
)  # fmt: skip
def test_holes_are_what_is_not_there(present: set[int], step: int) -> None:
    at = sorted(present)
    found = holes(np.array(at, np.int64) * step, step)
    missing = {t for first, last in found for t in range(first, last + 1, step)}
    assert missing == {t * step for t in range(at[0], at[-1])} - {t * step for t in at}
    asked = requests_for(found, step)
    assert all(any(a <= f and t <= b for a, b in asked) for f, t in found)


def test_a_step_that_changes_for_good_is_no_hole_in_the_funding() -> None:
    steps = [8, 8, 8, 4, 4, 4, 1, 1, 1, 1, 1, 8, 8]
    times = np.cumsum([0, *steps]) * HOUR_MS
    assert funding_holes(times) == []
    gone = np.delete(times, 9)  # one of the hours
    assert [last - first for first, last in funding_holes(gone)] == [2 * HOUR_MS - 2]


def test_each_region_has_hosts_and_an_unknown_one_is_refused_with_the_list() -> None:
    for region, hosts in REGIONS.items():
        config = load_config(None, [f"exchange.region={region}"], {})
        assert hosts_of(config.exchange) == hosts
    assert hosts_of(ExchangeSection()).rest == "https://api.bybit.com"
    assert hosts_of(ExchangeSection(region="turkey")).stream == "wss://stream.bybit-tr.com"
    assert hosts_of(ExchangeSection(testnet=True)) == TESTNET
    given = ExchangeSection(rest_url="http://localhost:9/", stream_url="ws://localhost:9")
    assert hosts_of(given).rest == "http://localhost:9"
    with pytest.raises(ConfigError) as caught:
        load_config(None, ["exchange.region=mars"], {})
    assert all(region in str(caught.value) for region in REGIONS)
    with pytest.raises(ConfigError, match=r"exchange\.region = 'uae' and exchange\.testnet"):
        load_config(None, ["exchange.region=uae", "exchange.testnet=true"], {})


def test_without_a_network_it_says_so_at_once() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        settings = ExchangeSection(rest_url=url, stream_url="ws://127.0.0.1:1")
        told: list[str] = []
        began = time.monotonic()
        with pytest.raises(
            ExchangeError, match=r"\(connection refused\); check the network"
        ) as caught:
            open_rest(settings, told.append).server_time_ms()
    assert url in str(caught.value)
    assert time.monotonic() - began < 3.0
    assert told == []


def test_a_name_that_nobody_knows_is_named() -> None:
    settings = ExchangeSection(rest_url="http://no-such-host.invalid", stream_url="ws://x.invalid")
    with pytest.raises(ExchangeError, match=r"no-such-host\.invalid: .*cannot be"):
        open_rest(settings, lambda line: None).server_time_ms()


def test_a_connection_that_breaks_later_is_asked_again(tmp_path: Path) -> None:
    slept: list[float] = []
    session: Any = fake_bybit.FakeBybit(NOW, 0)
    rest = BybitRest(
        session, clock=lambda: 0.0, sleep=slept.append, limiter=Limiter(1e9),
        backoff=Backoff(tries=3), patient_at_first=False,
    )  # fmt: skip
    rest.server_time_ms()
    session.errors = [ConnectionError("Connection refused")] * 2
    assert rest.server_time_ms() == NOW
    assert len([seconds for seconds in slept if seconds > 0.1]) == 2


def test_a_wait_is_told_before_it_with_its_reason_and_its_end() -> None:
    told: list[str] = []
    session: Any = fake_bybit.FakeBybit(NOW, 0)
    session.errors = [FailedRequestError("GET", "Forbidden", 403, "now", None)]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if seconds >= 600.0:
            assert len(told) == 1, "it is told before the wait"

    rest = BybitRest(
        session, clock=lambda: sum(slept), sleep=sleep, limiter=Limiter(1e9),
        backoff=Backoff(tries=2), on_wait=telling(told.append),
    )  # fmt: skip
    assert rest.server_time_ms() == NOW
    [line] = told
    assert "HTTP 403" in line
    assert "asks again in 600 s, at 20" in line
    assert "exchange.region" in line


@pytest.fixture
def practice() -> Iterator[tuple[PracticeExchange, PracticeMarket]]:
    """A practice exchange that fails now and then, in a loop of its own, 300 hours in."""
    market = PracticeMarket(SyntheticMarket(Synthetic(symbols=1), HOUR_MS))
    faults = Faults(unavailable=0.4, seed=3)
    with served_practice(market, START_MS + 300 * HOUR_MS, faults) as exchange:
        yield exchange, market


def test_fetch_obeys_the_settings_of_the_exchange(
    practice: tuple[PracticeExchange, PracticeMarket], cli: Cli, tmp_path: Path
) -> None:
    exchange, market = practice
    sets = [
        f"exchange.rest_url={exchange.rest_url}", f"exchange.stream_url={exchange.stream_url}",
        "exchange.source=practice", "exchange.reconnect_first_s=0.01", "exchange.request_tries=12",
        "exchange.requests_per_second=100", "market.symbols=SYN0USDT",
    ]  # fmt: skip
    options = [word for item in sets for word in ("--set", item)]
    said = cli("fetch", "--data", tmp_path, "--from", "2023-01-01", *options)
    assert said.code == 0, said.err
    assert "SYN0USDT candles: 300 new" in said.out
    assert "the exchange answers HTTP 503; asks again in" in said.err
    close = read_candles(tmp_path / "candles" / "bybit_linear_SYN0USDT_1h.parquet", "1h")
    np.testing.assert_array_equal(close.column("close"), market.source.block(0, 300).close[:, 0])
    hasty = cli("fetch", "--data", tmp_path / "b", "--from", "2023-01-01", *options,
                "--set", "exchange.request_tries=1")  # fmt: skip
    assert hasty.code == 4
    assert "HTTP 503" in hasty.err
