"""Every knob of the bot: name, unit, default, bounds and one line of explanation.

Rules: sections are frozen; a bound that one key can check stands here, a combination of keys in
`checks.py`. Times are UTC. The description of a field is what `config.example.toml` prints above it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.config.execution import Execution
from bot.config.fitting import Retrain, Training
from bot.config.learning import BASE_KINDS, Features, Model, Targets
from bot.config.market import MarketSection
from bot.config.risk import Risk
from bot.config.section import Bps, Section, chosen
from bot.config.trading import Conviction, Costs, Policy, Portfolio, Sizing

__all__ = [
    "BASE_KINDS", "Conviction", "Costs", "Data", "ExchangeSection", "Execution", "Features",
    "Log", "MarketSection", "Model", "Policy", "Portfolio", "Practice", "Report", "Retrain", "Risk", "Run", "Section",
    "Sizing", "Synthetic", "Targets", "Training",
]  # fmt: skip


class Run(Section):
    """Where a run is kept and what makes it repeatable."""

    runs_dir: str = Field("runs", description="Folder that holds the runs.")
    seed: int = Field(7, ge=0, le=2**31 - 1, description="Seed of everything random in a run.")
    block_bars: int = Field(
        4096, ge=1, le=1_000_000, description="Maximum bars per block; does not change any result."
    )
    commands_every_s: float = Field(
        1.0,
        gt=0.0,
        le=3600.0,
        description="Seconds between the looks that the daemon takes for a person's commands ('bot pause' "
        "and the like) and the kill switch while it waits; it also looks at each open and close.",
    )
    record: Literal["full", "ledger"] = Field(
        "full",
        description="The journal keeps everything (skill, verify), or bars, fills and ledger only.",
    )


class Data(Section):
    """Where history comes from. A backtest's --data, --from and --to set these."""

    root: str = Field(
        "data",
        description="Folder with candles/, funding/, mark/ in it, or the candles' own folder.",
    )
    source: Literal["files", "synthetic"] = Field(
        "files", description="Candle files, or the built-in synthetic market."
    )
    start: str = Field(
        "",
        description="First day or UTC time traded (ISO 8601); bars before it train the first model; "
        "empty: all bars.",
    )
    end: str = Field("", description="Last day or UTC time, inclusive; empty: all there is.")
    history_bars: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="Bars that the daemon fetches before it starts, 50 or more; 0: as many as the window "
        "of a training, its rows and the features need.",
    )
    history_start: str = Field(
        "", description="Bars before this UTC time are not read at all; empty: read all."
    )


class Synthetic(Section):
    """The built-in market: a common factor, clustered volatility, a daily rhythm of volume."""

    symbols: int = Field(
        5,
        ge=1,
        le=500,
        description="Number of symbols, named SYN0USDT, SYN1USDT, …; market.symbols may name some of them.",
    )
    bars: int = Field(6000, ge=100, le=20_000_000, description="Number of bars.")
    seed: int = Field(
        1, ge=0, le=2**31 - 1, description="Seed of the market, apart from the run's."
    )
    signal_strength: float = Field(
        0.09,
        ge=0.0,
        le=0.5,
        description="How much of each bar's standard deviation is predictable from past returns; 0 is pure noise.",
    )
    volatility: float = Field(
        0.006, gt=0.0, le=0.1, description="Root mean square of a bar's return."
    )
    missing: float = Field(
        0.0, ge=0.0, le=0.5, description="Share of a symbol's bars that are missing."
    )


