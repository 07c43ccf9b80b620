"""Check what only the running program can: triggers, features, venues."""

from __future__ import annotations

from bot.app.symbols import known_instruments, traded_symbols
from bot.app.triggers import DueBars
from bot.config import Config
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.model.matching import check_match
from bot.portfolio.denomination import check_symbols
from bot.portfolio.rules import rules_from
from bot.timegrid import INTERVAL_MS


def check_deeply(config: Config) -> None:
    """Build everything that the settings alone decide.

    Raises:
        ConfigError: as the program would when it started.
    """
    interval_ms = INTERVAL_MS[config.market.interval]
    symbols = traded_symbols(config)
    check_symbols(config, symbols, known_instruments(config, symbols))
    DueBars(config.retrain, interval_ms)
    pipeline = FeaturePipeline(config.features, symbols, interval_ms)
    known = len(symbols) if config.model.knows_symbols else 0
    check_match(config.model, len(pipeline.names), target_tasks(config.targets), known)
    rules_from(config, symbols)
