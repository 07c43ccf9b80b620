"""The ways in which the practice exchange can fail, and the seeded dice that decide when.

Rules: a fault strikes or not by its seed, its name and what it strikes (a request's or a frame's
number, a symbol and bar), so runs repeat. Every strike is counted. Changes nothing by itself: REST
and stream ask.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from bot.errors import ConfigError

_COUNTS = ("silent", "unlisted", "launched", "delisted", "halted", "gapped")
_TIMES = ("late_ms", "slow_ms", "launch_ms", "delist_ms", "halt_ms", "halt_until_ms", "gap_ms")
_NO_PROBABILITY = frozenset(
    {"seed", "mute", "clock_skew_ms", "time_skew_ms", "gap", *_COUNTS, *_TIMES}
)


@dataclass(frozen=True, slots=True)
class Faults:
    """Which faults are on; probabilities lie in [0, 1], and everything is off by default.

    Attributes:
        seed: of the dice.
        drop: a connection is cut at a push.
        mute: pings are answered, no data are sent.
        silent: so many of the last symbols are subscribed to and never sent.
        unlisted: so many of the last symbols are not known: refused by stream and requests.
        launched: so many of the last symbols are launched at `launch_ms`, and in PreLaunch before.
        launch_ms: see there; as the other times of events, of the exchange's clock, in ms UTC.
        delisted: so many of the last symbols are delisted at `delist_ms`, which is announced from now on;
            where that is 0, none is.
        delist_ms: see there.
        halted: so many of the last symbols do not trade in bars that open in `halt_ms` to
            `halt_until_ms`, and say nothing of it.
        halt_ms, halt_until_ms: see there; the later one is not of the halt.
        gapped: the prices of so many of the last symbols are `gap` times as high from the first bar on
            that opens at `gap_ms` or later.
        gap_ms, gap: see there.
        garbage: a data frame is preceded by one that is malformed, no object, or without a topic.
        duplicate: a data frame is sent twice.
        reorder: a data frame is sent after the one that follows it.
        lost_confirm: a closed candle is not confirmed on the stream.
        late_confirm: it is confirmed `late_ms` late, at the next push from then.
        late_ms: see there.
        revision: it is first confirmed with another close and volume, then with the right ones.
        rate_limited: a request is answered with retCode 10006.
        forbidden: a request is answered with HTTP 403, the limit of the address.
        unavailable: a request is answered with HTTP 503.
        slow: a request is answered `slow_ms` late.
        slow_ms: see there.
        clock_skew_ms: by how much the exchange's own times are ahead, wherever it tells one.
        time_skew_ms: by how much the answer to a request for the time is ahead of all others.

    Raises:
        ConfigError: a probability lies outside [0, 1], or a time or a number is negative.
    """

    seed: int = 0
    drop: float = 0.0
    mute: bool = False
    silent: int = 0
    unlisted: int = 0
    launched: int = 0
    launch_ms: int = 0
    delisted: int = 0
    delist_ms: int = 0
    halted: int = 0
    halt_ms: int = 0
    halt_until_ms: int = 0
    gapped: int = 0
    gap_ms: int = 0
    gap: float = 1.0
    garbage: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    lost_confirm: float = 0.0
    late_confirm: float = 0.0
    late_ms: int = 1_000
    revision: float = 0.0
    rate_limited: float = 0.0
    forbidden: float = 0.0
    unavailable: float = 0.0
    slow: float = 0.0
    slow_ms: int = 2_000
    clock_skew_ms: int = 0
    time_skew_ms: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in _NO_PROBABILITY and not 0.0 <= value <= 1.0:
                raise ConfigError(f"faults.{field.name} = {value}: expected a share from 0 to 1")
        for name in (*_COUNTS, *_TIMES):
            if getattr(self, name) < 0:
                raise ConfigError(f"faults.{name} = {getattr(self, name)}: expected 0 or more")
        if not 1e-3 <= self.gap <= 1e3:
            raise ConfigError(f"faults.gap = {self.gap}: expected a factor from 0.001 to 1000")


class FaultSwitch:
    """The faults in force, changeable while the exchange runs, and a count of their strikes."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.strikes: Counter[str] = Counter()

    def change(self, wanted: Mapping[str, Any]) -> Faults:
        """Change the named faults, leave the others, and return all.

        Raises:
            ConfigError: a name is unknown, or a value is of another type or out of bounds.
        """
        known = asdict(self.faults)
        for name, value in wanted.items():
            if name not in known:
                raise ConfigError(f"faults.{name}: no such fault; there are {', '.join(known)}")
            kind = type(known[name])
            if type(value) is not kind and (type(value), kind) != (int, float):
                raise ConfigError(f"faults.{name} = {value!r}: expected {kind.__name__}")
        self.faults = replace(self.faults, **wanted)
        return self.faults

    def strikes_now(self, name: str, *what: object) -> bool:
        """Return whether the fault strikes this thing, and count it if so."""
        probability = float(getattr(self.faults, name))
        struck = probability > 0.0 and self.draw(name, *what) < probability
        self.strikes[name] += struck
        return struck

    def draw(self, *what: object) -> float:
        """Return a number in [0, 1) that depends on the seed and on `what` alone."""
        return random.Random(f"{self.faults.seed}:{what}").random()
