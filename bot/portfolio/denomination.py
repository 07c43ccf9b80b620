"""What a symbol's price is in, and whether an account can hold the symbol at all.

Owns the currencies. Rules: an account has one currency (`portfolio.currency`), and every price,
profit and cost of a run is an amount of it. An instrument as the exchange described it says what it
is quoted and settled in; where none is known, the venue or the symbol's name does; where neither
does, `market.quote` must. Dollars and the coins that stand for one dollar count as equal (`AT_PAR`).
An inverse contract is of one unit of its quote currency, and settled in its base currency. What is in another
currency, expires, or is settled in a third currency is refused. Must not convert anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.config import Config
from bot.errors import ConfigError
from bot.portfolio.instruments import Instrument
from bot.venues import ProductKind, Source, Venue, split_symbol, venue_row

AT_PAR = frozenset(
    (
        "USD",
        "USDT",
        "USDC",
        "FDUSD",
        "TUSD",
        "BUSD",
        "DAI",
        "USDE",
        "USD1",
        "PYUSD",
        "RLUSD",
        "USDP",
    )
)
"""Counted as one currency. A stablecoin's deviation from the dollar is not in the ledger."""

# fmt: off
OTHERS = frozenset((
    "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "TRY", "BRL", "KRW", "INR", "RUB", "UAH", "PLN",
    "RON", "CZK", "ZAR", "ARS", "MXN", "COP", "IDR", "NGN", "AED", "SGD", "HKD", "CNY", "EURC", "EURI",
    "BTC", "XBT", "ETH", "BNB", "SOL", "XRP", "DOGE", "TRX", "DOT", "MNT", "KCS", "OKB",
))
# fmt: on
"""Further currencies that symbols are quoted in, to be read from a symbol's name."""

_OF_BINANCE = frozenset(("BUSD", "FDUSD", "TUSD"))
"""Read in names of its linear contracts and pairs: elsewhere XBTUSD is of the dollar, and not an XB of a TUSD."""

_BY_LENGTH = sorted(AT_PAR | OTHERS, key=lambda name: (-len(name), name))

_LINEAR_IN_COINS = frozenset(("bybit_linear", "binance_linear", "binance_usdm", "okx_linear"))
"""Their linear contracts are in USDT, USDC and the like; what is in USD there is an inverse contract."""

_DATED = re.compile(
    r"-\d{1,2}[A-Z]{3}\d{2}(-.+)?$"  # BTC-27DEC24, BTCUSDT-27DEC24, options
    r"|[-_]\d{6}(-.+)?$"  # BTC-USDT-240927, BTCUSDT_240927
    r"|(?<=USD|SDT|SDC)[FGHJKMNQUVXZ]\d{2}$"  # BTCUSDZ24
)
_PERPETUAL = re.compile(r"(-SWAP|[-_]?PERP|\.P)$")


@dataclass(frozen=True, slots=True)
class Denomination:
    """What a symbol is quoted and settled in, "" where that is not known."""

    quote: str
    settle: str
    expires: bool
    inverse: bool


def denomination(venue: Venue, symbol: str, instrument: Instrument | None = None) -> Denomination:
    """Return what a symbol is quoted and settled in, by the exchange, else the venue, else the name.

    >>> denomination(venue_row("binance_spot"), "ETHBTC").quote
    'BTC'
    >>> denomination(venue_row("bybit_inverse"), "BNBUSD").quote
    'USD'
    >>> denomination(venue_row("bybit_linear"), "BTC-27DEC24").expires
    True
    """
    if instrument is not None and instrument.quote:
        kind = instrument.contract_type
        settle = instrument.settle or instrument.quote
        inverse = kind.startswith("Inverse") or venue.kind is ProductKind.INVERSE
        return Denomination(instrument.quote, settle, kind.endswith("Futures"), inverse)
    inverse = venue.kind is ProductKind.INVERSE
    if venue.quote:
        return Denomination(venue.quote, venue.quote, expires=False, inverse=inverse)
    name = symbol.upper()
    quote = _quote_of(venue, name)
    inverse |= quote == "USD" and venue.name in _LINEAR_IN_COINS
    return Denomination(quote, "" if inverse else quote, bool(_DATED.search(name)), inverse)


def _quote_of(venue: Venue, name: str) -> str:
    """Return the currency that a symbol's name ends in, "" where it tells none."""
    if (
        venue.name == "yahoo"
    ):  # BTC-USD has one, AAPL is in dollars, SAP.DE is of a foreign exchange
        last = name.rpartition("-")[2]
        return last if last in AT_PAR | OTHERS and last != name else "" if "." in name else "USD"
    bare = _PERPETUAL.sub("", name)
    for currency in _BY_LENGTH:
        if (
            bare.endswith(currency)
            and bare != currency
            and not _is_of_the_dollar(venue, bare, currency)
        ):
            return currency
    return "USDC" if venue.name == "bybit_linear" and bare != name else ""  # BTCPERP is in USDC


