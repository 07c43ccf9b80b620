"""A person's hand on the running bot: commands and the kill switch, looked for between two commits.

Rules: a command is taken once, in the order in which they were asked: an id that the record has is
never taken again, and the file goes once the record has it. Nothing is taken before the run trades,
nor while it catches up: nothing is decided then. What cannot hold is recorded with the reason. Must
not know what a command does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bot.adapters.files import commands as files
from bot.adapters.files.commands import STOP_FILE, Asked
from bot.app.live.committed import CommittedRun
from bot.app.live.joining import joining_symbols
from bot.app.live.reporter import LiveReport
from bot.app.live.retraining import LiveTraining
from bot.errors import DataError
from bot.portfolio.book import FLATTENED
from bot.portfolio.hand import Command

UNREADABLE = "unreadable"
"""The kind of a file that holds no command."""


class Hand:
    """Take what a person asks of a run.

    Attributes:
        joining: a command by which symbols join, for which the loop has to end; it is not taken here.

    Args:
        now_ms: the exchange's time.
        joins_after_ms: before which no symbol is let join: the exchange has not answered of late.
    """

    def __init__(
        self, run: CommittedRun, training: LiveTraining, report: LiveReport,
        now_ms: Callable[[], int], joins_after_ms: int,
    ) -> None:  # fmt: skip
        self._run, self._training, self._report = run, training, report
        self._now_ms, self._joins_after_ms = now_ms, joins_after_ms
        self._folder = run.folder.path
        self.joining: Asked | None = None
        self._put_off: set[str] = set()
        self._known = {row.id for row in run.commands}

    @property
    def asks(self) -> bool:
        """Return whether there is something to take, at the cost of a look at two names."""
        new = any(
            each not in self._known and each not in self._put_off
            for each in files.waiting(self._folder)
        )
        return new or (files.stopped_by_file(self._folder) and not self._flattened)

    async def look(self, every_s: float, wake: Callable[[], None]) -> None:
        """Look now and then, for ever, and wake who waits where something is asked."""
        while True:
            await asyncio.sleep(every_s)
            if self.asks:
                wake()

    def take(self) -> None:
        """Take all that is asked, each in a transaction of its own."""
        if self._run.start is None:
            return
        stopped = files.stopped_by_file(self._folder)
        if stopped and not self._flattened:
            at = _now_ms()
            self._taken(Asked(files.new_id(at), Command.FLATTEN, {}, STOP_FILE, at))
        for command_id in files.waiting(self._folder):
            if command_id in self._known or self._take_file(command_id, stopped=stopped):
                files.remove(self._folder, command_id)

    @property
    def _flattened(self) -> bool:
        return int(self._run.book.account["paused"][0]) == FLATTENED

    def _take_file(self, command_id: str, *, stopped: bool) -> bool:
        """Take a command, unless symbols join by it: that is put off to the end of the loop."""
        refused = None
        try:
            asked = files.read(self._folder, command_id)
            if asked is None:  # whoever asked has taken it back
                return True
        except DataError as error:
            asked, refused = Asked(command_id, UNREADABLE, {}, "", _now_ms()), str(error)
        if stopped and asked.kind == Command.RESUME:
            refused = f"{STOP_FILE} is there; remove it, then ask again"
        if refused is None and joining_symbols(asked, self._run.symbols):
            self._put_off.add(asked.id)
            if not self._run.opened and self._now_ms() >= self._joins_after_ms:
                self.joining = self.joining or asked
            return False
        self._taken(asked, refused)
        return True

    def _taken(self, asked: Asked, refused: str | None = None) -> None:
        retrain = self._run.config.retrain
        row = self._run.take(asked, refused)
        self._known.add(row.id)
        if self._run.config.retrain != retrain:
            self._training.due_bars.change(row.open_time, self._run.config.retrain)
        self._report.commanded(row)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
