"""Which settings may change during a run, why the others may not, and a change tried out.

Rules: the table is the one place that says it; a change is checked as if the settings were given so
from the start, and all its faults are told at once. Must not know a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from bot.config.checks import combination_faults
from bot.config.faults import value_faults
from bot.config.given import GivenSettings
from bot.config.whole import Config, flatten, section_types
from bot.errors import ConfigError

MAY_CHANGE = (
    "risk.*", "signal.threshold", "market.symbols",
    "policy.cost_multiple", "policy.confidence", "policy.hold_bars", "policy.min_calibration_days",
    "policy.exit_threshold",
    "sizing.fraction", "sizing.scale", "sizing.max_weight", "sizing.rebalance_band",
    "sizing.kelly_fraction", "sizing.volatility_target", "sizing.risk_aversion",
    "sizing.correlation_bars", "sizing.allow_short",
    "retrain.trigger", "retrain.cron", "retrain.hours", "retrain.every_bars", "retrain.start",
)  # fmt: skip
"""What `bot set` takes, but what WHY_NOT names by its whole key: numbers and schedules that no array,
model or order of the run is shaped by, and the symbols, which join between two bars."""

AT_A_START = "it is read at a start: stop the run, and start it again with --set {key}=VALUE"
ANOTHER_RUN = "{reason}: begin another run with it"
_OF_THE_MODELS = (
    "the models of a run are of one kind, and what signals were worth is measured on them"
)
_MORE_OF_A_MODEL = (
    "it asks a model for more than its forecast, and the one in force may not have it"
)
_OF_THE_STATE = "it shapes what the account carries from bar to bar"

WHY_NOT = (
    ("market.feed", AT_A_START),
    ("market.universe", "the run's bars say by it who was a member"),
    ("market.*", "it says which bars the run is made of"),
    ("data.*", "it says which history a run begins with, and this one has begun"),
    ("synthetic.*", "it says which bars the run is made of"),
    ("features.*", "the run's models read these features"),
    ("targets.*", "the run's models forecast these targets"),
    ("model.*", _OF_THE_MODELS),
    ("training.workers", AT_A_START),
    ("training.time_limit_s", AT_A_START),
    ("training.memory_limit_mb", AT_A_START),
    ("training.*", _OF_THE_MODELS),
    ("retrain.at_start", "the start is over"),
    ("retrain.latency_bars", "whether a model was late is told by it"),
    ("signal.*", _OF_THE_MODELS),
    ("policy.rehearse", "the start is over"),
    ("policy.*", _OF_THE_STATE),
    ("sizing.disagreement_penalty", _MORE_OF_A_MODEL),
    ("risk.max_disagreement", _MORE_OF_A_MODEL),
    ("risk.max_distance", _MORE_OF_A_MODEL),
    ("sizing.*", _OF_THE_STATE),
    ("portfolio.*", "the account has begun with it"),
    ("costs.*", "a result is judged by one set of costs"),
    ("execution.*", "orders that wait were placed under it"),
    ("run.seed", "everything random in the run was drawn with it"),
    ("run.*", AT_A_START),
    ("exchange.*", AT_A_START),
    ("practice.*", AT_A_START),
    ("report.*", AT_A_START),
    ("log.*", AT_A_START),
    ("notify.*", "'bot notify' reads it, not the run: start that again with --set {key}=VALUE"),
    ("plugins", "the run's numbers were made with these parts"),
)
"""By key or section, the first that fits: why a setting cannot change during a run."""


def may_change(key: str) -> bool:
    """Return whether a setting, as section.key, may change during a run.

    >>> may_change("risk.max_gross"), may_change("risk.max_distance"), may_change("market.venue")
    (True, False, False)
    """
    named = {pattern for pattern, _ in WHY_NOT}
    return key not in named and any(_fits(key, pattern) for pattern in MAY_CHANGE)


def why_not(key: str) -> str:
    """Return why a setting cannot change during a run, and what to do."""
    reason = next(reason for pattern, reason in WHY_NOT if _fits(key, pattern))
    told = reason if "--set {key}" in reason else ANOTHER_RUN.replace("{reason}", reason)
    return told.replace("{key}", key)


def given_changes(texts: Sequence[str]) -> GivenSettings:
    """Read "section.key=value" as --set reads it; what cannot be read is among its faults."""
    given = GivenSettings()
    for text in texts:
        key, eq, value = text.partition("=")
        if eq:
            given.put(key.strip(), value.strip(), text)
        else:
            given.faults.append(
                f"'{text}': expected section.key=value, for example risk.max_gross=1"
            )
    return given


def recorded_changes(values: Mapping[str, Any], origin: str) -> GivenSettings:
    """Take values by key, as a command holds them."""
    given = GivenSettings()
    for key, value in values.items():
        section, _, name = key.partition(".")
        given.merge({section: {name: value}}, origin)
    return given


def changed(config: Config, given: GivenSettings) -> Config:
    """Return the settings with what is given in place of theirs.

    Raises:
        ConfigError: a key may not change, or a value or a combination makes no sense; a line each.
    """
    faults = list(given.faults)
    faults += [
        f"{key} cannot change during a run: {why_not(key)}"
        for key in given.origins
        if not may_change(key)
    ]
    if faults:
        raise ConfigError("\n".join(faults))
    new = applied(config, given)
    known = set(combination_faults(config))
    faults = [line for line in combination_faults(new) if line not in known]
    if faults:
        raise ConfigError("\n".join(faults))
    return new


def applied(config: Config, given: GivenSettings) -> Config:
    """Return the same, whatever the key: for what a run has taken already.

    Raises:
        ConfigError: a value is out of its bounds.
    """
    if given.faults:
        raise ConfigError("\n".join(given.faults))
    sections: dict[str, Any] = config.model_dump()
    for section, values in given.values.items():
        sections[section] = sections[section] | values
    try:
        return Config(**sections)
    except ValidationError as error:
        wrong = value_faults(error.errors(), section_types(), given.origins, of_change=True)
        raise ConfigError("\n".join(wrong.values())) from None


def values_of(config: Config, given: GivenSettings) -> dict[str, Any]:
    """Return the given settings by key, with the values that they have in `config`."""
    values = flatten(config)
    return {key: values[key] for key in given.origins}


def _fits(key: str, pattern: str) -> bool:
    return key.startswith(pattern[:-1]) if pattern.endswith("*") else key == pattern
