"""The grammar of `market.universe`: which symbols may be traded, as a sentence.

Must not know a bar: `bot/universe.py` judges who is a member.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from bot.errors import ConfigError

EXAMPLE = "top 20 by turnover over 30 days, listed 90 days"
MOST_SYMBOLS, MOST_DAYS, MOST_LISTED_DAYS = 1000, 366, 3660
_GRAMMAR = re.compile(
    r"top (?P<most>[0-9]{1,9}) by turnover over (?P<days>[0-9]{1,9}) days?(?:, listed (?P<listed>[0-9]{1,9}) days?)?"
)


@dataclass(frozen=True, slots=True)
class UniverseRule:
    """The `most` symbols with the largest turnover of `days` days, of those listed for `listed_days`."""

    most: int
    days: int
    listed_days: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the rule that a text states.

        Raises:
            ConfigError: it states none; the message tells what is expected.

        >>> UniverseRule.parse("top 20 by turnover over 30 days, listed 90 days")
        UniverseRule(most=20, days=30, listed_days=90)
        """
        found = _GRAMMAR.fullmatch(" ".join(text.lower().split()).replace(" ,", ","))
        if found is None:
            raise ConfigError(
                f"market.universe: '{text}' is no rule; write 'top N by turnover over D days', and ', listed M days' "
                f"after it if new listings are to wait, for example '{EXAMPLE}'"
            )
        rule = cls(int(found["most"]), int(found["days"]), int(found["listed"] or 0))
        for what, value, least, largest in (
            ("symbols", rule.most, 1, MOST_SYMBOLS),
            ("days of turnover", rule.days, 1, MOST_DAYS),
            ("days listed", rule.listed_days, 0, MOST_LISTED_DAYS),
        ):
            if not least <= value <= largest:
                raise ConfigError(
                    f"market.universe: '{text}': {value} {what}, expected {least} to {largest}, for example '{EXAMPLE}'"
                )
        return rule
