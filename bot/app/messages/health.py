"""Whether a run's daemon lives, its feed is heard, and its disk has room.

Rules: each is told once when it begins and once when it ends (that a daemon which was gone is back,
its log tells); what is known of before is in the state, so that a restart of `bot notify` tells nothing
again. A daemon that ended in order is not missed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from bot.adapters.system.run_lock import holder
from bot.app.messages.message import Message, message_id
from bot.app.runs.durations import SECOND_MS, duration
from bot.app.runs.heartbeat import Heartbeat, read_heartbeat
from bot.config.notify import Notify
from bot.errors import JournalError
from bot.timestamps import format_utc

GRACE_MS = 15 * SECOND_MS
"""A supervisor starts a daemon again within seconds; that the old one is gone is then no news."""

ROOM = 1.2
"""The disk has room again with so many times what is too little: not at each file that comes and goes."""


@dataclass(frozen=True)
class Health:
    """What was known at the last look; times in ms UTC of this machine.

    Attributes:
        stopped: the daemon has said that it ends.
        gone_ms: since when it is missed, 0 where it is not.
        gone_told, hangs_told, disk_told, lost_told: what was told and has not ended.
        lost_ms: since when the exchange is not heard, 0 where it is.
    """

    stopped: bool = True
    gone_ms: int = 0
    gone_told: bool = False
    hangs_told: bool = False
    disk_told: bool = False
    lost_ms: int = 0
    lost_told: bool = False

    @property
    def well(self) -> bool:
        """Return whether nothing is missing: what the dead man's switch says."""
        return not self.gone_ms and not self.hangs_told


def look(
    run: str, folder: Path, before: Health, settings: Notify, now_ms: int
) -> tuple[list[Message], Health]:
    """Return what has changed, and what is known now."""
    heartbeat = _heartbeat(folder)
    daemon, known = _daemon(run, folder, before, heartbeat, now_ms)
    disk, known = _disk(run, folder, known, settings, now_ms)
    feed, known = _feed(run, known, heartbeat, settings, now_ms)
    return [*daemon, *disk, *feed], known


def _daemon(
    run: str, folder: Path, known: Health, heartbeat: Heartbeat | None, now_ms: int
) -> tuple[list[Message], Health]:
    """Look whether the daemon lives; one that never said that it ends is missed."""
    alive, last_ms = holder(folder) is not None, None if heartbeat is None else heartbeat.time_ms
    news: list[Message] = []
    gone = not alive and not known.stopped
    since = min(known.gone_ms or now_ms, now_ms) if gone else 0
    if gone and not known.gone_told and now_ms - since >= GRACE_MS:
        when = (
            "" if last_ms is None else f"; its last sign of life was at {format_utc(last_ms)} UTC"
        )
        text = f"the daemon is gone and did not say why (killed, or out of memory){when}"
        news.append(Message(message_id(run, "crash", last_ms or since), run, "crash", now_ms, text))
        known = replace(known, gone_told=True)
    elif not gone and known.gone_told:
        known = replace(known, gone_told=False)
    silent = 0 if last_ms is None or not alive else now_ms - last_ms
    hangs = heartbeat is not None and silent >= heartbeat.allowed_silence_ms
    if hangs and not known.hangs_told:
        text = f"the daemon lives, and has given no sign for {duration(silent)}"
        news.append(Message(message_id(run, "crash", "hangs", last_ms), run, "crash", now_ms, text))
    elif known.hangs_told and alive and not hangs:
        told = message_id(run, "crash", "lives", last_ms)
        text = "the daemon gives signs of life again"
        news.append(Message(told, run, "crash", now_ms, text, calm=True))
    return news, replace(known, gone_ms=since, hangs_told=hangs)


def _disk(
    run: str, folder: Path, known: Health, settings: Notify, now_ms: int
) -> tuple[list[Message], Health]:
    free_mb = shutil.disk_usage(folder).free / 1e6
    enough = settings.disk_low_mb * (ROOM if known.disk_told else 1.0)
    low = free_mb < enough
    if low == known.disk_told:
        return [], known
    text = f"the disk is filling up: {free_mb:,.0f} MB are free" if low else f"the disk has room again: {free_mb:,.0f} MB"  # fmt: skip
    message = Message(message_id(run, "disk", now_ms), run, "disk", now_ms, text, calm=not low)
    return [message], replace(known, disk_told=low)


def _feed(
    run: str, known: Health, heartbeat: Heartbeat | None, settings: Notify, now_ms: int
) -> tuple[list[Message], Health]:
    """Look whether the exchange is heard, as the daemon's last sign of life says."""
    if heartbeat is None or known.stopped or known.gone_ms:
        return [], known if known.lost_told else replace(known, lost_ms=0)
    if heartbeat.connection.startswith("connected"):
        if not known.lost_told:
            return [], replace(known, lost_ms=0)
        text = f"the exchange is heard again, after {duration(heartbeat.time_ms - known.lost_ms)}"
        news = Message(message_id(run, "feed", heartbeat.time_ms), run, "feed", now_ms, text)
        return [news], replace(known, lost_ms=0, lost_told=False)
    known = replace(known, lost_ms=known.lost_ms or heartbeat.time_ms)
    if known.lost_told or now_ms - known.lost_ms < settings.feed_lost_s * SECOND_MS:
        return [], known
    text = (
        f"the exchange is not heard since {format_utc(known.lost_ms)} UTC ({heartbeat.connection})"
    )
    news = Message(message_id(run, "feed", known.lost_ms), run, "feed", now_ms, text)
    return [news], replace(known, lost_told=True)


def _heartbeat(folder: Path) -> Heartbeat | None:
    try:
        return read_heartbeat(folder)
    except JournalError:
        return None
