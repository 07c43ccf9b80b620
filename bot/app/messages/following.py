"""One run, followed: what is new in it since the last look.

Rules: a run that is there when `bot notify` first starts is followed from now on, and one that begins
later from its beginning; a backtest is nobody's news. Must not send.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from bot.adapters.system.run_lock import holder
from bot.app.messages.health import Health, look
from bot.app.messages.journal_news import end_of, journal_news
from bot.app.messages.ledger_of_messages import Followed
from bot.app.messages.log_news import end_of_log, log_news
from bot.app.messages.message import Message
from bot.app.messages.summary import due_day, summary
from bot.app.runs.folder import RunFolder, runs_in
from bot.app.runs.record import open_record
from bot.config.notify import Notify
from bot.errors import BotError, JournalError


def runs_to_follow(place: Path, known: Container[str] = ()) -> list[RunFolder]:
    """Return the live runs in a folder of runs, or the one that it is.

    Args:
        known: runs that are followed already, also where they cannot be read any more.
    """
    one = RunFolder(place)
    found = [one] if one.journal.is_file() else runs_in(place)
    return [folder for folder in found if _is_live(folder, otherwise=name_of(folder) in known)]


def name_of(folder: RunFolder) -> str:
    """Return what a run is called in messages; what is no UTF-8 of it is '?'."""
    return folder.path.resolve().name.encode("utf-8", "replace").decode()


def begin(folder: RunFolder, settings: Notify, now_ms: int) -> Followed:
    """Return where a run is followed from that was there before: its end."""
    with open_record(folder) as record:
        journal = end_of(record)
    stopped = holder(folder.path) is None
    day = due_day(settings, now_ms)
    return Followed(journal, end_of_log(folder.log), Health(stopped=stopped), day)


def begin_new(settings: Notify, now_ms: int) -> Followed:
    """Return where a run is followed from that has begun since."""
    return Followed(health=Health(stopped=False), summary_day=due_day(settings, now_ms))


def news_of(
    folder: RunFolder, known: Followed, settings: Notify, now_ms: int
) -> tuple[list[Message], Followed]:
    """Return what is new in a run, and how far it is read now.

    Raises:
        JournalError: its record is damaged.
    """
    run = name_of(folder)
    with open_record(folder) as record:
        recorded, journal = journal_news(run, record, known.journal)
    logged = log_news(run, folder.log, known.log)
    before = known.health
    if logged.stopped is not None:
        before = replace(before, stopped=logged.stopped)
    health, after = look(run, folder.path, before, settings, now_ms)
    day, summed = due_day(settings, now_ms), []
    if day and day != known.summary_day:
        made = summary(run, folder, day, now_ms)
        summed = [made] if made is not None else []
    found = [*recorded, *logged.messages, *health, *summed]
    told = [message for message in found if message.kind in settings.kinds]
    return told, Followed(journal, logged.cursor, after, day or known.summary_day)


def _is_live(folder: RunFolder, *, otherwise: bool) -> bool:
    try:
        return _mode_of(folder, folder.journal.stat().st_ino) == "live"
    except (BotError, OSError):  # it is being made, is damaged, or was removed
        return otherwise


@lru_cache(maxsize=4096)
def _mode_of(folder: RunFolder, number: int) -> str:  # noqa: ARG001 - another file is another run
    """Return a run's mode, which it keeps: of years of backtests none is opened at each look."""
    with open_record(folder) as record:
        mode = record.meta.get("mode")
    if mode is None:
        raise JournalError(f"{folder.journal}: is being made")
    return mode
