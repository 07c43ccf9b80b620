"""What Bybit says of its symbols: recorded answers, and what makes no sense of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.bybit.instruments import instrument_of, tiers_of_rows
from bot.errors import DataError
from bot.portfolio.instruments import Instrument, Tier
from bot.portfolio.margin_tiers import BTCUSDT

if TYPE_CHECKING:
    from tests.conftest import Wire

LINEAR: dict[str, Any] = {
    "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "BTC",
    "quoteCoin": "USDT", "launchTime": "1585526400000", "deliveryTime": "0", "deliveryFeeRate": "",
    "priceScale": "2",
    "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
    "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
    "lotSizeFilter": {
        "maxOrderQty": "1190.000", "minOrderQty": "0.001", "qtyStep": "0.001",
        "postOnlyMaxOrderQty": "1190.000", "maxMktOrderQty": "500.000", "minNotionalValue": "5",
    },
    "unifiedMarginTrade": True, "fundingInterval": 480, "settleCoin": "USDT",
    "upperFundingRate": "0.00375", "lowerFundingRate": "-0.00375", "isPreListing": False,
}  # fmt: skip
"""As in the documentation of instruments-info."""
SPOT: dict[str, Any] = {
    "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading",
    "lotSizeFilter": {
        "basePrecision": "0.000001", "quotePrecision": "0.0000001", "minOrderQty": "0.000011",
        "maxOrderQty": "83", "minOrderAmt": "5", "maxOrderAmt": "8000000", "maxLimitOrderQty": "83",
        "maxMarketOrderQty": "41.5", "postOnlyMaxLimitOrderSize": "60000",
    },
    "priceFilter": {"tickSize": "0.1"},
}  # fmt: skip


def risk(limit: str, rate: Any, initial: Any, leverage: str, deduction: Any = "") -> dict[str, Any]:
    return {
        "id": 1, "symbol": "X", "riskLimitValue": limit, "maintenanceMargin": rate,
        "initialMargin": initial, "isLowestRisk": 0, "maxLeverage": leverage, "mmDeduction": deduction,
    }  # fmt: skip


def test_a_contract() -> None:
    assert instrument_of(LINEAR) == Instrument(
        0.001, 0.001, 5.0, "BTC", "USDT", "USDT", "LinearPerpetual", "Trading",
        tick_size=0.1, max_market_quantity=500.0, max_limit_quantity=1190.0, max_leverage=100.0,
        funding_interval_min=480, max_funding_rate=0.00375, min_funding_rate=-0.00375,
        launch_ms=1_585_526_400_000, delivery_ms=0,
    )  # fmt: skip


def test_what_is_traded_for_cash() -> None:
    assert instrument_of(SPOT) == Instrument(
        1e-6, 1.1e-5, 5.0, "BTC", "USDT", "", "", "Trading",
        tick_size=0.1, max_market_quantity=41.5, max_limit_quantity=83.0,
    )  # fmt: skip


def test_a_symbol_that_is_to_be_delisted_says_when() -> None:
    entry = LINEAR | {"status": "Trading", "deliveryTime": "1760352369814"}
    assert instrument_of(entry).delivery_ms == 1_760_352_369_814


def test_what_is_absent_or_empty_is_not_known() -> None:
    sizes = {"qtyStep": "0.1", "minOrderQty": "0.2", "maxMktOrderQty": ""}
    found = instrument_of(
        {"symbol": "X", "lotSizeFilter": sizes, "deliveryTime": "", "upperFundingRate": "",
         "leverageFilter": None, "priceFilter": {}}
    )  # fmt: skip
    assert found == Instrument(0.1, 0.2, 0.0)


@pytest.mark.parametrize(
    ("part", "key", "values"),
    [
        ("priceFilter", "tickSize", ["x", "-1", "nan", [], {}, True]),
        ("lotSizeFilter", "maxMktOrderQty", ["x", "-1", "inf"]),
        ("lotSizeFilter", "maxOrderQty", ["x", "-1", []]),
        ("leverageFilter", "maxLeverage", ["x", "-1", False]),
        ("", "fundingInterval", ["x", "-1", "0.5", 480.5, []]),
        ("", "upperFundingRate", ["x", "nan", {}]),
        ("", "lowerFundingRate", ["x", "inf"]),
        ("", "launchTime", ["x", "-1", "1e15", 10**400]),
        ("", "deliveryTime", ["2026-01-01", -5, "1.5"]),
    ],
)
def test_what_is_there_and_makes_no_sense_is_refused_by_name(
    part: str, key: str, values: list[Any]
) -> None:
    for value in values:
        entry = json.loads(json.dumps(LINEAR | {"symbol": "ODD"}))
        (entry[part] if part else entry)[key] = value
        with pytest.raises(
            DataError, match=rf"of ODD has {key} = .*expected .*take the symbol out"
        ):
            instrument_of(entry)


def test_the_tiers_of_bitcoin_as_bybit_told_them() -> None:
    """As of 2026-08-05, the first four; the first two are in Bybit's help on maintenance margin too."""
    rows = [
        risk("2000000", "0.005", "0.01", "100.00"),
        risk("2600000", "0.0056", "0.0111", "90.00", "1200"),
        risk("3200000", "0.0063", "0.0125", "80.00", "3020"),
        risk("3800000", "0.0067", "0.0133", "75.00", "4300"),
    ]
    for order in (rows, rows[::-1], [rows[2], rows[0], rows[3], rows[1]]):
        assert tiers_of_rows("BTCUSDT", order) == BTCUSDT[:4]


