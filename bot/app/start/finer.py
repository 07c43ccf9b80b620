"""Whether shorter candles inside the bars can be had, and whether what needs them has them.

Rules: asked before anything is read; a fault names the key. Must not read a file.
"""

from __future__ import annotations

from bot.app.symbols import traded_symbols, venues_of
from bot.config import Config
from bot.errors import ConfigError
from bot.parts.registry import part
from bot.timegrid import INTERVAL_MS
from bot.venues import has_sessions

KEY = "market.finer_interval"
BASELINE = "log_har_realised"


def check_finer(config: Config) -> None:
    """Refuse a `market.finer_interval` that cannot be, and what asks for one where none is set.

    Raises:
        ConfigError: with every fault, a line each.
    """
    faults = _needless(config) if not config.market.finer_interval else _impossible(config)
    if faults:
        raise ConfigError("\n".join(faults))


def _needless(config: Config) -> list[str]:
    names = [n for n in config.features.names if part("feature", n).facts.get("needs") == "finer"]
    uses = [f"features.names: {', '.join(names)}"] if names else []
    if BASELINE in config.report.baselines:
        uses.append(f"report.baselines: {BASELINE}")
    return [f"{use}: made of candles shorter than the bars; set {KEY} = '5m'" for use in uses]


def _impossible(config: Config) -> list[str]:
    market, symbols = config.market, traded_symbols(config)
    said, length = f"{KEY} = '{market.finer_interval}'", INTERVAL_MS[market.interval]
    step = INTERVAL_MS[market.finer_interval]
    faults = []
    if length % step or step == length:
        faults.append(
            f"{said}: not shorter than market.interval = '{market.interval}', or no part of it; name one "
            "that divides it, such as '5m' for '1h'"
        )
    if config.data.source == "synthetic":
        faults.append(
            f"{said}: the synthetic market has no candles inside its bars; leave it empty"
        )
    closing = sorted({venue for venue in venues_of(config, symbols) if has_sessions(venue)})
    if closing:
        faults.append(
            f"{said}: {', '.join(closing)} trades in sessions, whose bars are of no fixed length; leave it empty"
        )
    return faults
