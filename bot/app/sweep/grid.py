"""What --vary asks for: keys with their values, and every combination of them as settings.

Rules: only what a replay of given forecasts can tell apart may vary; a key that needs a training, or
that only a live run obeys, is refused by name. Must not read a run.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.config.given import unknown_setting
from bot.config.needed_heads import BEYOND_FORECASTS
from bot.config.whole import section_types
from bot.errors import ConfigError

MOST = 10_000
"""Settings in a sweep."""

SECTIONS = ("policy", "sizing", "costs", "risk", "execution")
SINGLE = ("signal.threshold", "signal.factor", "portfolio.initial_capital")
REFUSED = {
    "execution.price": "only a live run has quotes to fill at, so a replay cannot tell its values apart",
    **dict.fromkeys(
        BEYOND_FORECASTS,
        "what it asks of models beyond forecasts is not recorded; compare backtests instead",
    ),
    "policy.rehearse": "a rehearsal has trainings of its own; compare backtests instead",
    "policy.settings": "name one setting after the other in files, and compare them",
    "costs.settings": "name one setting after the other in files, and compare them",
}
_FORMS = "key=v1,v2, key=low..high:count, or key=low..high:countlog for even ratios"


@dataclass(frozen=True, slots=True)
class Axis:
    """A key that varies, and its values in words, as --set takes them."""

    key: str
    values: tuple[str, ...]


def axes_of(varied: Sequence[str]) -> tuple[Axis, ...]:
    """Return what the --vary options ask for.

    >>> axes_of(["policy.cost_multiple=0.5..3:3", "sizing.method=fixed,proportional"])[0].values
    ('0.5', '1.75', '3')

    Raises:
        ConfigError: a key may not vary, a value is no number, or there are too many combinations.
    """
    if not varied:
        raise ConfigError(f"sweep: nothing varies; give --vary at least once: {_FORMS}")
    axes = tuple(_axis(text) for text in varied)
    doubles = {a.key for a in axes if [b.key for b in axes].count(a.key) > 1}
    if doubles:
        raise ConfigError(
            f"--vary: {', '.join(sorted(doubles))} is given twice; list all its values once"
        )
    size = math.prod(len(axis.values) for axis in axes)
    if size > MOST:
        raise ConfigError(
            f"--vary: {' × '.join(str(len(a.values)) for a in axes)} = {size:,} combinations, at most "
            f"{MOST:,} are tried in one sweep; name fewer values"
        )
    return axes


def points(axes: Sequence[Axis]) -> Iterator[tuple[str, ...]]:
    """Yield every combination, the last key varying fastest."""
    yield from itertools.product(*(axis.values for axis in axes))


def sets_of(axes: Sequence[Axis], point: Sequence[str]) -> list[str]:
    """Return a combination as --set takes it."""
    return [f"{axis.key}={value}" for axis, value in zip(axes, point, strict=True)]


def _axis(text: str) -> Axis:
    key, equals, given = (part.strip() for part in text.partition("="))
    if not equals or not given:
        raise ConfigError(f"--vary {text}: expected {_FORMS}")
    check_key(key)
    values = _span(key, given) if ".." in given else [part.strip() for part in given.split(",")]
    if "" in values:
        raise ConfigError(f"--vary {text}: an empty value; expected {_FORMS}")
    if len(set(values)) < len(values):
        raise ConfigError(
            f"--vary {text}: a value comes twice ({', '.join(values)}); name each once, or fewer of a "
            "whole number's span"
        )
    return Axis(key, tuple(values))


def check_key(key: str, option: str = "--vary") -> None:
    """Refuse a key that a replay of forecasts cannot tell the values of apart.

    Raises:
        ConfigError: it is such a key, or none at all.
    """
    section, _, name = key.partition(".")
    types = section_types()
    if section not in types or name not in types[section].model_fields:
        raise ConfigError(f"{option}: {unknown_setting(key)}")
    if key in REFUSED:
        raise ConfigError(f"{option} {key}: {REFUSED[key]}")
    if section not in SECTIONS and key not in SINGLE:
        raise ConfigError(
            f"{option} {key}: the forecasts would be others, which needs a training; 'bot compare' trains, "
            f"and a sweep varies {', '.join([*(f'{s}.*' for s in SECTIONS), *SINGLE])}"
        )


def _span(key: str, given: str) -> list[str]:
    """Return the values from low to high, even in steps or, with 'log', in ratios."""
    ends, _, count = given.partition(":")
    low_text, _, high_text = ends.partition("..")
    logarithmic = count.endswith("log")
    try:
        low, high, n = float(low_text), float(high_text), int(count.removesuffix("log"))
    except ValueError:
        raise ConfigError(f"--vary {key}={given}: expected {_FORMS}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high and 2 <= n <= MOST):
        raise ConfigError(
            f"--vary {key}={given}: expected low < high and a count from 2 to {MOST:,}, or key=v1,v2"
        )
    if logarithmic and low <= 0.0:
        raise ConfigError(f"--vary {key}={given}: even ratios begin above 0; raise {low_text}")
    share = [i / (n - 1) for i in range(n)]
    values = (
        [low * (high / low) ** x for x in share]
        if logarithmic
        else [low + (high - low) * x for x in share]
    )
    whole = (
        section_types()[key.partition(".")[0]].model_fields[key.partition(".")[2]].annotation is int
    )
    return [str(round(value)) if whole else f"{value:.12g}" for value in values]
