"""Until when a closed bar can be decided on: later ones are history, or bars that were missed.

Rule: pure functions of the settings and the exchange's time.
"""

from __future__ import annotations

from bot.config import Config
from bot.timegrid import INTERVAL_MS, floor_to_interval


def decidable_ms(config: Config) -> int:
    """Return for how long after its end a bar can be decided on, in ms of the exchange's time."""
    settings = config.exchange
    within_ms = int(settings.decide_within_s * 1000 * settings.speed)
    return min(within_ms, INTERVAL_MS[config.market.interval])


def newest_undecidable(config: Config, now_ms: int) -> int:
    """Return the newest bar that was over too long ago to decide on; a new run's history ends there."""
    step = INTERVAL_MS[config.market.interval]
    return floor_to_interval(now_ms - decidable_ms(config) - 1, step) - step
