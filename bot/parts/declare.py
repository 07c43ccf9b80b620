"""The decorators that enter a part of a user's own, and what each kind asks of it.

Rule: a decorator checks what can be seen at once (the name, the numbers given, the docstring, the
settings' schema) and returns what it decorates unchanged; whether the part does what its kind
must do is shown by `bot parts check`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from bot.errors import ConfigError
from bot.parts.registry import Part, enter
from bot.parts.sets import SETS

Made = TypeVar("Made")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


def feature(
    name: str, *, bars: int | Callable[[Any], int], settings: type[BaseModel] | None = None
) -> Callable[[Made], Made]:
    """Enter a feature: a compiled function over the last `bars` bars of a symbol.

    It takes six arrays float64[bars], oldest first, of the symbol's own bars: open, high, low,
    close, volume, turnover; and returns a number, NaN where it has none.

    Args:
        name: as in `features.names`.
        bars: how many bars it reads, itself the last; or a function of its settings.
        settings: the schema of `[features.settings.NAME]`; then what is decorated is a function of the settings
            that returns the compiled one.
    """
    return _entering("feature", name, settings, bars=bars, over="symbol", computed="called")


def cross_feature(
    name: str, *, bars: int | Callable[[Any], int] = 1, settings: type[BaseModel] | None = None
) -> Callable[[Made], Made]:
    """Enter a feature over the cross-section: a compiled function of all symbols' last `bars` bars.

    It takes six arrays float64[bars, S], NaN where a symbol has no bar, and a seventh, float64[S], to
    write its values to.
    """
    return _entering("feature", name, settings, bars=bars, over="cross_section", computed="called")


def target(
    name: str,
    *,
    output: Literal["number", "positive", "probability", "side"] = "number",
    settings: type[BaseModel] | None = None,
) -> Callable[[Made], Made]:
    """Enter a target: a compiled function over bar t and the next h bars in session.

    It takes six arrays float64[h + 1], of t..t+h: open, high, low, close, volume, turnover; and
    returns the label, NaN where there is none. A label is known at the close of bar t + h.

    Args:
        output: any number; one above 0 (kept above a floor); a label 0 or 1, whose forecast is a
            probability; a label -1, 0 or 1, whose forecast is p(+1) - p(-1).
    """
    return _entering("target", name, settings, output=output)


def policy(
    name: str,
    *,
    state: int | Callable[[Any], int] = 0,
    needs_forecast: bool = True,
    settings: type[BaseModel] | None = None,
) -> Callable[[Made], Made]:
    """Enter a policy: a compiled function that says which side a symbol is worth at a bar's close.

    It takes a record, whose fields `bot.portfolio.kernel.asked` lists (signal, volatility, the cost of
    a round trip, the side held and for how many bars, ...), and its own float64[state]; and returns
    the side wanted, from -1 to 1, by which the size is multiplied, or NaN for no decision. It is
    asked at every close at which the symbol has a bar.

    Args:
        state: how many numbers it carries a symbol, from bar to bar, or a function of its settings;
            they begin as 0.
        needs_forecast: whether its answer counts only where there is a forecast.
    """
    return _entering("policy", name, settings, state=state, needs_forecast=needs_forecast)


def cost_scheme(
    name: str,
    *,
    state: int | Callable[[Any], int] = 0,
    settings: type[BaseModel] | None = None,
) -> Callable[[Made], Made]:
    """Enter a cost scheme: a compiled function that says what a fill costs.

    It takes a record, whose fields `bot.portfolio.kernel.asked` lists, and its own float64[state]; and
    writes the record's `price` and `fee`, which hold what a taker pays. It returns nothing.

    Args:
        state: how many numbers it carries a symbol, from fill to fill, or a function of its settings;
            they begin as 0.
    """
    return _entering("cost_scheme", name, settings, state=state)


def encoder(
    name: str, *, window: bool = False, settings: type[BaseModel] | None = None
) -> Callable[[Made], Made]:
    """Enter a class that reads the features: an `Encoder` of bot.model.networks.encoders.base.

    Args:
        window: whether it reads the last model.lookback bars, float32[B, L, F], and not one bar.
    """
    return _entering("encoder", name, settings, window=window)


def architecture(name: str, *, settings: type[BaseModel] | None = None) -> Callable[[Made], Made]:
    """Enter a class of how the tasks share a network: an `Architecture`."""
    return _entering("architecture", name, settings)


def weighting(name: str, *, settings: type[BaseModel] | None = None) -> Callable[[Made], Made]:
    """Enter a class of how the tasks' losses become one: a `Weighting`."""
    return _entering("weighting", name, settings)


def gradient_method(
    name: str, *, settings: type[BaseModel] | None = None
) -> Callable[[Made], Made]:
    """Enter a class of how the tasks' gradients become one."""
    return _entering("gradient_method", name, settings)


def _entering(
    kind: str, name: str, settings: type[BaseModel] | None, **facts: Any
) -> Callable[[Made], Made]:
    frame = inspect.stack()[2]
    origin, line = frame.filename, frame.lineno
    where = f"{origin}, line {line}"
    if not _NAME.match(name):
        raise ConfigError(
            f"{where}: '{name}' is no name for a {kind}; use small letters, digits and '_'"
        )
    if name in SETS.get(kind.removeprefix("cross_"), {}):
        raise ConfigError(f"{where}: '{name}' is a set of {kind}s; give yours another name")
    for fact in ("bars", "state"):
        value = facts.get(fact, 1)
        least = 1 if fact == "bars" else 0
        if not callable(value) and not (isinstance(value, int) and least <= value <= 10_000):
            raise ConfigError(
                f"{where}: {fact} = {value!r} of {kind} '{name}'; expected {least} to 10,000"
            )

    def decorate(made: Made) -> Made:
        doc = (getattr(made, "__doc__", None) or "").strip()
        if not doc:
            raise ConfigError(
                f"{where}: {kind} '{name}' has no docstring; say in one line what it is, its unit and "
                "its source"
            )
        enter(
            Part(
                kind,
                name,
                made,
                settings=settings,
                keys=(),
                facts=facts,
                doc=doc,
                origin=origin,
                line=line,
            )
        )
        return made

    return decorate
