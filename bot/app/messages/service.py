"""`bot notify`: follow runs, and tell people elsewhere what happens in them.

Rules: a look writes down what it found before anything is sent; what one address does not take holds
up no other; nothing that is said names an address. Must not write to a run but its own file.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.adapters.messages.delivery import Address, NotDelivered, OutgoingMessage
from bot.adapters.messages.posting import request
from bot.app.messages import outbox
from bot.app.messages.following import begin, begin_new, name_of, news_of, runs_to_follow
from bot.app.messages.ledger_of_messages import (
    MOST_WAITING,
    NAME,
    MessageState,
    read_state,
    write_state,
)
from bot.app.messages.message import Message, message_id
from bot.app.messages.outbox import Standing
from bot.app.messages.summary import picture
from bot.app.runs.durations import SECOND_MS, duration
from bot.app.runs.folder import RunFolder
from bot.config.notify import Notify
from bot.errors import BotError, JournalError
from bot.wording import counted

LOCK = "notify.lock"
_NO_FOLDER = "its folder is gone; where that was meant, start 'bot notify' again"


@dataclass
class Notifier:
    """Follow the runs of a place, look by look.

    Args:
        place: a folder of runs, or one run; its file of what was told lies in it.
        addresses: where messages go.
        now_ms: this machine's time.
        say: a line for whoever reads the service's own output.
        ping_url: of the dead man's switch, empty for none.
    """

    place: Path
    settings: Notify
    addresses: Sequence[Address]
    now_ms: Callable[[], int]
    say: Callable[[str], None] = print
    ping_url: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self._keys = {address.key for address in self.addresses}
        self._state: MessageState = read_state(self.place)
        names = {address.key: address.name for address in self.addresses}
        for line in self._state.use_addresses(names):
            self.say(line)
        self._unread: dict[str, str] = {}
        self._pinged_ms = 0
        folders, first = runs_to_follow(self.place), not (self.place / NAME).exists()
        for folder in folders if first else ():  # at later starts a run that is not known is new
            self._state.runs[name_of(folder)] = begin(folder, self.settings, self.now_ms())
        for name in self._missed(set(map(name_of, folders))):  # it was removed, and is not missed
            run = self._state.runs[name]
            self._state.runs[name] = replace(run, health=replace(run.health, stopped=True))
        write_state(self.place, self._state)
        runs = ", ".join(map(name_of, folders)) or "no run yet"
        to = ", ".join(address.name for address in self.addresses)
        self.say(f"follows {runs}; tells {to or 'nobody, the switch alone'}")

    def look(self) -> None:
        """Look once at every run, and send what is due."""
        now_ms, found = self.now_ms(), False
        folders = {name_of(f): f for f in runs_to_follow(self.place, self._state.runs)}
        for name, folder in folders.items():
            known = self._state.runs.get(name) or begin_new(self.settings, now_ms)
            try:
                news, after = news_of(folder, known, self.settings, now_ms)
            except (BotError, OSError) as error:  # the latter: its folder is removed meanwhile
                if self._cannot_read(name, str(error)):
                    self._state.add([_unreadable(name, str(error), now_ms)], self._keys, now_ms)
                    found = True
                continue
            self._unread.pop(name, None)
            if news or after != known or name not in self._state.runs:
                self._state.add(news, self._keys, now_ms)
                self._state.runs[name] = after
                found = True
        for name in self._missed(folders):
            if self._cannot_read(name, _NO_FOLDER):
                self._state.add([_unreadable(name, _NO_FOLDER, now_ms)], self._keys, now_ms)
                found = True
        if found:
            self._keep()
        for address in self.addresses:
            self._send(address, folders)
        self._ping(folders)

    def _missed(self, there: Container[str]) -> list[str]:
        """Return the runs that should be running and have no folder any more."""
        runs = self._state.runs.items()
        return [name for name, run in runs if name not in there and not run.health.stopped]

    def _keep(self) -> None:
        """Write down what is known; a disk without room does not keep anybody from being told so."""
        try:
            write_state(self.place, self._state)
        except JournalError as error:
            self._cannot_read(NAME, str(error))
        else:
            self._unread.pop(NAME, None)

    def _cannot_read(self, name: str, why: str) -> bool:
        """Say what cannot be read or kept; return whether that is new."""
        new = name not in self._unread
        if self._unread.get(name) != why:
            self.say(f"{name}: {why}")
        self._unread[name] = why
        return new

    def _send(self, address: Address, folders: dict[str, RunFolder]) -> None:
        """Send all that is due to an address, until it fails."""
        while True:
            standing = self._state.standing.get(address.key, Standing())
            messages = self._due(address.key, standing)
            if not messages:
                return
            try:
                with _picture_of(messages, folders) as drawn:
                    address.send(delivery_of(messages, drawn))
            except NotDelivered as error:
                self._failed(address, messages, standing, error)
                return
            self._state.delivered(messages, address.key)
            self._state.standing[address.key] = outbox.after_success(
                standing, messages, self.now_ms()
            )
            self._keep()
            self.say(f"{address.name}: {outbox.title_of(messages)}")

    def _failed(
        self, address: Address, messages: list[Message], standing: Standing, error: NotDelivered
    ) -> None:
        """Take note that an address has not taken messages, and of those that are not kept for it any longer."""
        now_ms, key = self.now_ms(), address.key
        failed = outbox.after_failure(
            standing, now_ms, str(error), error.retry_after_s, refused=error.refused
        )
        self._state.standing[key] = failed
        if error.refused:
            self._state.refused(messages, key)
            for message in self._state.give_up(key, now_ms):
                self.say(f"{address.name}: given up, refused for a day ({error}): {message.id}")
        dropped = self._state.crowded_out(key)
        if dropped:
            many = counted(len(dropped), "older message")
            self.say(
                f"{address.name}: {many} not kept, since more than {MOST_WAITING:,} wait for it"
            )
        wait = counted(sum(key in each.left for each in self._state.waiting), "waits", "wait")
        again = duration(failed.next_ms - now_ms)
        self.say(f"{address.name}: {wait}, not taken ({error}); again in {again}")
        self._keep()

    def _due(self, key: str, standing: Standing) -> list[Message]:
        """Return the next delivery to an address; what it has refused before comes last, and alone."""
        mine = [each for each in self._state.waiting if key in each.left]
        fresh = [each for each in mine if key not in each.refused]
        again = sorted((each for each in mine if key in each.refused), key=lambda e: e.refused[key])
        for group in (fresh, *([each] for each in again)):
            messages, found = [each.message for each in group], [each.found_ms for each in group]
            due = outbox.due(messages, standing, self.settings, found, self.now_ms())
            if due:
                return due
        return []

    def _ping(self, folders: dict[str, RunFolder]) -> None:
        """Say outwards that all is well; where it is not, say nothing: whoever waits raises the alarm."""
        now_ms = self.now_ms()
        every_ms = self.settings.ping_every_s * SECOND_MS
        if not self.ping_url or 0 <= now_ms - self._pinged_ms < every_ms:
            return
        if self._missed(folders) or any(
            name in self._unread or not self._state.runs[name].health.well for name in folders
        ):
            return
        self._pinged_ms = now_ms
        try:
            request(self.ping_url)
        except NotDelivered as error:
            self.say(f"the dead man's switch: not taken ({error})")


def delivery_of(messages: Sequence[Message], drawn: Path | None = None) -> OutgoingMessage:
    """Return messages as one delivery."""
    return OutgoingMessage(
        id=outbox.delivery_id(messages),
        title=outbox.title_of(messages),
        text=outbox.text_of(messages),
        urgent=messages[0].urgent,
        messages=[message.as_json() for message in messages],
        picture=drawn,
    )


@contextmanager
def only_one(place: Path) -> Iterator[None]:
    """Hold the place for this process.

    Raises:
        JournalError: another one follows it, or it cannot be written.
    """
    path = place / LOCK
    try:
        file = path.open("a")
    except OSError as error:
        raise JournalError(f"{path}: cannot be made: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(f"{place}: another 'bot notify' follows it already") from None
        yield


@contextmanager
def _picture_of(
    messages: Sequence[Message], folders: dict[str, RunFolder]
) -> Iterator[Path | None]:
    """Draw what a message wants drawn; without its run, or room for it, it goes as it is."""
    message = messages[0]
    if not message.picture or message.run not in folders:
        yield None
        return
    with ExitStack() as stack:
        drawn = None
        with suppress(BotError, OSError):  # the latter: a disk without room
            into = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            drawn = picture(folders[message.run], Path(into))
        yield drawn


def _unreadable(run: str, why: str, now_ms: int) -> Message:
    text = f"the run cannot be read, so nothing more can be told of it: {why}"
    return Message(message_id(run, "crash", "unreadable", now_ms), run, "crash", now_ms, text)
