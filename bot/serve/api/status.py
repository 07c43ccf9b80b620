"""A run's status and its line in the list, as JSON: the figures of `bot status --json`, and its state.

Rule: what `bot status` says is said by the same function; here is only what an overview adds.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from bot.app.runs.sentences import sentence
from bot.serve.feed.cards import RunCard

_NAMED = (
    "mode", "interval", "pid", "last_bar", "behind_ms", "bars", "fills", "equity", "cash", "total_return",
    "drawdown", "fees", "funding", "halted", "paused", "clock",
)  # fmt: skip
"""What a line has of the status."""


def run_line(card: RunCard) -> dict[str, Any]:
    """Return a run as the list has it."""
    status = card.status
    told = {name: None if status is None else getattr(status, name) for name in _NAMED}
    positions = () if status is None else status.positions
    return {
        "id": card.run_id,
        "state": card.state.value,
        "state_why": card.why,
        "fault": card.fault,
        **told,
        "coins": [] if status is None else [asdict(each) for each in status.coins],
        "symbols": list(card.symbols),
        "first_bar": card.first_bar,
        "day_return": card.day_return,
        "positions": len(positions),
        "spark": list(card.spark),
        "news": None if card.news is None else _news(card.news),
    }


def _news(event: dict[str, Any]) -> dict[str, Any]:
    names = {"time": "time_ms", "level": "level", "event": "event"}
    return {name: event[key] for name, key in names.items()} | {"says": sentence(event)}


def run_status(card: RunCard) -> dict[str, Any]:
    """Return the status of a run that can be read."""
    assert card.status is not None  # who asks has looked
    told: dict[str, Any] = json.loads(card.status.as_json())
    del told["run_dir"]  # where it is on this machine is nobody's matter
    own = {"id": card.run_id, "state": card.state.value, "state_why": card.why}
    return own | {"day_return": card.day_return} | told
