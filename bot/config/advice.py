"""What is legal and useless: settings without effect beside the others, bars that cannot be reached.

Rules: never a refusal; only of what was changed from its default, so that the defaults and a file of
all settings are silent. Must not look at files or data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bot.config.needed_heads import BY_EDGE, needs_model_of
from bot.parts.kinds import KINDS
from bot.parts.registry import parts
from bot.wording import counted

if TYPE_CHECKING:
    from bot.config.whole import Config

Values = Mapping[str, Any]

_CHOSEN_BY = {
    kind.name: kind.chosen_by
    for kind in KINDS.values()
    if kind.name in ("encoder", "architecture", "weighting", "policy", "sizing")
}
"""The settings that choose one part; the settings of the parts not chosen have no effect."""

_REFUSED = frozenset({"training.weights"})
"""What is refused without its part, and not merely without effect (`checks.py`)."""

_WORKS_WITH: tuple[tuple[str, str, Callable[[Values], bool]], ...] = (
    # the settings that are read only where the condition holds, and the condition in words
    (
        "signal.threshold",
        "policy.kind = 'threshold' or 'hysteresis'",
        lambda v: v["policy.kind"] in ("threshold", "hysteresis"),
    ),
    (
        "policy.rehearse policy.confidence policy.min_calibration_days",
        f"policy.kind = 'edge', or sizing.method = {' or '.join(map(repr, BY_EDGE))},",
        lambda v: v["policy.kind"] == "edge" or v["sizing.method"] in BY_EDGE,
    ),
    ("retrain.cron", "retrain.trigger = 'cron'", lambda v: v["retrain.trigger"] == "cron"),
    ("retrain.hours", "retrain.trigger = 'interval'", lambda v: v["retrain.trigger"] == "interval"),
    (
        "retrain.every_bars",
        "retrain.trigger = 'every_bars'",
        lambda v: v["retrain.trigger"] == "every_bars",
    ),
    (
        "retrain.start",
        "retrain.trigger = 'interval' or 'every_bars'",
        lambda v: v["retrain.trigger"] in ("interval", "every_bars"),
    ),
    (
        "training.window_bars",
        "training.window = 'rolling'",
        lambda v: v["training.window"] == "rolling",
    ),
    (
        "targets.decision_cost",
        "the head 'decision' in targets.kinds",
        lambda v: "decision" in v["targets.kinds"],
    ),
    (
        "signal.horizons",
        "several targets.horizons",
        lambda v: len(v["targets.horizons"]) > 1,
    ),
    (
        "signal.factor",
        "signal.source = 'return_x_direction'",
        lambda v: v["signal.source"] == "return_x_direction",
    ),
    (
        "signal.factor",
        "a policy or a sizing that reads forecasts",
        lambda v: needs_model_of(v["policy.kind"], v["sizing.method"]),
    ),
    (
        "costs.half_spread_bps costs.slippage_bps costs.impact costs.funding risk.max_symbol_weight "
        "risk.max_gross risk.max_daily_loss risk.max_drawdown risk.max_net risk.max_leverage "
        "risk.cap_tolerance risk.halve_drawdown risk.flatten_drawdown risk.cool_down_bars risk.max_losses "
        "risk.max_stale_bars risk.leaving_hours risk.on_leaving risk.max_model_age_bars risk.max_disagreement "
        "risk.max_distance execution.quantity_step execution.min_notional execution.max_participation",
        "costs.reference = false",
        lambda v: not v["costs.reference"],
    ),
    (
        "risk.max_model_age_bars risk.max_disagreement risk.max_distance",
        "a policy or a sizing that reads forecasts",
        lambda v: needs_model_of(v["policy.kind"], v["sizing.method"]),
    ),
    (
        "execution.limit_offset_bps execution.post_only execution.limit_bars execution.limit_then "
        "costs.maker_fee",
        "execution.style = 'limit'",
        lambda v: v["execution.style"] == "limit",
    ),
    (
        "execution.excess",
        "execution.max_participation above 0",
        lambda v: v["execution.max_participation"] > 0.0,
    ),
    (
        "execution.split_bars",
        "execution.excess = 'split'",
        lambda v: v["execution.excess"] == "split",
    ),
    ("exchange.testnet", "no exchange.rest_url", lambda v: not v["exchange.rest_url"]),
    ("exchange.poll_s", "market.feed = 'poll'", lambda v: v["market.feed"] == "poll"),
    ("data.root", "data.source = 'files'", lambda v: v["data.source"] == "files"),
)


def advice(config: Config) -> list[str]:
    """Return a line for each thing that is allowed and has no effect, or none that is wanted."""
    from bot.config.whole import Config as Defaults
    from bot.config.whole import flatten

    given, default = flatten(config), flatten(Defaults())
    changed = [key for key in given if given[key] != default[key] and key not in _REFUSED]
    lines = [
        f"{key} = {given[key]!r} has no effect: it is read with {condition} only"
        for key in changed
        if (condition := reader_missing(key, given))
    ]
    return lines + _unreachable(config)


def reader_missing(key: str, values: Values) -> str:
    """Return in words what a setting would need to be read, beside these; "" where it is read.

    Args:
        values: all settings, as `flatten` gives them.
    """
    rows = [row for row in _WORKS_WITH if key in row[0].split()]
    for _, condition, works in rows:
        if not works(values):
            return condition
    if rows:
        return ""
    for kind, chosen_by in _CHOSEN_BY.items():
        if key.partition(".")[0] != chosen_by.partition(".")[0] or key == chosen_by:
            continue
        readers = [name for name, part in parts(kind).items() if key in part.keys]
        if readers and values[chosen_by] not in readers:
            *most, last = [f"'{name}'" for name in readers]
            return f"{chosen_by} = {', '.join(most)}{' or ' if most else ''}{last}"
    return ""


def _unreachable(config: Config) -> list[str]:
    lines = []
    signal, sizing, risk = config.signal, config.sizing, config.risk
    asks = config.policy.kind == "threshold"
    if asks and signal.source == "decision" and signal.threshold >= 1.0:
        lines.append(
            f"signal.threshold = {signal.threshold:g}: a position of 'decision' never exceeds 1, so "
            "nothing is ever traded; lower it"
        )
    if asks and signal.source == "return_x_direction" and signal.threshold >= 0.2:
        lines.append(
            f"signal.threshold = {signal.threshold:g} asks for a forecast return of "
            f"{signal.threshold:.0%} and more, so nothing is likely ever traded; it is a fraction, "
            "0.001 is 0.1 %"
        )
    if sizing.method != "fixed" and sizing.rebalance_band >= 2.0 * sizing.max_weight:
        lines.append(
            f"sizing.rebalance_band = {sizing.rebalance_band:g}: no weight moves so far, "
            f"sizing.max_weight is {sizing.max_weight:g}; lower it"
        )
    if 0.0 < risk.max_gross < risk.max_symbol_weight and risk.max_symbol_weight != 1.0:
        lines.append(
            f"risk.max_symbol_weight = {risk.max_symbol_weight:g} is never reached: "
            f"risk.max_gross = {risk.max_gross:g} caps first"
        )
    if config.training.patience >= config.training.epochs:
        lines.append(
            f"training.patience = {config.training.patience}: a training of "
            f"{counted(config.training.epochs, 'epoch')} never stops early"
        )
    return lines
