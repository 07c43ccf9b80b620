from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot.adapters.bybit.rest import BybitRest
from bot.adapters.bybit.retry import Backoff, Limiter
from bot.adapters.files.candle_files import read_candles, write_candles
from bot.adapters.files.data_root import DataRoot, Series
from bot.adapters.files.funding import read_funding
from bot.adapters.files.instruments import load_instruments
from bot.app.history.fetch import fetch
from bot.app.history.progress import Fetched, FetchProgress
from bot.config import Config, load_config
from bot.errors import ConfigError, ExchangeError
from bot.timegrid import DAY_MS, HOUR_MS
from tests.adapters.bybit import fake_bybit

NOW = 1_735_689_600_000 + 25 * 60_000  # 2025-01-01 00:25
CLOSED = NOW // HOUR_MS * HOUR_MS - HOUR_MS
BTC = Series("bybit_linear", "BTCUSDT", "1h")


def exchange(listed_ms: int = 0) -> Any:
    return fake_bybit.FakeBybit(NOW, listed_ms)


def run(
    root: Path, session: Any, start_ms: int, end_ms: int = NOW, *sets: str, tries: int = 2
) -> list[Fetched]:
    config: Config = load_config(None, ["market.symbols=BTCUSDT", *sets], {})
    rest = BybitRest(
        session,
        clock=lambda: 0.0,
        sleep=lambda s: None,
        limiter=Limiter(1e9),
        backoff=Backoff(tries=tries),
    )
    symbols = config.market.symbols
    return fetch(config, symbols, (start_ms, end_ms), root, lambda p: None, rest=lambda: rest)


def hours(root: Path) -> tuple[int, int, int]:
    """Return the first and last bar of the BTC file, in hours before the last closed, and rows."""
    candles = read_candles(DataRoot.at(root).find_candles(BTC), "1h")
    first, last = int(candles.time[0]), int(candles.time[-1])
    assert len(candles) == (last - first) // HOUR_MS + 1
    return (CLOSED - first) // HOUR_MS, (CLOSED - last) // HOUR_MS, len(candles)


def test_everything_of_a_contract_is_fetched(tmp_path: Path) -> None:
    done = run(tmp_path, exchange(), CLOSED - 2999 * HOUR_MS)
    assert [f.what for f in done] == ["candles", "mark", "funding", "instruments"]
    assert hours(tmp_path) == (2999, 0, 3000)
    where = DataRoot.at(tmp_path)
    mark = where.find_mark(BTC)
    assert mark is not None
    assert len(read_candles(*mark)) == 3000
    funding = where.find_funding("bybit_linear", "BTCUSDT")
    assert funding is not None
    assert len(read_funding(funding).time) == 375 + 1  # the funding of the open bar is known too
    instruments = load_instruments(tmp_path, "bybit_linear")
    assert {name: found.min_notional for name, found in instruments.items()} == {"BTCUSDT": 5.0}
    assert "BTCUSDT candles: 3000 new" in str(done[0])


def test_shorter_candles_inside_the_bars_are_fetched_too(tmp_path: Path) -> None:
    first = CLOSED - 9 * HOUR_MS
    done = run(tmp_path, exchange(), first, CLOSED, "market.finer_interval=5m")
    assert [f.what for f in done] == ["candles", "mark", "candles", "funding", "instruments"]
    inside = read_candles(DataRoot.at(tmp_path).find_candles(replace(BTC, interval="5m")), "5m")
    step = 5 * 60_000
    assert inside.time.tolist() == list(range(first, CLOSED + HOUR_MS, step))
    assert hours(tmp_path) == (9, 0, 10)


def test_a_second_fetch_asks_for_nothing(tmp_path: Path) -> None:
    start = CLOSED - 1500 * HOUR_MS
    session = exchange(listed_ms=CLOSED - 700 * HOUR_MS)
    run(tmp_path, session, start)
    before = {p: p.read_bytes() for p in sorted(tmp_path.rglob("*.*"))}
    asked = [session.count(call) for call in ("kline", "mark")]
    done = run(tmp_path, session, start)
    assert [f.new_rows for f in done] == [0, 0, 0, 0]
    assert [session.count(call) for call in ("kline", "mark")] == asked
    assert {p: p.read_bytes() for p in sorted(tmp_path.rglob("*.*"))} == before


