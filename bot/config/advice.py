"""What is legal and of no use: settings without effect beside the others, bars that cannot be reached.

Rules: never a refusal; only of what was changed from its default, so that the defaults and a file of
all settings are silent. Must not look at files or data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot.config.needed_heads import BY_EDGE, needs_calibration
from bot.parts.kinds import KINDS
from bot.parts.registry import parts

if TYPE_CHECKING:
    from bot.config.whole import Config

Values = Mapping[str, Any]

_CHOSEN_BY = {
    kind.name: kind.chosen_by
    for kind in KINDS.values()
    if kind.name in ("encoder", "architecture", "weighting", "policy", "sizing")
}
"""The settings that choose one part, whose own settings the others' are of no use."""

_OF_CALIBRATION = frozenset({"policy.confidence", "policy.min_calibration_days"})
"""Read by whatever asks what signals are worth, sizings too."""

_REFUSED = frozenset({"training.weights"})
"""What is not of no use without its part, but refused (`checks.py`)."""

_WORKS_WITH: tuple[tuple[str, str, Callable[[Values], bool]], ...] = (
    # the settings that are read only where the condition holds, and the condition in words
    (
        "signal.threshold",
        "policy.kind = 'threshold' or 'hysteresis'",
        lambda v: v["policy.kind"] in ("threshold", "hysteresis"),
    ),
    (
        "policy.rehearse",
        "policy.kind = 'edge', or a sizing by the edge,",
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
        "costs.half_spread_bps costs.slippage_bps costs.funding",
        "costs.reference = false",
        lambda v: not v["costs.reference"],
    ),
    ("exchange.testnet", "no exchange.rest_url", lambda v: not v["exchange.rest_url"]),
    ("exchange.poll_s", "market.feed = 'poll'", lambda v: v["market.feed"] == "poll"),
    ("market.symbols", "data.source = 'files'", lambda v: v["data.source"] == "files"),
    ("data.root", "data.source = 'files'", lambda v: v["data.source"] == "files"),
)


def advice(config: Config) -> list[str]:
    """Return a line for each thing that is allowed and has no effect, or none that is wanted."""
    from bot.config.whole import Config as Defaults
    from bot.config.whole import flatten

    given, default = flatten(config), flatten(Defaults())
    lines = [
        f"{key} = {given[key]!r} has no effect: it is read with {condition} only"
        for keys, condition, works in _WORKS_WITH
        for key in keys.split()
        if given[key] != default[key] and not works(given)
    ]
    changed = [key for key in given if given[key] != default[key]]
    if needs_calibration(config):
        changed = [key for key in changed if key not in _OF_CALIBRATION]
    return lines + list(_of_other_parts(changed, given)) + _unreachable(config)


def _of_other_parts(changed: Sequence[str], given: Values) -> Iterator[str]:
    """Yield a line for each changed setting that only parts read that are not chosen."""
    for key in changed:
        for kind, chosen_by in _CHOSEN_BY.items():
            if key.partition(".")[0] != chosen_by.partition(".")[0] or key == chosen_by:
                continue
            readers = [name for name, part in parts(kind).items() if key in part.keys]
            if readers and given[chosen_by] not in readers and key not in _REFUSED:
                *most, last = [f"'{name}'" for name in readers]
                values = f"{', '.join(most)} or {last}" if most else last
                yield (
                    f"{key} = {given[key]!r} has no effect: it is read with {chosen_by} = {values} only"
                )


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
            f"{config.training.epochs} epochs never stops early"
        )
    return lines