class ExchangeSection(Section):
    """Where live market data comes from, and how long the daemon waits for what."""

    source: Literal["bybit", "practice"] = Field(
        "bybit", description="Bybit, or the practice exchange of 'bot exchange'."
    )
    rest_url: str = Field(
        "",
        pattern=r"^(https?://[^\s{}]+)?$",
        description="Base of the requests, for example http://127.0.0.1:9000; empty: Bybit's.",
    )
    stream_url: str = Field(
        "",
        pattern=r"^(wss?://[^\s{}]+)?$",
        description="Base of the stream, for example ws://127.0.0.1:9000; empty: Bybit's.",
    )
    testnet: bool = Field(False, description="Bybit's testnet, where no URL is given.")
    region: Literal[
        "global", "bytick", "netherlands", "turkey", "kazakhstan", "georgia", "uae", "eea",
        "indonesia",
    ] = Field(
        "global",
        description="Which of Bybit's hosts, for users of its regional sites; bytick: the other global "
        "one.",
    )  # fmt: skip
    speed: float = Field(
        1.0,
        gt=0.0,
        le=1e6,
        description="Seconds of exchange time per second; 1 except for a practice exchange.",
    )
    requests_per_second: float = Field(
        10.0,
        gt=0.0,
        le=100.0,
        description="Maximum requests per second; Bybit blocks an address above 120.",
    )
    request_timeout_s: int = Field(
        10, ge=1, le=60, description="Timeout of one request, in seconds."
    )
    request_tries: int = Field(
        4, ge=1, le=20, description="Tries of a request before it counts as failed."
    )
    reconnect_first_s: float = Field(
        0.5,
        gt=0.0,
        le=60.0,
        description="Wait before the first retry, in seconds; it doubles each time.",
    )
    reconnect_longest_s: float = Field(
        60.0, gt=0.0, le=3600.0, description="Longest wait between two retries, in seconds."
    )
    stale_after_s: float = Field(
        120.0,
        ge=1.0,
        le=3600.0,
        description="Resubscribe a symbol after this many seconds without data for it.",
    )
    clock_check_s: float = Field(
        300.0, ge=1.0, le=86_400.0, description="Seconds between checks of the exchange's clock."
    )
    poll_s: float = Field(
        5.0,
        ge=0.1,
        le=3600.0,
        description="Seconds between requests for quotes (market.feed = 'poll').",
    )
    close_deadline_s: float = Field(
        5.0,
        ge=0.0,
        le=55.0,
        description="Seconds after a bar's end before missing candles are requested.",
    )
    decide_within_s: float = Field(
        30.0,
        gt=0.0,
        le=55.0,
        description="No decision is made on a bar that is complete later than this many seconds after its end.",
    )
    quote_timeout_s: float = Field(
        10.0,
        gt=0.0,
        le=3600.0,
        description="Seconds to wait for the quotes that fill an order.",
    )


class Report(Section):
    """How results are judged."""

    periods_per_year: int = Field(
        0, ge=0, le=600_000, description="Bars per year; 0: by the calendar of venue and interval."
    )
    bootstrap_samples: int = Field(
        1000, ge=100, le=100_000, description="Bootstrap resamples for each interval."
    )
    baselines: tuple[str, ...] = Field(
        ("har", "log_har", "volume_ridge", "logistic", "return_ridge"),
        description="What heads are held against besides the plain baseline of each kind. The one that was "
        "strongest on a model's training rows is what it has to beat. garch needs the extra 'garch', and "
        "about a tenth of a second for each symbol and training.",
        json_schema_extra=chosen("baseline"),
    )


class Practice(Section):
    """The practice exchange that 'bot run --practice' starts inside."""

    speed: float = Field(
        0.0,
        ge=0.0,
        le=1e6,
        description="Seconds of exchange time per second; 0: two bars per second.",
    )
    half_spread_bps: Bps = Field(1.0, description="Half the spread of its quotes.")
    ticks_per_bar: int = Field(
        6, ge=1, le=1000, description="Updates pushed for each forming candle."
    )


class Log(Section):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is written."
    )
    heartbeat_s: float = Field(
        30.0, gt=0.0, le=3600.0, description="Seconds between heartbeats of the daemon."
    )
    max_mb: float = Field(
        64.0, gt=0.0, le=100_000.0, description="Size at which log.jsonl is rotated, in 10^6 bytes."
    )
    keep: int = Field(5, ge=1, le=1000, description="Old log files kept in a run's folder.")
