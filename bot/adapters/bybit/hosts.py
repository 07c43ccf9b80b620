"""Where Bybit answers: its hosts by region, its testnet, or an address that is given.

Source, as stored on 2026-11-26: https://bybit-exchange.github.io/docs/v5/guide ("REST API Base
Endpoint") and https://bybit-exchange.github.io/docs/v5/ws/connect, which names a stream of their own
for Turkey, Kazakhstan and Georgia only; everybody else's is stream.bybit.com. Older copies of the
guide also name api.byhkbit.com for Hong Kong; the present one does not, so it is not here.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.config.schema import ExchangeSection
from bot.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Hosts:
    """Bases of the requests and of the stream."""

    rest: str
    stream: str


_STREAM = "wss://stream.bybit.com"

REGIONS = {
    "global": Hosts("https://api.bybit.com", _STREAM),
    "bytick": Hosts("https://api.bytick.com", _STREAM),
    "netherlands": Hosts("https://api.bybit.nl", _STREAM),
    "turkey": Hosts("https://api.bybit-tr.com", "wss://stream.bybit-tr.com"),
    "kazakhstan": Hosts("https://api.bybit.kz", "wss://stream.bybit.kz"),
    "georgia": Hosts("https://api.bybitgeorgia.ge", "wss://stream.bybitgeorgia.ge"),
    "uae": Hosts("https://api.bybit.ae", _STREAM),
    "eea": Hosts("https://api.bybit.eu", _STREAM),
    "indonesia": Hosts("https://api.bybit.id", _STREAM),
}
"""The hosts of exchange.region."""

TESTNET = Hosts("https://api-testnet.bybit.com", "wss://stream-testnet.bybit.com")


def hosts_of(settings: ExchangeSection) -> Hosts:
    """Return the hosts that the settings name.

    Raises:
        ConfigError: the practice exchange is to be used, and its address is not given.
    """
    if settings.rest_url:
        return Hosts(settings.rest_url.rstrip("/"), settings.stream_url.rstrip("/"))
    if settings.source == "practice":
        raise ConfigError(
            "exchange.source = 'practice' needs exchange.rest_url and stream_url, as 'bot exchange' "
            "prints them; or start with --practice"
        )
    return TESTNET if settings.testnet else REGIONS[settings.region]
