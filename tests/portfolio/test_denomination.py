"""What a symbol is quoted and settled in, and which an account can hold."""

from __future__ import annotations

import pytest

from bot.config import Config, load_config
from bot.errors import ConfigError
from bot.portfolio.denomination import check_symbols, currency_note, denomination
from bot.portfolio.instruments import Instrument
from bot.venues import VENUES, is_contract, is_inverse, venue_row


def config_of(*sets: str) -> Config:
    return load_config(None, sets, {})


def quoted(base: str, quote: str, settle: str = "", kind: str = "") -> Instrument:
    return Instrument(0.1, 0.1, 5.0, base, quote, settle, kind, "Trading")


@pytest.mark.parametrize(
    ("venue", "symbol", "quote"),
    [
        ("bybit_linear", "BTCUSDT", "USDT"), ("bybit_linear", "1000PEPEUSDT", "USDT"),
        ("bybit_linear", "BTCPERP", "USDC"), ("bybit_linear", "SYN0USDT", "USDT"),
        ("okx_linear", "BTC-USDT-SWAP", "USDT"), ("other_linear", "BTCUSDT.P", "USDT"),
        ("binance_spot", "ETHBTC", "BTC"), ("binance_spot", "SOLETH", "ETH"),
        ("binance_spot", "BTCFDUSD", "FDUSD"), ("binance_spot", "BTCEUR", "EUR"),
        ("binance_spot", "USDTTRY", "TRY"), ("kraken_spot", "XBT-USD", "USD"),
        ("coinbase_spot", "ETH-BTC", "BTC"), ("binance_spot", "btcusdt", "USDT"),
        ("kraken_spot", "XBTUSD", "USD"), ("kraken_spot", "DOTUSD", "USD"), ("kraken_spot", "BNBUSD", "USD"),
        ("binance_spot", "BTCTUSD", "TUSD"), ("okx_spot", "BTC-TUSD", "TUSD"),
        ("other_linear", "BTC-USD", "USD"),
        ("us", "AAPL", "USD"), ("us", "BRK-B", "USD"), ("us", "ETH", "USD"),
        ("yahoo", "BTC-USD", "USD"), ("yahoo", "BTC-EUR", "EUR"), ("yahoo", "AAPL", "USD"),
        ("yahoo", "BRK-B", "USD"), ("yahoo", "SAP.DE", ""),
        ("binance_spot", "BTC", ""), ("bybit_linear", "X", ""), ("bybit_spot", "USDT", ""),
    ],
)  # fmt: skip
def test_a_name_tells_what_its_price_is_in(venue: str, symbol: str, quote: str) -> None:
    found = denomination(venue_row(venue), symbol)
    assert (found.quote, found.settle, found.expires, found.inverse) == (quote, quote, False, False)


@pytest.mark.parametrize(
    "symbol",
    [
        "BTCUSDT-27DEC24", "BTC-27DEC24", "BTC-3JAN25", "ETHUSDT-26SEP25", "BTC-USDT-240927",
        "BTCUSDZ24", "BTCUSDTH25", "BTC-27DEC24-50000-C",
    ],
)  # fmt: skip
def test_dated_futures_are_refused(symbol: str) -> None:
    with pytest.raises(ConfigError, match=f"{symbol} on bybit_linear is a dated future"):
        check_symbols(config_of(), [symbol])


@pytest.mark.parametrize("venue", [name for name in VENUES if is_inverse(name)])
@pytest.mark.parametrize("symbol", ["BNBUSD", "XBTUSD", "HYPYUSD", "AFDUSD", "RLUSD"])
def test_an_inverse_contract_is_of_the_dollar_whatever_its_coin_ends_in(
    venue: str, symbol: str
) -> None:
    found = denomination(venue_row(venue), symbol)
    assert (found.quote, found.settle, found.inverse) == ("USD", "", True)


