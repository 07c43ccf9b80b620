"""The features that always came with the bot: their names, how many bars each needs, and which say something.

These are the core ones, computed together in one kernel (`kernels.py`); more to choose from are in
`library`, in groups. A user's own is a file with a function of the last bars (`own.py` calls it).
Must not compute a feature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

from bot.config.schema import Features
from bot.errors import ConfigError
from bot.parts.registry import Part, find, shipped, unknown
from bot.timegrid import DAY_MS, NO_LIMIT_MS


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


def _enter(
    feature: Feature, doc: str, bars: Callable[[Features], int] = lambda _: 1, *,
    over: str = "symbol", shorter_than_ms: int = NO_LIMIT_MS, needs: str = "",
) -> None:  # fmt: skip
    """Enter a feature.

    Args:
        shorter_than_ms: it is constant, and left out, where a bar lasts so long.
        needs: 'volume' where it says nothing without.
    """
    facts = {"bars": bars, "over": over, "shorter_than_ms": shorter_than_ms, "needs": needs}
    shipped("feature", feature.name.lower(), doc=doc, computed="core", **facts)(feature)


# A window of w returns needs w + 1 bars. Exponential averages (adjust=True) have no window.
_enter(Feature.RETURN_1, "return over 1 bar", lambda _: 2)
_enter(Feature.RETURN_5, "return over 5 bars", lambda _: 6)
_enter(Feature.RETURN_10, "return over 10 bars", lambda _: 11)
_enter(Feature.SMA_RATIO, "close over its mean of features.window bars", lambda f: f.window)
_enter(Feature.EMA_RATIO, "close over its exponential mean of span features.window")
_enter(Feature.VOLATILITY, "deviation of returns over features.window", lambda f: f.window + 1)
_enter(Feature.MOMENTUM, "return over features.window bars", lambda f: f.window + 1)
_enter(Feature.RSI, "relative strength index, simple means", lambda f: f.window + 1)
_enter(Feature.MACD, "exponential means of span 12 less 26, over the close")
_enter(Feature.BB_POSITION, "place between the Bollinger bands of 2 deviations", lambda f: f.window)
_enter(
    Feature.VOLUME_RATIO, "log of volume over its mean of features.window", lambda f: f.window,
    needs="volume",
)  # fmt: skip
_enter(Feature.VOLUME_CHANGE, "log of volume over that of the bar before", lambda _: 2)
_enter(Feature.RANGE, "high less low, over the close")
_enter(Feature.CLOSE_LOCATION, "place of the close between low and high")
_enter(
    Feature.VOLATILITY_MEDIUM, "deviation of returns over features.medium_window",
    lambda f: f.medium_window + 1,
)  # fmt: skip
_enter(
    Feature.VOLATILITY_LONG, "deviation of returns over features.long_window",
    lambda f: f.long_window + 1,
)  # fmt: skip
_enter(
    Feature.CROSS_CORRELATION, "correlation with the mean return of all symbols",
    lambda f: f.correlation_window + 1, over="cross_section",
)  # fmt: skip
_enter(
    Feature.CROSS_RETURN, "return less the mean of all symbols", lambda _: 2, over="cross_section"
)
_enter(Feature.HOUR_SIN, "sine of the hour of the day, UTC", shorter_than_ms=DAY_MS)
_enter(Feature.HOUR_COS, "cosine of the hour of the day, UTC", shorter_than_ms=DAY_MS)
_enter(Feature.WEEKDAY_SIN, "sine of the day of the week, UTC")
_enter(Feature.WEEKDAY_COS, "cosine of the day of the week, UTC")


def choose_features(names: Sequence[str], n_symbols: int, interval_ms: int) -> tuple[Part, ...]:
    """Return the named features that say something in this run, in the order of `names`.

    Left out are those of the cross-section where there is one symbol, and those that a bar is too long
    for: the hour of the day where one lasts a day, 4 hours where it lasts 4.

    Raises:
        ConfigError: a name is unknown, or nothing is left.

    >>> [f.name for f in choose_features(["rsi", "cross_return"], 1, 3_600_000)]
    ['rsi']
    """
    found = {name: find("feature", name) for name in names}
    if faults := [unknown("feature", name) for name, part in found.items() if part is None]:
        raise ConfigError("\n".join(faults))
    chosen = tuple(p for p in found.values() if p and _says_something(p, n_symbols, interval_ms))
    if not chosen:
        raise ConfigError(
            f"features.names: none of {', '.join(names)} says anything with {n_symbols} symbol(s) "
            f"and bars of {interval_ms} ms; add a feature of the price, for example return_1"
        )
    return chosen


def _says_something(part: Part, n_symbols: int, interval_ms: int) -> bool:
    if n_symbols == 1 and part.facts["over"] == "cross_section":
        return False
    return interval_ms < int(part.facts.get("shorter_than_ms", NO_LIMIT_MS))


def bars_needed(part: Part, config: Features) -> int:
    """Return the bars after which every window of a core feature is full.

    >>> bars_needed(choose_features(["volatility"], 1, 3_600_000)[0], Features())
    21
    """
    return int(part.facts["bars"](config))