def test_limits_are_put_in_order_as_numbers() -> None:
    rows = [risk("9000000", 0.01, 0.02, "50"), risk("35000000", 0.02, 0.04, "25")]
    assert [t.limit_value for t in tiers_of_rows("X", rows[::-1])] == [9e6, 35e6]


def test_rates_in_per_cent_are_told_by_the_leverage() -> None:
    """The documentation's example of BTCUSD: limits in coin, rates in per cent, no deductions."""
    rows = [
        risk("150", "0.5", "1", "100.00"),
        risk("300", "1", "1.5", "66.67"),
        risk("450", "1.5", "2", "50.00"),
    ]
    for row in rows:
        del row["mmDeduction"]
    assert tiers_of_rows("BTCUSD", rows) == (
        Tier(150.0, 0.005, 0.0, 100.0), Tier(300.0, 0.01, 0.75, 66.67), Tier(450.0, 0.015, 2.25, 50.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        [risk("", "0.005", "0.01", "100")],
        [risk("0", "0.005", "0.01", "100")],
        [risk("x", "0.005", "0.01", "100")],
        [risk("5", None, "0.01", "100")],
        [risk("5", "-0.005", "0.01", "100")],
        [risk("5", "1.5", "0.01", "100")],
        [risk("5", "0.005", "0.5", "100")],  # neither a fraction nor a per cent
        [risk("5", "0.005", "", "100")],
        [risk("5", "0.005", "2", "0.5")],
        [risk("5", "0.005", "0.01", "100", "x")],
        [risk("5", "0.005", "0.01", "100", "-3")],
        [risk("5", "0.005", "0.01", "100"), risk("5", "0.006", "0.01", "100")],
    ],
)
def test_odd_tiers_are_refused_by_name(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(DataError, match="risk-limit of X"):
        tiers_of_rows("X", rows)


def test_no_rows_are_no_tiers() -> None:
    assert tiers_of_rows("X", []) == ()


@pytest.mark.parametrize("kind", ["linear", "spot"])
def test_entries_as_they_come(wire: Wire, kind: str) -> None:
    entry = json.loads(wire(f"rest_instruments_{kind}"))["result"]["list"][0]
    found = instrument_of(entry)
    assert found.tick_size == float(entry["priceFilter"]["tickSize"])
    sizes = entry["lotSizeFilter"]
    told = sizes["maxMktOrderQty" if kind == "linear" else "maxMarketOrderQty"]
    assert found.max_market_quantity == float(told)
    assert (found.max_leverage > 1.0) == (found.funding_interval_min == 480) == (kind == "linear")


def test_risk_limits_as_they_come(wire: Wire) -> None:
    rows = json.loads(wire("rest_risk_limit_linear"))["result"]["list"]
    assert tiers_of_rows("BTCUSDT", rows) == BTCUSDT