def _is_of_the_dollar(venue: Venue, bare: str, currency: str) -> bool:
    """Tell whether the letters before the USD of a longer currency are the coin's: BNBUSD is no BN in BUSD."""
    if "-" in bare or currency == "USD" or not currency.endswith("USD"):
        return False
    if venue.kind is ProductKind.INVERSE:
        return True
    return currency in _OF_BINANCE and not venue.name.startswith(("binance_", "other_"))


def check_symbols(
    config: Config, symbols: Sequence[str], instruments: Mapping[str, Instrument] | None = None
) -> None:
    """Refuse what the account of these settings cannot hold.

    Args:
        instruments: by symbol, as the exchange described them, where that is known.

    Raises:
        ConfigError: with every fault, a line each: an unknown venue, another currency, a contract
            that expires, or an inverse one that is not of one USD, or not settled in its own coin.
    """
    known = instruments or {}
    faults = [_fault(config, name, known.get(name)) for name in symbols]
    faults = list(dict.fromkeys(fault for fault in faults if fault))
    if faults:
        raise ConfigError("\n".join(faults))


def _fault(config: Config, name: str, instrument: Instrument | None) -> str:
    """Return what is wrong with a symbol, "" where nothing is."""
    own, symbol = split_symbol(name, config.market.venue)
    try:
        venue = venue_row(own, "market.symbols" if ":" in name else "market.venue")
    except ConfigError as error:
        return str(error)
    found = denomination(venue, symbol, instrument)
    where = f"market.symbols: {name} on {own}"
    if found.inverse and venue.kind is not ProductKind.INVERSE:
        way = (
            f"name it with its venue: bybit_inverse:{symbol}"
            if own == "bybit_linear"
            else "use the linear contract, in USDT"
        )
        return f"{where} is an inverse contract; {way}"
    if found.inverse and venue.source is not Source.BYBIT:
        return (
            f"{where} is an inverse contract of 10 or 100 {found.quote or 'USD'}, and the account counts "
            "contracts of 1; use bybit_inverse or the linear contract"
        )
    if found.inverse and config.costs.reference:
        return (
            f"{where} is an inverse contract, whose profit is in coin, which costs.reference = true does not "
            "know; use the linear contract"
        )
    if found.expires:
        return (
            f"{where} is a dated future, which expires; the account knows no delivery; use the "
            "perpetual"
        )
    quote, account = found.quote or config.market.quote, config.portfolio.currency
    if not quote:
        return (
            f"{where}: neither an instrument on file nor the name tells what its price is in; "
            "state it: market.quote = 'USDT' (or what it is)"
        )
    if found.inverse and quote != "USD":
        return (
            f"{where} is quoted in {quote}, and inverse contracts are of one USD; name such a contract, for "
            "example BTCUSD, or set market.venue = 'bybit_linear'"
        )
    base = instrument.base if instrument is not None else ""
    if found.inverse and base and found.settle != base:
        return f"{where} is settled in {found.settle}, and not in its coin {base}; remove it"
    settle = quote if found.inverse else found.settle or quote
    for currency in dict.fromkeys((quote, settle)):
        if not at_par(currency, account):
            what = "quoted" if currency == quote else "settled"
            return (
                f"{where} is {what} in {currency}, and the account is in {account}: its prices would "
                f"be booked as {account}; remove it, or set portfolio.currency = '{currency}' and "
                "trade nothing else"
            )
    return ""


def at_par(one: str, other: str) -> bool:
    """Tell whether two currencies count as one.

    >>> at_par("USD", "USDT"), at_par("USDT", "EUR")
    (True, False)
    """
    return one == other or {one, other} <= AT_PAR


def currency_note(
    config: Config, symbols: Sequence[str], instruments: Mapping[str, Instrument]
) -> str:
    """Return the account's currency, and which others are counted as equal to it.

    >>> currency_note(Config(), ["BTCUSDT", "us:AAPL"], {})
    'USD; USDT counted as equal'
    """
    account = config.portfolio.currency
    quotes = set()
    for name in symbols:
        own, symbol = split_symbol(name, config.market.venue)
        found = denomination(venue_row(own), symbol, instruments.get(name))
        quotes |= {found.quote or config.market.quote, "" if found.inverse else found.settle}
    others = sorted(quotes - {account, ""})
    return f"{account}; {', '.join(others)} counted as equal" if others else account