def test_files_grow_at_both_ends(tmp_path: Path) -> None:
    session = exchange()
    run(tmp_path, session, CLOSED - 300 * HOUR_MS, CLOSED - 200 * HOUR_MS)
    assert hours(tmp_path) == (300, 200, 101)
    session.requests.clear()
    run(tmp_path, session, CLOSED - 3_000 * HOUR_MS, CLOSED - 100 * HOUR_MS)
    assert hours(tmp_path) == (3_000, 100, 2_901)
    assert session.count("kline") == 4, "a page after the file, three before it"
    funding = read_funding(tmp_path / "funding" / "bybit_linear_BTCUSDT_funding.parquet")
    assert np.all(np.diff(funding.time) == 8 * HOUR_MS)
    run(tmp_path, session, CLOSED - 10 * HOUR_MS)
    assert hours(tmp_path) == (3_000, 0, 3_001)


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("pages", [1, 2, 3, 5])
def test_an_interrupted_fetch_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: int, earlier: bool
) -> None:
    monkeypatch.setattr("bot.app.history.fetch_bybit.SAVE_ROWS", 2_000)
    session = exchange()
    if earlier:
        run(tmp_path, session, CLOSED - 50 * HOUR_MS)
    session.kline_requests_left = pages
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, session, CLOSED - 5_999 * HOUR_MS)
    first, last, rows = hours(tmp_path)
    assert (first == 5_999) != earlier
    assert rows == first - last + 1
    session.kline_requests_left = None
    session.requests.clear()
    run(tmp_path, session, CLOSED - 5_999 * HOUR_MS)
    assert hours(tmp_path) == (5_999, 0, 6_000)
    assert session.count("kline") <= 3 * -(-(6_000 - rows) // 2_000) + 1


def test_what_was_fetched_before_the_exchange_failed_is_kept(tmp_path: Path) -> None:
    session = exchange()
    whole = session.get_kline

    def fails_late(**query: Any) -> Any:
        if session.count("kline") >= 3:
            raise ConnectionError
        return whole(**query)

    session.get_kline = fails_late
    with pytest.raises(ExchangeError, match="cannot be reached"):
        run(tmp_path, session, CLOSED - 9_999 * HOUR_MS)
    assert hours(tmp_path) == (9_999, 7_003, 2_997), "three pages"


def test_spot_has_neither_funding_nor_mark(tmp_path: Path) -> None:
    done = run(tmp_path, exchange(), CLOSED - 10 * HOUR_MS, NOW, "market.venue=bybit_spot")
    assert [f.what for f in done] == ["candles", "instruments"]
    assert not (tmp_path / "funding").exists()


def test_progress_ends_at_its_total(tmp_path: Path) -> None:
    seen: list[FetchProgress] = []
    config = load_config(None, ["market.venue=bybit_spot", "market.symbols=BTCUSDT"], {})
    rest = BybitRest(exchange(), clock=lambda: 0.0, sleep=lambda s: None, limiter=Limiter(1e9))
    for start in (CLOSED - 3_500 * HOUR_MS, CLOSED - 5_000 * HOUR_MS):
        fetch(config, ("BTCUSDT",), (start, NOW), tmp_path, seen.append, rest=lambda: rest)
        assert seen[-1].done == seen[-1].total
    totals = {p.total for p in seen}
    assert totals == {3_501, 1_500}
    done = [p.done for p in seen if p.total == 3_501]
    assert done == sorted(done)


def test_impossible_wishes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--from is after --to"):
        run(tmp_path, exchange(), NOW, NOW - 1)
    with pytest.raises(ConfigError, match=r"market\.venue = 'binance_spot'"):
        run(tmp_path, exchange(), NOW - DAY_MS, NOW, "market.venue=binance_spot")
    with pytest.raises(ConfigError, match=r"market\.interval = '1h': Yahoo's bars"):
        run(tmp_path, exchange(), NOW - DAY_MS, NOW, "market.venue=us")


class FakeYahoo:
    """Business days of one stock, whose prices a split divides."""

    def __init__(self) -> None:
        self.split = 1.0
        self.asked: list[tuple[str, str]] = []

    def __call__(self, symbol: str, first: str, stop: str) -> pd.DataFrame:
        self.asked.append((first, stop))
        index = pd.date_range(first, stop, freq="B", inclusive="left", tz="America/New_York")
        days = (index.tz_localize(None) - pd.Timestamp("2020-01-01")).days.to_numpy()
        close = (100.0 + days) / self.split
        columns = {"Open": close, "High": close * 1.1, "Low": close * 0.9, "Close": close}
        return pd.DataFrame({**columns, "Volume": 1.0}, index=index)


def run_yahoo(root: Path, yahoo: FakeYahoo, start_ms: int, now_ms: int) -> Fetched:
    config = load_config(None, ["market.venue=us", "market.interval=1d", "market.symbols=AAPL"], {})
    span_ms = (start_ms, now_ms)
    (done,) = fetch(
        config, ("AAPL",), span_ms, root, lambda p: None, rest=BybitRest, download=yahoo,
        now_ms=now_ms,
    )  # fmt: skip
    return done


def test_daily_bars_go_on_and_are_renewed_by_a_split(tmp_path: Path) -> None:
    yahoo, start = FakeYahoo(), NOW - 100 * DAY_MS
    first = run_yahoo(tmp_path, yahoo, start, NOW)
    assert first.new_rows == first.rows > 60
    asked = len(yahoo.asked)
    assert run_yahoo(tmp_path, yahoo, start, NOW).new_rows == 0
    assert len(yahoo.asked) == asked
    later = run_yahoo(tmp_path, yahoo, start, NOW + 7 * DAY_MS)
    assert later.new_rows == 5
    before = read_candles(first.path, "1d")
    yahoo.split = 4.0
    run_yahoo(tmp_path, yahoo, start, NOW + 8 * DAY_MS)
    after = read_candles(first.path, "1d")
    np.testing.assert_allclose(
        after.column("close")[: len(before)], before.column("close") / 4.0, rtol=1e-12
    )
    earlier = run_yahoo(tmp_path, yahoo, start - 50 * DAY_MS, NOW + 8 * DAY_MS)
    assert earlier.new_rows > 30
    assert np.all(np.diff(read_candles(first.path, "1d").time) > 0)


def test_yahoo_never_shortens_a_file(tmp_path: Path) -> None:
    yahoo, start = FakeYahoo(), NOW - 100 * DAY_MS
    path = run_yahoo(tmp_path, yahoo, start, NOW).path
    before = path.read_bytes()

    def forgetful(symbol: str, first: str, stop: str) -> pd.DataFrame:
        return yahoo(symbol, first, stop).iloc[-3:]

    config = load_config(None, ["market.venue=us", "market.interval=1d", "market.symbols=AAPL"], {})
    span_ms = (start - DAY_MS * 9, NOW + 9 * DAY_MS)
    with pytest.raises(ExchangeError, match="days fewer than"):
        fetch(
            config, ("AAPL",), span_ms, tmp_path, lambda p: None,
            rest=BybitRest, download=forgetful, now_ms=NOW + 9 * DAY_MS,
        )  # fmt: skip
    assert path.read_bytes() == before


def test_a_csv_file_is_grown_as_csv(tmp_path: Path) -> None:
    session = exchange()
    run(tmp_path, session, CLOSED - 20 * HOUR_MS, CLOSED - 10 * HOUR_MS)
    parquet = DataRoot.at(tmp_path).find_candles(BTC)
    write_candles(parquet.with_suffix(".csv"), read_candles(parquet, "1h").frame())
    parquet.unlink()
    run(tmp_path, session, CLOSED - 30 * HOUR_MS)
    assert hours(tmp_path) == (30, 0, 31)
    assert not parquet.exists()
