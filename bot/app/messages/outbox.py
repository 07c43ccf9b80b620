"""What goes out to an address, and when: groups, limits, quiet hours, tries again.

Rules: pure, and the clock is handed in, and may have been set back; what is urgent waits for nothing but an
address that fails; a message leaves the outbox only when it was taken, so each arrives at least once, in order,
urgent ones first. The exception is a receiver that looks at it and refuses it (HTTP 3xx or 4xx): what was refused
steps behind the others and goes alone, and is given up once it is `GIVE_UP_MS` old and it, or whatever was
sent there, was refused `GIVE_UP_TRIES` times in a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from bot.app.messages.message import Message
from bot.app.runs.durations import SECOND_MS
from bot.config.notify import Notify
from bot.timegrid import DAY_MS, HOUR_MS

FIRST_WAIT_MS, LONGEST_WAIT_MS = 15 * SECOND_MS, 15 * 60 * SECOND_MS
LONGEST_ASKED_MS = 6 * HOUR_MS
"""The longest that a receiver's Retry-After is obeyed."""
GIVE_UP_TRIES, GIVE_UP_MS = 8, DAY_MS
LONGEST_TEXT = 3_000
"""Letters of one delivery: Telegram takes 4,096."""


@dataclass(frozen=True)
class Standing:
    """What is known of an address.

    Attributes:
        failures: tries in a row that failed.
        next_ms: not to be asked before.
        sent_ms: when something that was not urgent was sent, in the last hour.
        wait_ms: how long before `next_ms` that was said.
        refusals: of the tries that failed, those that the receiver refused.
        said: why the last try failed.
        given_up: messages that it never took.
        crowded_out: messages that newer ones have taken the place of, while it took none.
    """

    failures: int = 0
    next_ms: int = 0
    sent_ms: tuple[int, ...] = ()
    wait_ms: int = 0
    refusals: int = 0
    said: str = ""
    given_up: int = 0
    crowded_out: int = 0


def due(
    waiting: Sequence[Message], standing: Standing, settings: Notify, arrived: Sequence[int], now_ms: int
) -> list[Message]:  # fmt: skip
    """Return the messages that make the next delivery to an address; empty while none is due.

    Args:
        waiting: not taken by it yet, oldest first.
        arrived: when each was found, by this machine's clock.
    """
    # a longer wait is none of ours: the clock was set back since
    if not waiting or 0 < standing.next_ms - now_ms <= max(standing.wait_ms, LONGEST_WAIT_MS):
        return []
    urgent = [message for message in waiting if message.urgent]
    if urgent:
        return _first_that_fit(urgent)
    if is_quiet(settings, now_ms) or 0 <= now_ms - min(arrived) < settings.group_s * SECOND_MS:
        return []
    recent = _recent(standing, now_ms)
    return [] if len(recent) >= settings.max_per_hour else _first_that_fit(waiting)


def after_success(standing: Standing, sent: Sequence[Message], now_ms: int) -> Standing:
    """Return what is known of an address that has taken messages."""
    counted = () if sent[0].urgent else (now_ms,)
    return Standing(
        sent_ms=_recent(standing, now_ms) + counted, given_up=standing.given_up,
        crowded_out=standing.crowded_out,
    )  # fmt: skip


def after_failure(
    standing: Standing, now_ms: int, said: str = "", asked_s: float | None = None, *,
    refused: bool = False,
) -> Standing:  # fmt: skip
    """Return what is known of an address that has not: it is asked again ever more rarely.

    Args:
        said: why.
        asked_s: the seconds that the receiver asked to wait.
        refused: whether the receiver will not have it.
    """
    asked_ms = min(int((asked_s or 0.0) * SECOND_MS), LONGEST_ASKED_MS)
    wait_ms = min(FIRST_WAIT_MS * 2 ** min(standing.failures, 16), LONGEST_WAIT_MS)
    wait_ms = max(wait_ms, asked_ms)
    return replace(
        standing, failures=standing.failures + 1, next_ms=now_ms + wait_ms, wait_ms=wait_ms,
        refusals=standing.refusals + refused, said=said,
    )  # fmt: skip


def is_hopeless(standing: Standing, refused: int, found_ms: int, now_ms: int) -> bool:
    """Return whether a message is given up for an address.

    Args:
        refused: how often this message was refused there.
        found_ms: when the message was found.
    """
    old = now_ms - found_ms >= GIVE_UP_MS
    return old and max(refused, standing.refusals) >= GIVE_UP_TRIES


def is_quiet(settings: Notify, now_ms: int) -> bool:
    """Return whether it is one of the quiet hours."""
    if not settings.quiet:
        return False
    start, end = (time.fromisoformat(part) for part in settings.quiet.split("-"))
    now = local_time(settings, now_ms).time()
    return start <= now < end if start <= end else now >= start or now < end


def local_time(settings: Notify, now_ms: int) -> datetime:
    """Return a time as the clock on the wall of the settings' time zone shows it."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(settings.timezone))


def delivery_id(messages: Sequence[Message]) -> str:
    """Return the id of a delivery: that of what is in it, so the same when it is sent again."""
    return hashlib.sha256("\n".join(m.id for m in messages).encode()).hexdigest()[:12]


def title_of(messages: Sequence[Message]) -> str:
    """Return a headline: the runs, and what it is about."""
    runs = ", ".join(dict.fromkeys(m.run for m in messages))
    counts: dict[str, int] = {}
    for message in messages:
        counts[message.kind] = counts.get(message.kind, 0) + 1
    kinds = ", ".join(kind if n == 1 else f"{n} × {kind}" for kind, n in counts.items())
    return f"{runs}: {kinds}"


def text_of(messages: Sequence[Message]) -> str:
    """Return the lines of a delivery, and its id."""
    several = len({m.run for m in messages}) > 1
    lines = []
    for message in messages:
        at = datetime.fromtimestamp(message.time_ms / 1000, UTC)
        day = f"{at:%H:%M}" if len(messages) == 1 else f"{at:%m-%d %H:%M}"
        lines.append(f"{day} {f'{message.run}: ' if several else ''}{message.text}")
    return "\n".join([*lines, f"(UTC; id {delivery_id(messages)})"])


def _recent(standing: Standing, now_ms: int) -> tuple[int, ...]:
    return tuple(at for at in standing.sent_ms if abs(now_ms - at) < HOUR_MS)


def _first_that_fit(messages: Sequence[Message]) -> list[Message]:
    """Return as many as one delivery holds; one with a picture goes alone."""
    taken: list[Message] = []
    letters = 0
    for message in messages:
        letters += len(message.text) + len(message.run) + 16
        if taken and (letters > LONGEST_TEXT or message.picture or taken[-1].picture):
            break
        taken.append(message)
    return taken
