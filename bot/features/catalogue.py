"""The features there are: their names, how many bars each needs, and which a run can have.

A feature is added here, with its line in `kernels.py` and in the oracle of the tests. Must not
compute a feature.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from enum import IntEnum

from bot.config.schema import Features
from bot.errors import ConfigError
from bot.timegrid import DAY_MS


class Feature(IntEnum):
    """A feature by its place in the kernel's row; the name in lower case is the one in settings."""

    RETURN_1 = 0
    RETURN_5 = 1
    RETURN_10 = 2
    SMA_RATIO = 3
    EMA_RATIO = 4
    VOLATILITY = 5
    MOMENTUM = 6
    RSI = 7
    MACD = 8
    BB_POSITION = 9
    VOLUME_RATIO = 10
    VOLUME_CHANGE = 11
    RANGE = 12
    CLOSE_LOCATION = 13
    VOLATILITY_MEDIUM = 14
    VOLATILITY_LONG = 15
    CROSS_CORRELATION = 16
    CROSS_RETURN = 17
    HOUR_SIN = 18
    HOUR_COS = 19
    WEEKDAY_SIN = 20
    WEEKDAY_COS = 21


CROSS_SECTION = frozenset({Feature.CROSS_CORRELATION, Feature.CROSS_RETURN})
"""They compare a symbol with the others, so with one symbol they say nothing."""

HOUR_OF_DAY = frozenset({Feature.HOUR_SIN, Feature.HOUR_COS})
"""They are constant where a bar lasts a day, so there they say nothing."""


def choose_features(names: Sequence[str], n_symbols: int, interval_ms: int) -> tuple[Feature, ...]:
    """Return the named features that say something in this run, in the order of `names`.

    Left out are those of the cross-section where there is one symbol, and the hour of the day where
    a bar lasts a day or longer.

    Raises:
        ConfigError: a name is unknown, or nothing is left.

    >>> [f.name for f in choose_features(["rsi", "cross_return"], 1, 3_600_000)]
    ['RSI']
    """
    known = {feature.name.lower(): feature for feature in Feature}
    faults = [_unknown(name, list(known)) for name in names if name not in known]
    if faults:
        raise ConfigError("\n".join(faults))
    silent: set[Feature] = set()
    if n_symbols == 1:
        silent |= CROSS_SECTION
    if interval_ms >= DAY_MS:
        silent |= HOUR_OF_DAY
    chosen = tuple(known[name] for name in names if known[name] not in silent)
    if not chosen:
        raise ConfigError(
            f"features.names: none of {', '.join(names)} says anything with {n_symbols} symbol(s) "
            f"and bars of {interval_ms} ms; add a feature of the price, for example return_1"
        )
    return chosen


def _unknown(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(known)}"
    return f"features.names: there is no feature '{name}'; {hint}"


def bars_needed(feature: Feature, config: Features) -> int:
    """Return the bars after which every window of the feature is full.

    A window of w returns needs w + 1 bars. Exponential averages (adjust=True) have no window.

    >>> bars_needed(Feature.VOLATILITY, Features())
    21
    """
    return {
        Feature.RETURN_1: 2,
        Feature.RETURN_5: 6,
        Feature.RETURN_10: 11,
        Feature.SMA_RATIO: config.window,
        Feature.VOLATILITY: config.window + 1,
        Feature.MOMENTUM: config.window + 1,
        Feature.RSI: config.window + 1,
        Feature.BB_POSITION: config.window,
        Feature.VOLUME_RATIO: config.window,
        Feature.VOLUME_CHANGE: 2,
        Feature.VOLATILITY_MEDIUM: config.medium_window + 1,
        Feature.VOLATILITY_LONG: config.long_window + 1,
        Feature.CROSS_CORRELATION: config.correlation_window + 1,
        Feature.CROSS_RETURN: 2,
    }.get(feature, 1)
