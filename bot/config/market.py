"""What is traded, and by which bars: the section [market].

Rules: as in `schema`; a combination of keys is judged in `checks` and in `bot.app.start`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.config.section import Section
from bot.config.universe import UniverseRule


class MarketSection(Section):
    """What is traded."""

    venue: str = Field(
        "bybit_linear",
        pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$",
        description="First part of a candle file's name: bybit_linear, bybit_spot, us, yahoo, …",
    )
    interval: Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"] = Field(
        "1h", description="Length of a bar."
    )
    finer_interval: Literal["", "1m", "3m", "5m", "15m", "30m", "1h"] = Field(
        "",
        description="Shorter candles inside each bar, for its realised variance, which log_realised_… features and "
        "the baseline log_har_realised are made of; live they are asked for once a bar. Empty: none.",
    )
    symbols: tuple[str, ...] = Field(
        ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT"),
        min_length=1,
        max_length=1000,
        description="Symbols, in the ledger's order; 'venue:SYMBOL' takes one from another venue.",
    )
    universe: str = Field(
        "",
        description="Rule of which symbols may be traded, judged anew at each 00:00 UTC from the bars closed "
        "by then: 'top 20 by turnover over 30 days, listed 90 days', or without the second half; empty: "
        "all, always. It chooses among market.symbols where they are given, else among all symbols of "
        "the venue that data.root has. risk.on_leaving says what becomes of a position that drops out.",
    )
    quote: str = Field(
        "",
        pattern=r"^([A-Z0-9]{2,10})?$",
        description="Quote currency of symbols whose name does not end in a known one, for example "
        "USDT; empty: such a symbol is refused.",
    )
    max_jump: float = Field(
        20.0,
        gt=1.0,
        le=1e9,
        description="Largest plausible ratio between the prices of consecutive bars; a larger jump is "
        "refused (live: until a second bar confirms it).",
    )
    accept_jumps: tuple[str, ...] = Field(
        (),
        max_length=1000,
        description="Bars of files at which a larger jump is real: SYMBOL@TIME, for example "
        "'BTCUSDT@2024-01-01T00:00'. A quantity held is not converted, so across a redenomination "
        "its profit is not real, which the report says: trade from that bar on (data.start).",
    )
    feed: Literal["stream", "poll"] = Field(
        "stream",
        description="Live data by the exchange's stream, or by requests every exchange.poll_s.",
    )

    @property
    def rule(self) -> UniverseRule | None:
        """Return the rule of the universe, None where all symbols may always be traded.

        Raises:
            ConfigError: `universe` states none.
        """
        return UniverseRule.parse(self.universe) if self.universe else None

    @property
    def symbols_are_open(self) -> bool:
        """Return whether the universe chooses among all symbols that there are."""
        return bool(self.universe) and "symbols" not in self.model_fields_set
