"""How many bars of history a daemon begins with, and why; what of the settings is legal and useless.

Rules: a pure function of the settings; it asks nobody. Must not fetch.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.app.symbols import traded_symbols
from bot.app.training.rehearsal import rehearsal_bars
from bot.config import Config
from bot.config.needed_heads import needs_model
from bot.features.pipeline import FeaturePipeline
from bot.timegrid import DAY_MS, INTERVAL_MS

MOST_BARS = 250_000
"""Bars that are fetched at most where data.history_bars leaves it open: an hour's work of requests."""

SLOWEST_BAR_S = 0.05
"""What a daemon needs for a bar, generously."""


@dataclass(frozen=True)
class HistoryNeed:
    """The history of a run's start, in bars.

    Attributes:
        bars: to be fetched: data.history_bars, or where that is 0 what the settings need.
        warmup: before the first row whose features are all known.
        least: with fewer no training can have training.min_rows rows, however whole the bars are.
        reason: why so many, in words.
    """

    bars: int
    warmup: int
    least: int
    reason: str


def history_need(config: Config) -> HistoryNeed:
    """Return how much history a run of these settings begins with.

    Raises:
        ConfigError: `features.names` has an unknown name.
    """
    symbols, training = traded_symbols(config), config.training
    pipeline = FeaturePipeline(config.features, symbols, INTERVAL_MS[config.market.interval])
    warmup, read = pipeline.warmup_bars - 1, config.model.bars_read
    rows_a_symbol = -(-training.min_rows // len(symbols))
    late = config.retrain.latency_bars - 1
    least = warmup + read - 1 + rows_a_symbol + min(config.targets.horizons) + late
    if config.data.history_bars:
        return HistoryNeed(
            config.data.history_bars, warmup, least,
            f"data.history_bars = {config.data.history_bars}",
        )  # fmt: skip
    before = max(warmup, config.features.window)  # a label looks back over features.window
    learned = max(training.window_bars + before + late, least)
    reason = (
        f"training.window_bars = {training.window_bars}, {before} for features to warm up"
        if learned > least
        else f"training.min_rows = {training.min_rows} labelled rows of {len(symbols)} symbols"
    )
    rehearsed = rehearsal_bars(config)
    if rehearsed:
        days = config.policy.min_calibration_days
        reason += f", {rehearsed} to rehearse (policy.min_calibration_days = {days})"
    wanted = learned + rehearsed
    looks_back = config.policy.momentum_bars if config.policy.kind == "momentum" else 0
    if looks_back > wanted or (looks_back and not needs_model(config)):
        wanted = max(looks_back + 1, warmup)
        reason = (
            f"policy.momentum_bars = {looks_back}"
            if looks_back >= warmup
            else f"{warmup} for features to warm up; policy.momentum_bars = {looks_back} needs fewer"
        )
    if (rule := config.market.rule) is not None:
        ranked = -(-(rule.days + 1) * DAY_MS // INTERVAL_MS[config.market.interval])
        if ranked > wanted:
            wanted, reason = ranked, f"market.universe ranks by {rule.days} days"
    if wanted > MOST_BARS:
        return HistoryNeed(
            MOST_BARS, warmup, least,
            f"{reason}: {wanted} in all, of which the newest; data.history_bars can ask for more",
        )  # fmt: skip
    return HistoryNeed(wanted, warmup, least, reason)


def useless_settings(config: Config) -> list[str]:
    """Return what is legal and cannot be meant in a daemon's settings: a sentence each."""
    need, faults = history_need(config), []
    interval = config.market.interval
    if config.data.history_bars and need.bars < need.least:
        more = need.least - need.bars
        faults.append(
            f"data.history_bars = {need.bars}: a first model needs {need.least} bars (training.min_rows "
            f"= {config.training.min_rows}), so nothing is decided for {more} bars of {interval} after "
            "the start; set 0 to fetch as many as are needed"
        )
    if not config.retrain.at_start and config.retrain.trigger != "never":
        faults.append(
            "retrain.at_start = false: nothing is decided before the first scheduled training, unless "
            f"one lies within the {need.bars} bars of history"
        )
    bar_s = INTERVAL_MS[interval] / 1000.0
    speed = config.practice.speed
    if speed and bar_s / speed < SLOWEST_BAR_S:
        faults.append(
            f"practice.speed = {speed:g}: a bar of {interval} lasts {1000.0 * bar_s / speed:.0f} ms, "
            "which a daemon cannot follow; under --practice it would catch up for good; set 0 for two "
            "bars a second"
        )
    return faults
