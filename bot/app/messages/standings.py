"""`bot notify status`: what waits for each address, and what went wrong there.

It reads the file beside the runs and nothing else, so it needs no secret and disturbs nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.app.messages.ledger_of_messages import NAME, MessageState, read_state
from bot.app.runs.durations import duration
from bot.errors import JournalError
from bot.timestamps import format_utc
from bot.wording import command_in_text, counted


def standings(place: Path) -> list[dict[str, Any]]:
    """Return the addresses of the last start, each with how it stands; times in ms UTC.

    Raises:
        JournalError: 'bot notify' was never started there, or its file is damaged.
    """
    if not (place / NAME).is_file():
        raise JournalError(
            f"{place}: 'bot notify' has not been started there; "
            f"{command_in_text('notify', place)} starts it"
        )
    state = read_state(place)
    return [_standing(state, key, name) for key, name in state.names.items()]


def _standing(state: MessageState, key: str, name: str) -> dict[str, Any]:
    waiting = [each for each in state.waiting if key in each.left]
    known = state.standing.get(key)
    return {
        "address": name,
        "waiting": len(waiting),
        "oldest_ms": min((each.found_ms for each in waiting), default=None),
        "failures": known.failures if known else 0,
        "refusals": known.refusals if known else 0,
        "reason": known.said if known else "",
        "next_try_ms": known.next_ms if known and known.failures else None,
        "given_up": known.given_up if known else 0,
        "crowded_out": known.crowded_out if known else 0,
    }


def standing_line(found: dict[str, Any], now_ms: int) -> str:
    """Return how an address stands, in a line."""
    parts = [
        counted(found["waiting"], "message waits", "messages wait")
        if found["waiting"]
        else "nothing waits"
    ]
    if found["oldest_ms"] is not None:
        parts[0] += f", the oldest since {format_utc(found['oldest_ms'])} UTC"
    if found["failures"]:
        again = max(0, found["next_try_ms"] - now_ms)
        parts.append(f"not taken {counted(found['failures'], 'time')} in a row ({found['reason']})")
        parts.append(
            f"asked again in {duration(again)}" if again else "asked again at the next look"
        )
    if found["given_up"]:
        parts.append(f"{counted(found['given_up'], 'message')} given up: refused for a day")
    if found["crowded_out"]:
        parts.append(f"{counted(found['crowded_out'], 'older message')} not kept: too many waited")
    return f"{found['address']}: {'; '.join(parts)}"
