"""The rehearsal: how long before a run's start models begin to decide, so that signals are scored.

A calibrated policy trades nothing before enough days of signals are scored. A run therefore walks
forward over bars before its start, with the trainings due there: nothing is traded on them.
Rules: a pure function of the settings, asked by the daemon, the backtest and the proof alike; no
longer than calibration needs, since each training on the way takes time.
"""

from __future__ import annotations

from bot.config import Config
from bot.config.needed_heads import needs_calibration
from bot.portfolio.calibration import block_days
from bot.timegrid import DAY_MS, INTERVAL_MS

SPARE_DAYS = 30
"""Beyond those that are needed: days without a score, and the last one's block, which is open."""


def rehearsal_bars(config: Config) -> int:
    """Return how many bars before the start models begin to decide; 0 where nothing is rehearsed.

    >>> from bot.config import load_config
    >>> rehearsal_bars(load_config(None, [], {}))  # 90 + 30 days of hours, and the horizon
    2885
    >>> rehearsal_bars(load_config(None, ["policy.rehearse=false"], {}))
    0
    """
    if not needs_calibration(config) or not config.policy.rehearse:
        return 0
    bar_ms, horizon = INTERVAL_MS[config.market.interval], config.targets.horizons[0]
    spare = max(SPARE_DAYS, block_days(horizon, bar_ms) + 1)
    return (config.policy.min_calibration_days + spare) * DAY_MS // bar_ms + horizon
