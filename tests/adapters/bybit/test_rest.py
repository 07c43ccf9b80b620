from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pybit.exceptions import FailedRequestError, InvalidRequestError

from bot.adapters.bybit.asking import open_session
from bot.adapters.bybit.present import Present
from bot.adapters.bybit.rest import INTERVAL_CODE, BybitRest, category_of
from bot.adapters.bybit.retry import Backoff, Limiter
from bot.adapters.files.candles import Candles, check_candles
from bot.errors import ConfigError, DataError, ExchangeError
from bot.portfolio.instruments import Instrument, Tier
from bot.timegrid import DAY_MS, HOUR_MS, INTERVAL_MS
from tests.adapters.bybit import fake_bybit

TIERS = (Tier(1000.0, 0.01, 0.0, 50.0), Tier(3000.0, 0.02, 10.0, 25.0))
"""Of every contract of the fake exchange."""

NOW = 1_735_689_600_000 + 25 * 60_000  # 2025-01-01 00:25


class Waits:
    """A clock that moves only while slept."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def client(session: Any, waits: Waits | None = None, **options: Any) -> BybitRest:
    waits = waits or Waits()
    return BybitRest(
        session, clock=lambda: waits.now_s, sleep=waits.sleep, dice=lambda: 1.0, **options
    )


class Ahead(fake_bybit.FakeBybit):
    """Tells a time ten seconds ahead; the volume of a candle is when its answer was made."""

    def get_kline(self, **query: Any) -> Any:
        answer = super().get_kline(**query)
        answer["time"] += 10_000
        for row in answer["result"]["list"]:
            row[5] = str(self.now_ms)
        self.now_ms += 60  # while the answer is on its way
        return answer


@pytest.mark.parametrize("shown_by_another", [False, True])
def test_a_candle_is_judged_by_what_was_known_when_it_was_asked_for(
    shown_by_another: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = NOW // HOUR_MS * HOUR_MS
    session, present = Ahead(end - 50, listed_ms=0), Present(monotonic=lambda: 0.0)
    rest = client(session, present=present)
    ask = session.get_kline

    def asked(**query: Any) -> Any:
        answer = ask(**query)
        present.shown(end)  # another symbol's answer was made later, and came first
        return answer

    if shown_by_another:
        monkeypatch.setattr(session, "get_kline", asked)
    (page,) = rest.klines("bybit_linear", "A", "1h", end - HOUR_MS, end - HOUR_MS)
    assert page.over_ms >= end
    assert page.candles.column("volume").tolist() == [end + 70]
    assert session.count("kline") == 3


@settings(max_examples=40, deadline=None)
@given(
    interval=st.sampled_from(sorted(INTERVAL_CODE)),
    bars=st.integers(1, 4500),
    back=st.integers(0, 2500),
    listed=st.integers(0, 4500),
    jitter=st.integers(-59_999, 59_999),
)
def test_any_length_is_fetched_exactly_once(
    interval: str, bars: int, back: int, listed: int, jitter: int
) -> None:
    step = INTERVAL_MS[interval]
    last = NOW // step * step - back * step
    start, end = last - (bars - 1) * step + jitter, last + jitter
    session: Any = fake_bybit.FakeBybit(NOW, last - listed * step)
    for call, pages in (
        ("kline", client(session).kline_pages("bybit_spot", "BTCUSDT", interval, start, end)),
        ("mark", client(session).mark_pages("bybit_linear", "BTCUSDT", interval, start, end)),
    ):
        got = list(pages)
        candles = Candles.concat([page for page in got if len(page)])
        low = max(start, session.listed_ms)
        wanted = [t for t in range(-(-low // step) * step, end + 1, step) if t + step <= NOW]
        assert candles.time.tolist() == wanted
        # where nothing newer was there: what the newest is, and the page once again
        assert 0 <= session.count(call) - len(got) <= 2
        assert len(got) <= bars // 999 + 1
        assert candles.column("close").tolist() == [fake_bybit.price(t) for t in wanted]
        check_candles(candles, interval, "fetched", str)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([1, 2, 4, 8]), st.integers(0, 400), st.integers(0, 400))
def test_funding_of_any_schedule_is_complete(step_h: int, days: int, listed: int) -> None:
    session: Any = fake_bybit.FakeBybit(NOW, NOW - listed * DAY_MS, step_h * HOUR_MS)
    start = NOW - days * DAY_MS
    got = client(session).funding_history("bybit_linear", "BTCUSDT", start, NOW)
    low = max(start, session.listed_ms)
    step = step_h * HOUR_MS
    assert got.time.tolist() == list(range(-(-low // step) * step, NOW + 1, step))
    assert np.all(got.rate == 1e-4)


def test_instruments_are_paged_for_contracts_and_not_for_spot() -> None:
    session: Any = fake_bybit.FakeBybit(NOW, 0)
    names = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "NOSUCH"]
    linear = client(session).instruments("bybit_linear", names)
    assert list(linear) == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert linear["SOLUSDT"] == Instrument(0.001, 0.001, 5.0, tiers=TIERS)
    assert session.count("instruments") == 2
    assert session.count("risk") == 3
    assert client(session).instruments("bybit_spot", ["BTCUSDT"])["BTCUSDT"] == Instrument(
        1e-6, 1.1e-5, 5.0
    )
    assert "limit" not in session.requests[-1][1]
    assert session.count("risk") == 3


def test_many_risk_limits_are_asked_by_page() -> None:
    names = ["BTCUSDT", "ETHUSDT", "SOLUSDT", *(f"S{i}" for i in range(18))]
    session = listing(*({"symbol": name, "lotSizeFilter": SIZES} for name in names))
    found = client(session).instruments("bybit_linear", names)
    assert {n: i.tiers for n, i in found.items() if i.tiers} == dict.fromkeys(names[:3], TIERS)
    assert list(found) == names
    asked = [query for call, query in session.requests if call == "risk"]
    assert [query.get("cursor") for query in asked] == [None, "1", "2"]
    assert not any("symbol" in query for query in asked)


def test_a_contract_of_which_bybit_tells_no_tiers_has_none() -> None:
    session: Any = fake_bybit.FakeBybit(NOW, 0)
    refusal = InvalidRequestError("GET", "Not supported symbols", 10001, "12:00", {})

    def refuse(**_: Any) -> Any:
        raise refusal

    session.get_risk_limit = refuse
    found = client(session).instruments("bybit_linear", ["BTCUSDT"])
    assert found == {"BTCUSDT": Instrument(0.001, 0.001, 5.0)}


def test_an_answer_about_another_symbol_changes_no_tiers() -> None:
    session: Any = fake_bybit.FakeBybit(NOW, 0)
    answer = session.get_risk_limit(category="linear", symbol="BTCUSDT")
    session.get_risk_limit = lambda **_: answer
    found = client(session).instruments("bybit_linear", ["BTCUSDT", "ETHUSDT"])
    assert found["BTCUSDT"].tiers == TIERS
    assert found["ETHUSDT"].tiers == ()


def listing(*entries: Any) -> Any:
    """Return a session whose instruments-info has these entries."""
    session: Any = fake_bybit.FakeBybit(NOW, 0)
    session.get_instruments_info = lambda **_: {"retCode": 0, "result": {"list": list(entries)}}
    return session


SIZES: dict[str, Any] = {"qtyStep": "0.001", "minOrderQty": "0.002", "minNotionalValue": "5"}


def test_an_instrument_carries_its_currencies_and_kind() -> None:
    entry = {
        "symbol": "BTC-27DEC24", "status": "Delivering", "contractType": "LinearFutures",
        "baseCoin": "BTC", "quoteCoin": "USD", "settleCoin": "USDC", "lotSizeFilter": SIZES,
    }  # fmt: skip
    found = client(listing(entry)).instruments("bybit_linear", ["BTC-27DEC24"])
    assert found["BTC-27DEC24"] == Instrument(
        0.001, 0.002, 5.0, "BTC", "USD", "USDC", "LinearFutures", "Delivering", tiers=TIERS
    )


@pytest.mark.parametrize(
    "odd",
    [
        None, 7, [], {}, {"symbol": None}, {"symbol": ["A"]}, {"symbol": {}},
        {"symbol": "ODD"}, {"symbol": "ODD", "lotSizeFilter": None},
        {"symbol": "ODD", "lotSizeFilter": {"qtyStep": ""}},
        {"symbol": "ODD", "lotSizeFilter": SIZES | {"qtyStep": "-1"}},
    ],
)  # fmt: skip
def test_an_odd_entry_of_another_symbol_costs_nothing(odd: Any) -> None:
    entries = [odd, {"symbol": "GOOD", "lotSizeFilter": SIZES}, odd]
    found = client(listing(*entries)).instruments("bybit_linear", ["GOOD"])
    assert found == {"GOOD": Instrument(0.001, 0.002, 5.0, tiers=TIERS)}


ODD_SIZES: list[tuple[str, list[Any]]] = [
    ("qtyStep", ["", "-1", "0", "nan", "inf", "x", None, True, [], 10**400]),
    ("minOrderQty", ["", "-1", "nan", "inf", None, False, {}]),
    ("minNotionalValue", ["-5", "nan", "x", ["5"]]),
]


@pytest.mark.parametrize(
    "sizes",
    [
        None, [], {}, {"qtyStep": "1"}, {"minOrderQty": "1"},
        *(SIZES | {key: value} for key, values in ODD_SIZES for value in values),
    ],
)  # fmt: skip
def test_an_odd_entry_of_a_symbol_asked_for_is_refused_by_name(sizes: Any) -> None:
    entry = {"symbol": "ODD", "lotSizeFilter": sizes}
    with pytest.raises(DataError, match=r"instruments-info .*of ODD has .*expected a positive"):
        client(listing(entry)).instruments("bybit_linear", ["ODD"])


def delivered(*rows: Any) -> Any:
    session: Any = fake_bybit.FakeBybit(NOW, 0)
    session.get_option_delivery_price = lambda **_: answered({"list": list(rows)})
    return session


def test_the_newest_delivery_of_the_symbol_is_told() -> None:
    rows = [
        {"symbol": "B", "deliveryPrice": "9", "deliveryTime": "300"},
        {"symbol": "A", "deliveryPrice": "1.5", "deliveryTime": "100"},
        {"symbol": "A", "deliveryPrice": "2.5", "deliveryTime": "200"},
    ]
    assert client(delivered(*rows)).delivery("bybit_linear", "A") == (200, 2.5)
    assert client(delivered(rows[0])).delivery("bybit_linear", "A") is None
    session = fake_bybit.FakeBybit(NOW, 0)
    assert client(session).delivery("bybit_inverse", "A") == (1672041600000, 12.5)
    assert session.requests[-1] == ("delivery", {"category": "inverse", "symbol": "A"})


@pytest.mark.parametrize("price", ["", "0", "-1", "nan", "inf", None, True, []])
def test_a_delivery_at_no_price_is_none(price: Any) -> None:
    row = {"symbol": "A", "deliveryPrice": price, "deliveryTime": "100"}
    assert client(delivered(row)).delivery("bybit_linear", "A") is None


@pytest.mark.parametrize(
    "row", [{"symbol": "A"}, {"symbol": "A", "deliveryPrice": "1", "deliveryTime": "soon"}]
)
def test_a_malformed_delivery_is_refused(row: Any) -> None:
    with pytest.raises(ExchangeError):
        client(delivered(row)).delivery("bybit_linear", "A")


def test_an_endless_cursor_ends() -> None:
    session: Any = fake_bybit.FakeBybit(NOW, 0)
    sizes = {"qtyStep": "1", "minOrderQty": "1"}
    page = {"list": [{"symbol": "A", "lotSizeFilter": sizes}], "nextPageCursor": "again"}
    session.get_instruments_info = lambda **_: {"retCode": 0, "result": page}
    found = client(session).instruments("bybit_inverse", ["A"])
    assert found == {"A": Instrument(1.0, 1.0, 0.0, tiers=TIERS)}


def test_requests_are_spaced() -> None:
    waits, session = Waits(), fake_bybit.FakeBybit(NOW, 0)
    rest = client(session, waits, limiter=Limiter(4.0))
    for _ in range(5):
        assert rest.server_time_ms() == NOW
    assert waits.now_s == pytest.approx(1.0)


def test_transient_errors_are_retried_with_growing_waits() -> None:
    waits, session = Waits(), fake_bybit.FakeBybit(NOW, 0)
    told: list[str] = []
    session.errors = [
        ConnectionError(),
        InvalidRequestError("GET", "Too many visits", 10006, "t", {}),
        ValueError("sleep length must be non-negative"),
        FailedRequestError("GET", "down", 503, "t", {}),
    ]
    rest = client(session, waits, limiter=Limiter(1e9), on_wait=lambda s, text: told.append(text))
    assert rest.server_time_ms() == NOW
    assert [s for s in waits.slept if s > 1e-6] == pytest.approx([0.5, 1.0, 2.0, 4.0])
    assert "cannot be reached" in told[0]
    assert "rate limit" in told[1]


def test_a_ban_waits_ten_minutes() -> None:
    waits, session = Waits(), fake_bybit.FakeBybit(NOW, 0)
    session.errors = [FailedRequestError("GET", "access too frequent", 403, "t", {})]
    assert client(session, waits).server_time_ms() == NOW
    assert max(waits.slept) >= 600.0


def test_a_ban_holds_who_has_a_turn_already() -> None:
    """Two clients share the limiter; while the second waits for its turn, the first is barred."""
    waits, session = Waits(), fake_bybit.FakeBybit(NOW, 0)
    limiter = Limiter(0.5)
    session.errors = [FailedRequestError("GET", "access too frequent", 403, "t", {})]
    one = client(session, waits, limiter=limiter, backoff=Backoff(tries=1))
    asked_s: list[float] = []

    def sleep(seconds: float) -> None:
        if not asked_s:  # the second has its turn in two seconds; the first asks now
            asked_s.append(waits.now_s)
            with pytest.raises(ExchangeError, match="HTTP 403"):
                one.server_time_ms()
        waits.sleep(seconds)

    other = BybitRest(session, limiter=limiter, clock=lambda: waits.now_s, sleep=sleep)
    assert limiter.reserve(waits.now_s) == 0.0
    assert other.server_time_ms() == NOW
    assert waits.now_s >= 600.0


def test_a_ban_is_waited_out_also_after_giving_up() -> None:
    waits, session = Waits(), fake_bybit.FakeBybit(NOW, 0)
    session.errors = [FailedRequestError("GET", "access too frequent", 403, "t", {})] * 2
    rest = client(session, waits, backoff=Backoff(tries=2))
    with pytest.raises(ExchangeError, match="after 2 tries"):
        rest.server_time_ms()
    assert waits.now_s == pytest.approx(600.0)
    assert rest.server_time_ms() == NOW
    assert waits.now_s == pytest.approx(1200.0)


def test_it_gives_up_in_plain_words() -> None:
    session: Any = fake_bybit.FakeBybit(NOW, 0)
    session.errors = [ConnectionError() for _ in range(9)]
    with pytest.raises(
        ExchangeError, match=r"cannot be reached .*after 3 tries; check the network"
    ):
        client(session, backoff=Backoff(tries=3)).server_time_ms()
    session.errors = [InvalidRequestError("GET", "Not supported symbols", 10001, "t", {})]
    pages = client(fake_kline_error(session)).kline_pages("bybit_linear", "NOPE", "1h", 0, NOW)
    with pytest.raises(ExchangeError, match=r"linear NOPE 60: .*Not supported symbols"):
        list(pages)


def fake_kline_error(session: Any) -> Any:
    """Let the first request, of the time, pass, and the candles fail."""
    session.get_server_time = lambda: {"retCode": 0, "result": {"timeNano": str(NOW * 1_000_000)}}
    return session


def answered(result: Any) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": result, "time": NOW}


GOOD = ["1735682400000", "1", "2", "0.5", "1.5", "10", "15"]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        None,
        {"retCode": 0},
        {"retCode": 0, "result": []},
        {"retCode": 0, "result": {"list": None}},
        {"retCode": 0, "result": {"list": [GOOD[:4]]}},
        {"retCode": 0, "result": {"list": ["1735682400000"]}},
        {"retCode": 0, "result": {"list": [[None, *GOOD[1:]]]}},
        {"retCode": 0, "result": {"list": [[*GOOD[:3], "x", *GOOD[4:]]]}},
        {"retCode": 0, "result": {"list": [[*GOOD[:3], "nan", *GOOD[4:]]]}},
        {"retCode": 0, "result": {"list": [[*GOOD[:3], "0_5", *GOOD[4:]]]}},
        {"retCode": 0, "result": {"list": [[*GOOD[:3], "\u0661", *GOOD[4:]]]}},
        {"result": {"list": [GOOD]}},
        {"retCode": None, "result": {"list": [GOOD]}},
        {"retCode": False, "result": {"list": [GOOD]}},
        {"retCode": 10006, "result": {"list": [GOOD]}},
        {"retCode": 0, "result": {"list": [GOOD, GOOD]}},
        {"retCode": 0, "result": {"list": [["1735600000000", *GOOD[1:]]]}},
    ],
)
def test_malformed_candles_are_refused(answer: Any) -> None:
    session = fake_kline_error(fake_bybit.FakeBybit(NOW, 0))
    session.get_kline = lambda **_: answer if answer is None else {"time": NOW, **dict(answer)}
    pages = client(session, backoff=Backoff(tries=2)).kline_pages(
        "bybit_spot", "BTCUSDT", "1h", NOW - 5 * HOUR_MS, NOW
    )
    with pytest.raises(ExchangeError):
        list(pages)


@pytest.mark.parametrize(
    "row",
    [
        {},
        "row",
        {"symbol": "ETHUSDT", "fundingRate": "1", "fundingRateTimestamp": str(NOW)},
        {"symbol": "BTCUSDT", "fundingRate": "", "fundingRateTimestamp": str(NOW)},
        {"symbol": "BTCUSDT", "fundingRate": "1", "fundingRateTimestamp": "0"},
    ],
)
def test_malformed_funding_is_refused(row: Any) -> None:
    session: Any = fake_bybit.FakeBybit(NOW, 0)
    session.get_funding_rate_history = lambda **_: {"retCode": 0, "result": {"list": [row]}}
    with pytest.raises(ExchangeError):
        client(session).funding_history("bybit_linear", "BTCUSDT", NOW - HOUR_MS, NOW)


def test_a_recorded_answer_is_read() -> None:
    session = fake_kline_error(fake_bybit.FakeBybit(NOW, 0))
    rows = [
        ["1670608800000", "17071", "17073", "17027", "17055.5", "268611", "15.74462667"],
        ["1670605200000", "17071.5", "17071.5", "17061", "17071", "4177", "0.24469757"],
        ["1670601600000", "17086.5", "17088", "16978", "17071.5", "6356", "0.37288112"],
    ]
    newer = [str(NOW // HOUR_MS * HOUR_MS), *rows[0][1:]]
    session.get_kline = lambda **query: answered({"list": rows if "start" in query else [newer]})
    pages = client(session).kline_pages(
        "bybit_inverse", "BTCUSD", "1h", 1670601600000, 1670608800000
    )
    (page,) = pages
    assert page.time.tolist() == [1670601600000, 1670605200000, 1670608800000]
    assert page.values[0].tolist() == [17086.5, 17088, 16978, 17071.5, 6356, 0.37288112]


def test_only_bybit_has_categories() -> None:
    with pytest.raises(ConfigError, match=r"market\.venue = 'binance_spot'"):
        category_of("binance_spot")


def test_the_session_points_where_told_and_leaves_retries_to_us() -> None:
    session: Any = open_session("http://127.0.0.1:9/")
    assert session.endpoint == "http://127.0.0.1:9"
    assert not session.retry_codes
    assert session.max_retries == 1
    session.client.close()
