"""Faults that come and go at random, several at a time, with pauses of none."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from bot.practice.faults import Faults
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.rehearsal import Script

SHARES = {
    "drop": 0.05, "garbage": 0.3, "duplicate": 0.4, "reorder": 0.3, "lost_confirm": 0.4,
    "late_confirm": 0.4, "revision": 0.1, "rate_limited": 0.4, "forbidden": 0.2,
    "unavailable": 0.4, "slow": 0.4,
}  # fmt: skip
"""The most of each that is let loose."""


def draw(dice: random.Random) -> dict[str, Any]:
    """Return some faults to change to: about a third of the switches on."""
    wanted: dict[str, Any] = {
        name: round(most * dice.random(), 3) if dice.random() < 0.35 else 0.0
        for name, most in SHARES.items()
    }
    return wanted | {
        "seed": dice.randrange(2**31),
        "mute": dice.random() < 0.05,
        "late_ms": dice.choice([500, 8_000, 700_000]),
        "slow_ms": dice.choice([300, 12_000, 40_000]),
        "clock_skew_ms": dice.choice([0, 0, 700, 2_500]),
    }


def mixed(dice: random.Random, every_ms: int) -> Script:
    """Change the faults every so often; now and then the exchange is down, or all is well."""

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        while not stop.is_set():
            exchange.down = dice.random() < 0.06
            calm = dice.random() < 0.2
            exchange.switch.faults = Faults() if calm else Faults(**draw(dice))
            await exchange.clock.pause(every_ms * (0.2 + 1.6 * dice.random()))

    return script
