"""Which heads the account needs, and settings under which one of them would never be trained.

Rules: a head is needed if the signal or the sizing reads it; what is not trained must not trade.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.parts.registry import find

if TYPE_CHECKING:
    from bot.config.whole import Config

BY_EDGE = ("kelly", "mean_variance")
"""The sizings that ask what a signal has been worth."""

LEAST_SHARE = 0.001
"""A needed head's weight is at least this share of the largest: below, it is as good as untrained."""


LEAST_RATE, LEAST_CLIP, MOST_DROPOUT = 1e-7, 1e-4, 0.95
"""Beyond these no head moves: float32 does not see such steps, Adam's own 1e-8 hides such gradients."""

BEYOND_FORECASTS = (
    "sizing.disagreement_penalty", "risk.max_disagreement", "risk.max_distance",
    "risk.max_model_age_bars",
)  # fmt: skip
"""Settings that ask a model for more than its forecasts, so that recorded forecasts cannot answer."""


def read_beyond_forecasts(config: Config) -> list[str]:
    """Return those of BEYOND_FORECASTS that are on."""
    keys = (key.split(".") for key in BEYOND_FORECASTS)
    return [f"{section}.{key}" for section, key in keys if getattr(getattr(config, section), key)]


def needed_heads(config: Config) -> list[tuple[str, int]]:
    """Return (kind, horizon) of the heads that the signal and the sizing read."""
    horizons = config.targets.horizons
    if config.signal.source == "decision":
        needed = [("decision", horizons[0])]
    else:
        joined = horizons if config.signal.horizons != "first" else horizons[:1]
        weighed = config.signal.horizons == "inverse_variance" and len(joined) > 1
        kinds = ("return", "direction", *(("volatility",) if weighed else ()))
        needed = [(kind, h) for kind in kinds for h in joined]
    read = ("volatility", horizons[0])
    if reads_volatility(config) and read not in needed:
        needed.append(read)
    return needed


def needs_model(config: Config) -> bool:
    """Return whether anything is decided by forecasts."""
    return needs_model_of(config.policy.kind, config.sizing.method)


def needs_model_of(kind: str, method: str) -> bool:
    """Return whether this policy or sizing reads forecasts."""
    policy = find("policy", kind)
    decides_alone = policy is not None and not policy.facts.get("needs_forecast", True)
    return not (decides_alone and method == "fixed")


def needs_calibration(config: Config) -> bool:
    """Return whether policy or sizing asks what a signal has been worth."""
    return config.policy.kind == "edge" or config.sizing.method in BY_EDGE


def reads_volatility(config: Config) -> bool:
    """Return whether sizing or calibration reads the predicted volatility."""
    return config.sizing.method != "fixed" or needs_calibration(config)


def untrained_heads(config: Config, stages: Sequence[Sequence[str]]) -> list[str]:
    """Return a fault for each needed head that the settings leave without training.

    Args:
        stages: the kinds of each stage of the curriculum, ("all",) for all of them.
    """
    t, kinds = config.training, config.targets.kinds
    faults = [
        f"training.{key} = {value:g}: no head would be trained; {fix}"
        for key, value, lost, fix in (
            ("learning_rate", t.learning_rate, t.learning_rate < LEAST_RATE,
             f"set {LEAST_RATE:g} or more"),
            ("clip_norm", t.clip_norm, t.clip_norm < LEAST_CLIP, f"set {LEAST_CLIP:g} or more"),
        )
        if lost
    ]  # fmt: skip
    if config.model.dropout > MOST_DROPOUT:
        faults.append(
            f"model.dropout = {config.model.dropout:g}: nothing would pass; set {MOST_DROPOUT:g} or less"
        )
    given = {kind: t.weights.get(kind, 1.0) for kind in kinds}
    least = LEAST_SHARE * max(given.values())
    for kind in dict.fromkeys(kind for kind, _ in needed_heads(config)):
        if kind not in kinds:
            continue  # named by the check of targets.kinds
        if t.weighting == "fixed" and (given[kind] < least or given[kind] == 0.0):
            faults.append(
                f"training.weights.{kind} = {given[kind]:g}: the account reads the {kind} head, and it "
                f"would not be trained; raise it to {least or 1.0:g} or more, or remove it"
            )
        last = stages[-1] if stages else ("all",)
        if kind not in last and tuple(last) != ("all",):
            faults.append(
                f"training.stages: the last stage, '{'+'.join(last)}', leaves out {kind}, which the "
                f"account reads: it would be forgotten, or never learned; add '+{kind}' to it, or "
                "end with 'all'"
            )
    return faults