def test_what_the_exchange_says_goes_before_the_name() -> None:
    known = {
        "AUSDT": quoted("A", "USDT", "USDT", "LinearPerpetual"),
        "BUSDT": quoted("B", "USDT", "USDT", "LinearFutures"),
        "CUSDT": quoted("C", "BRL", "BRL", "LinearPerpetual"),
        "DUSDT": quoted("D", "USD", "D", "InversePerpetual"),
        "EUSDT": quoted("E", "USDT", "EUR", "LinearPerpetual"),
        "F": quoted("F", "USDC", "USDC", "LinearPerpetual"),
    }
    with pytest.raises(ConfigError) as caught:
        check_symbols(config_of(), list(known), known)
    lines = str(caught.value).splitlines()
    assert [line.split(" on ")[0].split()[-1] for line in lines] == [
        "BUSDT", "CUSDT", "DUSDT", "EUSDT",
    ]  # fmt: skip
    for line, word in zip(lines, ("dated", "in BRL", "inverse", "settled in EUR"), strict=True):
        assert word in line


@pytest.mark.parametrize(
    ("venue", "symbol", "told"),
    [
        (
            "bybit_spot",
            "ETHBTC",
            "ETHBTC on bybit_spot is quoted in BTC, and the account is in USD",
        ),
        ("binance_spot", "BTCEUR", "quoted in EUR"),
        ("bybit_linear", "A", r"market\.quote = 'USDT'"),
        ("bybit_inverse", "BTCUSDH25", "BTCUSDH25 on bybit_inverse is a dated future"),
        ("bybit_inverse", "BTCEUR", "quoted in EUR"),
        ("bybit_inverse", "BTCUSDT", "quoted in USDT, and inverse contracts are of one USD"),
        ("binance_coinm", "BTCUSD", "inverse contract of 10 or 100 USD"),
        (
            "bybit_linear",
            "BTCUSD",
            "BTCUSD on bybit_linear is an inverse contract; .*bybit_inverse:BTCUSD",
        ),
        ("okx_linear", "BTC-USD-SWAP", "is an inverse contract; use the linear contract, in USDT"),
        ("binance_usdm", "ETHUSD", "ETHUSD on binance_usdm is an inverse contract"),
        ("binance_futures", "BTCUSDT", r"no venue 'binance_futures'.*Known are bybit_linear"),
        ("binance", "BTCUSDT", "no venue 'binance'"),
        ("bybit", "BTCUSDT", "no venue 'bybit'"),
        ("foo_spot", "BTCUSDT", "other_spot"),
    ],
)
def test_what_an_account_cannot_hold_is_refused_by_name(venue: str, symbol: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_symbols(config_of(f"market.venue={venue}"), [symbol])
    with pytest.raises(ConfigError, match=told):
        check_symbols(config_of(), ["BTCUSDT", f"{venue}:{symbol}"])


def test_an_inverse_contract_is_held_in_its_coin() -> None:
    symbols = ["BTCUSD", "bybit_linear:ETHUSDT"]
    check_symbols(config_of("market.venue=bybit_inverse"), symbols)
    told = quoted("BTC", "USD", "BTC", "InversePerpetual")
    check_symbols(config_of("market.venue=bybit_inverse"), symbols, {"BTCUSD": told})
    assert currency_note(config_of("market.venue=bybit_inverse"), symbols, {"BTCUSD": told}) == (
        "USD; USDT counted as equal"
    )
    other = quoted("BTC", "USD", "ETH", "InversePerpetual")
    with pytest.raises(ConfigError, match="settled in ETH, and not in its coin BTC"):
        check_symbols(config_of("market.venue=bybit_inverse"), symbols, {"BTCUSD": other})
    with pytest.raises(ConfigError, match=r"costs\.reference"):
        check_symbols(config_of("market.venue=bybit_inverse", "costs.reference=true"), ["BTCUSD"])
    with pytest.raises(ConfigError, match="bybit_inverse:BTCUSD"):
        check_symbols(config_of(), ["BTCUSD"], {"BTCUSD": told})


def test_a_quote_that_no_name_tells_can_be_stated() -> None:
    check_symbols(config_of("market.quote=USDT"), ["A", "BTC"])
    with pytest.raises(ConfigError, match="A on bybit_linear is quoted in EUR"):
        check_symbols(config_of("market.quote=EUR"), ["A"])
    with pytest.raises(ConfigError, match="ETHBTC on bybit_linear is quoted in BTC"):
        check_symbols(config_of("market.quote=USDT"), ["ETHBTC"])


def test_an_account_has_one_currency_and_dollars_are_one() -> None:
    mixed = ["us:AAPL", "yahoo:BTC-USD", "bybit_linear:BTCUSDT", "binance_spot:ETHUSDC"]
    check_symbols(config_of(), mixed)
    assert currency_note(config_of(), mixed, {}) == "USD; USDC, USDT counted as equal"
    check_symbols(config_of("portfolio.currency=USDT"), mixed)
    bitcoin = config_of("portfolio.currency=BTC", "market.venue=binance_spot")
    check_symbols(bitcoin, ["ETHBTC", "SOLBTC"])
    assert currency_note(bitcoin, ["ETHBTC", "SOLBTC"], {}) == "BTC"
    with pytest.raises(ConfigError, match="BTCUSDT on binance_spot is quoted in USDT"):
        check_symbols(bitcoin, ["ETHBTC", "BTCUSDT"])


def test_an_inverse_contract_is_of_dollars_whatever_its_coin_ends_in() -> None:
    check_symbols(config_of("market.venue=bybit_inverse"), ["BNBUSD", "BTCUSD", "MANAUSD"])
    with pytest.raises(ConfigError, match="BTCEUR on bybit_inverse is quoted in EUR"):
        check_symbols(config_of("market.venue=bybit_inverse"), ["BTCEUR"])


def test_binance_names_its_perpetuals_twice() -> None:
    one, other = venue_row("binance_usdm"), venue_row("binance_linear")
    assert (one.kind, one.taker_fee) == (other.kind, other.taker_fee)
    assert [name for name in VENUES if is_contract(name)] == [
        "bybit_linear", "bybit_inverse", "binance_linear", "binance_usdm", "binance_coinm",
        "okx_linear", "other_linear",
    ]  # fmt: skip
    live = [name for name, row in VENUES.items() if row.live]
    assert live == ["bybit_linear", "bybit_spot", "bybit_inverse"]


def test_what_an_inverse_contract_is_settled_in_no_name_tells() -> None:
    for venue, symbol in (("bybit_inverse", "BTCUSD"), ("bybit_linear", "BTCUSD")):
        found = denomination(venue_row(venue), symbol)
        assert (found.quote, found.settle, found.inverse) == ("USD", "", True)


def test_an_unknown_venue_is_told_with_the_setting_that_names_it() -> None:
    with pytest.raises(ConfigError, match=r"^market\.venue: there is no venue 'foo'"):
        check_symbols(config_of("market.venue=foo"), ["BTCUSDT"])
    with pytest.raises(ConfigError, match=r"^market\.symbols: there is no venue 'foo'"):
        check_symbols(config_of(), ["foo:BTCUSDT"])


def test_what_is_quoted_in_another_dollar_than_it_is_settled_in_is_noted_with_both() -> None:
    told = {"A": quoted("A", "USD", "USDC", "LinearPerpetual")}
    assert currency_note(config_of("portfolio.currency=USDT"), ["A"], told) == (
        "USDT; USD, USDC counted as equal"
    )
    assert currency_note(config_of("market.quote=USDC"), ["B"], {}) == "USD; USDC counted as equal"
    inverse = config_of("market.venue=bybit_inverse", "portfolio.currency=USDT")
    assert currency_note(inverse, ["BTCUSD"], {}) == "USDT; USD counted as equal"
