"""Named sets of parts, for settings that list many: a set's name stands for all of its names.

Rules: a set is written out when settings are loaded, so that a run's folder has the names themselves
and a set that changes later changes no run; a set has no part's name. Must not know a part.
"""

from __future__ import annotations

from collections.abc import Sequence

CORE = (
    "return_1", "return_5", "return_10", "sma_ratio", "ema_ratio", "volatility",
    "momentum", "rsi", "macd", "bb_position", "volume_ratio", "volume_change", "range",
    "close_location", "volatility_medium", "volatility_long", "cross_correlation",
    "cross_return", "hour_sin", "hour_cos", "weekday_sin", "weekday_cos",
)  # fmt: skip
WIDE = (
    *CORE,
    *(f"log_volatility_{n}" for n in (5, 24, 72, 168, 720)),
    *(f"log_range_{n}" for n in (1, 5, 24, 72, 168, 720)),
    *(f"scaled_return_{n}" for n in (1, 5, 24, 72, 168)),
    *(f"market_return_{n}" for n in (1, 5, 24, 168)),
    *(f"breadth_{n}" for n in (1, 24)),
    *(
        f"{what}_{how}_{span}"
        for what in ("volume", "range")
        for how in ("adjusted", "seasonal")
        for span in ("7d", "28d", "week")
    ),
)

SETS: dict[str, dict[str, tuple[str, ...]]] = {"feature": {"core": CORE, "wide": WIDE}}
"""The sets by kind of part and name."""


def written_out(kind: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names with each set's own in its place, those left out that stand there already.

    >>> written_out("feature", ["core", "atr_14"])[-2:]
    ('weekday_cos', 'atr_14')
    """
    out: list[str] = []
    for name in names:
        members = SETS.get(kind, {}).get(name)
        out += [name] if members is None else [n for n in members if n not in out]
    return tuple(out)
