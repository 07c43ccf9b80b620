"""`bot pause`, `resume`, `flatten`, `set`: ask the daemon of a run for something, and wait for its answer.

Rules: what cannot hold is refused here, before anything is written; the daemon checks again, and its
record is the answer. A run that is not running finds what was asked at its next start. Must not change
the record.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.adapters.files.commands import STOP_FILE, Asked, ask, new_id, stopped_by_file, user_name
from bot.adapters.record.commands import CommandRow
from bot.adapters.system.run_lock import holder
from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.in_force import changed_settings, config_in_force
from bot.app.runs.record import open_record
from bot.config import flatten
from bot.config.advice import reader_missing
from bot.config.changes import given_changes, values_of
from bot.errors import ConfigError, JournalError
from bot.portfolio.hand import Command
from bot.timestamps import format_utc

LOOK_S = 0.1
NOT_TAKEN = 9
"""The exit code where a daemon runs and has not taken the command in time."""

EFFECT = {
    Command.PAUSE: "nothing is opened or increased until 'bot resume'",
    Command.FLATTEN: "every position is ordered closed, and nothing is opened until 'bot resume'",
    Command.RESUME: "trading continues",
}


@dataclass(frozen=True)
class CommandAnswer:
    """What became of a command.

    Attributes:
        path: its file, until it is taken.
        row: as the record has it; None where it is not taken yet.
        running: whether a daemon runs the run.
        waited_s: how long was waited for an answer.
        warnings: of settings that nothing reads beside the others.
    """

    run: Path
    asked: Asked
    path: Path
    row: CommandRow | None
    running: bool
    waited_s: float
    warnings: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """Return it in a word, that of --json."""
        if self.row is None:
            return "waiting" if self.running else "not running"
        return "taken" if self.row.refused is None else "refused"

    @property
    def exit_code(self) -> int:
        """Return how the command line ends."""
        codes = {"waiting": NOT_TAKEN, "refused": ConfigError.exit_code}
        return codes.get(self.state, 0)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        row = self.row
        return {
            "run_dir": str(self.run),
            "id": self.asked.id,
            "command": self.asked.kind,
            "settings": dict(self.asked.settings),
            "answer": self.state,
            "open_time": None if row is None else row.open_time,
            "inside": None if row is None else row.inside,
            "reason": None if row is None else row.refused,
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        what = f"{self.asked.kind} {self.run}"
        if self.row is None and not self.running:
            return (
                f"{what}: the run is not running; it takes this at its next start, once it has caught up "
                f"({self.path}; removing that file takes it back)"
            )
        if self.row is None:
            return (
                f"{what}: not taken after {self.waited_s:g} s; the daemon takes it as soon as it trades and "
                f"has caught up ({self.path}; removing that file takes it back). 'bot status' says where it is"
            )
        if self.row.refused is not None:
            return f"{what}: refused by the daemon: {self.row.refused}"
        where = "close" if self.row.inside else "open"
        effect = EFFECT.get(Command(self.row.kind)) or _shown(self.asked.settings)
        return f"{what}: taken; from the {where} of the bar {format_utc(self.row.open_time)} UTC on {effect}"


def ask_run(
    folder: RunFolder, command: Command, texts: Sequence[str] = (), wait_s: float = 10.0,
    clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
) -> CommandAnswer:  # fmt: skip
    """Ask the daemon of a run for something, and wait for its answer.

    Args:
        texts: "section.key=value", for `set`.
        wait_s: seconds to wait; what was asked stays asked.

    Raises:
        ConfigError: what is asked cannot hold.
        JournalError: the run is a backtest, or its folder cannot be written.
    """
    settings, warnings = checked(folder, command, texts)
    now_ms = time.time_ns() // 1_000_000
    asked = Asked(new_id(now_ms), command, settings, user_name(), now_ms)
    path = ask(folder.path, asked)
    end, row = clock() + wait_s, None
    while (running := holder(folder.path) is not None) and row is None:
        row = _row(folder, asked.id)
        if row is not None or clock() >= end:
            break
        sleep(LOOK_S)
    row = row or _row(folder, asked.id)
    return CommandAnswer(
        folder.path, asked, path, row, running=running, waited_s=wait_s, warnings=warnings
    )


def checked(
    folder: RunFolder, command: Command, texts: Sequence[str] = ()
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the settings that a command changes, once it is known that it can hold; and warnings.

    Raises:
        ConfigError: what is asked cannot hold.
        JournalError: the run is a backtest.
    """
    with open_record(folder) as record:
        mode, commands = record.meta.get("mode"), record.commands()
    if mode != "live":
        raise JournalError(
            f"{folder.path}: is the run of a {mode}, which is over: nobody would take the command; "
            "'bot runs' lists the runs"
        )
    if command is Command.RESUME and stopped_by_file(folder.path):
        raise ConfigError(
            f"{folder.path / STOP_FILE} is there, and while it is nothing trades; remove it, then ask again"
        )
    if command is not Command.SET:
        return {}, ()
    given = given_changes(texts)
    config = changed_settings(config_in_force(config_of(folder), commands), given)
    values = flatten(config)
    unread = {key: reader_missing(key, values) for key in given.origins}
    warnings = (f"{key} is read with {what} only" for key, what in unread.items() if what)
    return values_of(config, given), tuple(warnings)


def _row(folder: RunFolder, command_id: str) -> CommandRow | None:
    with open_record(folder) as record:
        return next((row for row in record.commands() if row.id == command_id), None)


def _shown(settings: Any) -> str:
    return ", ".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
