"""The file beside the runs: how far each was read, and what is not delivered yet.

Rule: what is found and how far was read are written in one step, before anything is sent; so a
process that is killed in between sends again, and never forgets. Must not hold an address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bot.adapters.system.atomic_file import replacing
from bot.app.messages.health import Health
from bot.app.messages.journal_news import JournalCursor
from bot.app.messages.log_news import LogCursor
from bot.app.messages.message import Message
from bot.app.messages.outbox import Standing
from bot.errors import JournalError

NAME = "notify.json"
SCHEMA = 1


@dataclass(frozen=True)
class Followed:
    """How far a run was read.

    Attributes:
        summary_day: the newest day, of the settings' time zone, that was summed up.
    """

    journal: JournalCursor = field(default_factory=JournalCursor)
    log: LogCursor = field(default_factory=LogCursor)
    health: Health = field(default_factory=Health)
    summary_day: str = ""


@dataclass
class Waiting:
    """A message, when it was found, and the keys of the addresses that have not taken it."""

    message: Message
    found_ms: int
    left: set[str]


@dataclass
class MessageState:
    """All that is kept from look to look, and from start to start."""

    runs: dict[str, Followed] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    standing: dict[str, Standing] = field(default_factory=dict)

    def add(self, messages: list[Message], keys: set[str], now_ms: int) -> None:
        """Take messages in, for these addresses; one that waits already is not taken twice."""
        known = {each.message.id for each in self.waiting}
        for message in messages:
            if message.id not in known and keys:
                self.waiting.append(Waiting(message, now_ms, set(keys)))

    def keep_addresses(self, keys: set[str]) -> None:
        """Forget addresses that are no more, and what waits for none."""
        for each in self.waiting:
            each.left &= keys
        self.waiting = [each for each in self.waiting if each.left]
        self.standing = {key: known for key, known in self.standing.items() if key in keys}

    def delivered(self, messages: list[Message], key: str) -> None:
        """Take note that an address has taken messages."""
        ids = {message.id for message in messages}
        for each in self.waiting:
            if each.message.id in ids:
                each.left.discard(key)
        self.waiting = [each for each in self.waiting if each.left]


def read_state(folder: Path) -> MessageState:
    """Return what was kept; nothing at the first start.

    Raises:
        JournalError: the file is damaged.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["schema"] != SCHEMA:
            raise JournalError(f"{path}: is of another version of the bot ({content['schema']})")
        return MessageState(
            runs={name: _followed(value) for name, value in content["runs"].items()},
            waiting=[
                Waiting(Message.from_json(each["message"]), int(each["found_ms"]), set(each["left"]))
                for each in content["waiting"]
            ],
            standing={
                key: replace(Standing(**value), sent_ms=tuple(value["sent_ms"]))
                for key, value in content["standing"].items()
            },
        )  # fmt: skip
    except FileNotFoundError:
        return MessageState()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise JournalError(
            f"{path}: cannot be read ({error!r}); remove it: 'bot notify' then begins at what is new"
        ) from None


def write_state(folder: Path, state: MessageState) -> None:
    """Keep it, whole or not at all.

    Raises:
        JournalError: it cannot be written.
    """
    content = {
        "schema": SCHEMA,
        "runs": {name: asdict(value) for name, value in state.runs.items()},
        "waiting": [
            {"message": each.message.as_json(), "found_ms": each.found_ms, "left": sorted(each.left)}
            for each in state.waiting
        ],
        "standing": {key: asdict(value) for key, value in state.standing.items()},
    }  # fmt: skip
    path = folder / NAME
    try:
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")
    except OSError as error:
        raise JournalError(
            f"{path}: cannot be written: {error.strerror}; free disk space or make the folder writable"
        ) from None


def _followed(value: Mapping[str, Any]) -> Followed:
    return Followed(
        JournalCursor(**value["journal"]), LogCursor(**value["log"]), Health(**value["health"]),
        str(value["summary_day"]),
    )  # fmt: skip
