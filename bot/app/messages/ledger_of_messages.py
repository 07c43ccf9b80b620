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
from bot.app.messages.outbox import Standing, is_hopeless
from bot.errors import JournalError
from bot.wording import counted

NAME = "notify.json"
MOST_WAITING = 2_000
"""Messages that are kept for an address that takes none: a month of 60 a day, and a file of a megabyte."""
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
    """A message and who has not taken it.

    Attributes:
        found_ms: when it was found.
        left: the keys of the addresses that have not taken it.
        refused: how often an address has refused it, by key.
    """

    message: Message
    found_ms: int
    left: set[str]
    refused: dict[str, int] = field(default_factory=dict)


@dataclass
class MessageState:
    """All that is kept from look to look, and from start to start.

    Attributes:
        names: of the addresses of the last start, by key.
    """

    runs: dict[str, Followed] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    standing: dict[str, Standing] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, messages: list[Message], keys: set[str], now_ms: int) -> None:
        """Take messages in, for these addresses; one that waits already is not taken twice."""
        known = {each.message.id for each in self.waiting}
        for message in messages:
            if message.id not in known and keys:
                self.waiting.append(Waiting(message, now_ms, set(keys)))

    def crowded_out(self, key: str) -> list[Message]:
        """Take out what waits for an address beyond `MOST_WAITING`, the oldest that is not urgent first; return it."""
        mine = [each.message for each in self.waiting if key in each.left]
        over = len(mine) - MOST_WAITING
        if over <= 0:
            return []
        dropped = sorted(mine, key=lambda message: message.urgent)[:over]
        self.delivered(dropped, key)
        standing = self.standing.get(key, Standing())
        self.standing[key] = replace(standing, crowded_out=standing.crowded_out + over)
        return dropped

    def use_addresses(self, names: Mapping[str, str]) -> list[str]:
        """Take these addresses, by key with their names; return what becomes of what waits for others.

        What waits for one that is no more goes to a new one of its kind: its address was changed.
        """
        asked = {key for each in self.waiting for key in each.left}
        known = asked | set(self.standing) | set(self.names)
        lines = []
        for key in sorted(asked - names.keys()):
            name = self.names.get(key, "an address")
            heirs = {
                heir for heir in names.keys() - known
                if key not in self.names or _kind(names[heir]) == _kind(name)
            }  # fmt: skip
            mine = [each for each in self.waiting if key in each.left]
            for each in mine:
                each.left = each.left - {key} | heirs
            many = counted(len(mine), "message")
            to = ", ".join(sorted(names[heir] for heir in heirs))
            lines.append(
                f"{name}: has another address; {many} that waited for the old one: to {to} now"
                if heirs
                else f"{name}: is no address any more; {many} that waited for it: not sent there"
            )
        self.waiting = [each for each in self.waiting if each.left]
        self.standing = {key: found for key, found in self.standing.items() if key in names}
        self.names = dict(names)
        return lines

    def refused(self, messages: list[Message], key: str) -> None:
        """Take note that an address has refused messages."""
        ids = {message.id for message in messages}
        for each in self.waiting:
            if each.message.id in ids:
                each.refused[key] = each.refused.get(key, 0) + 1

    def give_up(self, key: str, now_ms: int) -> list[Message]:
        """Take out what an address will never take; return it."""
        standing = self.standing.get(key, Standing())
        hopeless = [
            each.message for each in self.waiting
            if key in each.left
            and is_hopeless(standing, each.refused.get(key, 0), each.found_ms, now_ms)
        ]  # fmt: skip
        if hopeless:
            self.delivered(hopeless, key)
            count = standing.given_up + len(hopeless)
            self.standing[key] = replace(standing, given_up=count)
        return hopeless

    def delivered(self, messages: list[Message], key: str) -> None:
        """Take note that an address has taken messages, or never will."""
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
                Waiting(
                    Message.from_json(each["message"]), int(each["found_ms"]), set(each["left"]),
                    {key: int(count) for key, count in each.get("refused", {}).items()},
                )
                for each in content["waiting"]
            ],
            standing={
                key: replace(Standing(**value), sent_ms=tuple(value["sent_ms"]))
                for key, value in content["standing"].items()
            },
            names={str(key): str(name) for key, name in content.get("names", {}).items()},
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
            {"message": each.message.as_json(), "found_ms": each.found_ms, "left": sorted(each.left),
             "refused": each.refused}
            for each in state.waiting
        ],
        "standing": {key: asdict(value) for key, value in state.standing.items()},
        "names": state.names,
    }  # fmt: skip
    path = folder / NAME
    try:
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")
    except OSError as error:
        raise JournalError(
            f"{path}: cannot be written: {error.strerror}; free disk space or make the folder writable"
        ) from None


def _kind(name: str) -> str:
    """Return the service of an address, without its number in the list."""
    return name.rstrip(" 0123456789")


def _followed(value: Mapping[str, Any]) -> Followed:
    return Followed(
        JournalCursor(**value["journal"]), LogCursor(**value["log"]), Health(**value["health"]),
        str(value["summary_day"]),
    )  # fmt: skip
