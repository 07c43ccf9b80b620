"""What holds of every position that is small enough for its symbol's first tier, worked out once a call.

Rules: these are bounds, by which a look can be spared; what they do not tell is asked of `margin.py`. Values are in
the quote currency: of an account with inverse contracts, whose tiers are in coin, nothing is known.
"""

from __future__ import annotations

import math

from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.compiling import hot
from bot.portfolio.kernel.room import Room
from bot.portfolio.rules import Rules

SLACK = 1e-9
"""Share of what is held by which sums may miss one another through rounding."""


@hot
def note_first_tiers(rules: Rules, room: Room, full: FullAccount) -> None:
    """Note up to which value each symbol is in its first tier, and what it must have there."""
    least, largest_share = math.inf, 0.0
    for s in range(len(room.first_limit)):
        room.first_limit[s] = full.tier_limit[s, 0]
        room.first_need[s] = full.tier_rate[s, 0] + rules.taker_fee[s]
        share = 1.0
        if full.contract[s] or full.borrow:
            share = 1.0 / min(full.leverage[s], full.tier_leverage[s, 0])
        largest_share = max(largest_share, share)
        least = min(least, room.first_limit[s])
    room.all_first[0] = 0.0 if full.has_inverse else least
    room.all_first[1] = largest_share


@hot
def surely_has_margin(held: float, limit: float, room: Room) -> bool:
    """Tell whether positions worth so much in all surely have their initial margin within a limit."""
    return bool(held <= room.all_first[0] and held * room.all_first[1] * (1.0 + SLACK) <= limit)
