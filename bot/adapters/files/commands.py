"""What a person asks of a running bot: a file a command in RUN/commands, and the kill switch.

Rules: a command's file is there whole or not at all, and its name is the command's id; whoever takes
it removes it once the record has it. A file whose name is no id is nobody's command and is left
alone. Must not know what a command does.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.adapters.system.atomic_file import make_folder, replacing
from bot.errors import DataError, JournalError

FOLDER = "commands"
STOP_FILE = "STOP_TRADING"
"""While this file is in a run's folder, all is closed and nothing is opened."""

_ID = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{8}")
_LONGEST = 100_000
"""Bytes; no command is as long."""
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Asked:
    """A command as it was asked.

    Attributes:
        id: sorts by the time it was asked at.
        settings: values by key, as JSON has them.
        asked_by: the user's name.
        asked_ms: this machine's time.
    """

    id: str
    kind: str
    settings: Mapping[str, Any]
    asked_by: str
    asked_ms: int


def new_id(now_ms: int) -> str:
    """Return a name for a command, by which the commands of a run sort.

    >>> new_id(1_700_000_000_123)[:20]
    '20231114T221320123Z-'
    """
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    return f"{at:%Y%m%dT%H%M%S}{now_ms % 1000:03d}Z-{secrets.token_hex(4)}"


def user_name() -> str:
    """Return who runs this process, by number where the system has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"user {os.getuid()}"


def ask(run: Path, asked: Asked) -> Path:
    """Put a command where the run's daemon finds it; return its file.

    Raises:
        JournalError: the folder cannot be written.
        DataError: a file or a link is in the folder's place.
    """
    folder = run / FOLDER
    path = folder / f"{asked.id}.json"
    try:
        make_folder(folder)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(asked)) + "\n", encoding="utf-8")
    except OSError as error:
        raise JournalError(
            f"{folder}: the command cannot be written ({error.strerror}), so nothing was asked; make the "
            "folder writable or free disk space, then ask again"
        ) from None
    return path


def waiting(run: Path) -> list[str]:
    """Return the ids of the commands that wait to be taken, oldest first."""
    try:
        names = os.listdir(run / FOLDER)
    except OSError:  # none was ever asked, or the folder is none
        return []
    ids = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return sorted(name for name in ids if _ID.fullmatch(name))


def read(run: Path, command_id: str) -> Asked | None:
    """Return a command that waits, None where it is gone.

    Raises:
        DataError: the file holds no command; with the reason.
    """
    path = run / FOLDER / f"{command_id}.json"
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise DataError("it is no file")
        with path.open("rb") as file:
            content = json.loads(file.read(_LONGEST).decode("utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise DataError("it is no JSON") from None
    return _asked(content, command_id)


def remove(run: Path, command_id: str) -> None:
    """Take the file of a command away, where it can be taken away."""
    with suppress(OSError):
        (run / FOLDER / f"{command_id}.json").unlink()


def stopped_by_file(run: Path) -> bool:
    """Return whether the kill switch is there, whatever it is."""
    return os.path.lexists(run / STOP_FILE)


def _asked(content: Any, command_id: str) -> Asked:
    kinds = {"id": str, "kind": str, "settings": dict, "asked_by": str, "asked_ms": int}
    if not isinstance(content, dict) or content.keys() != kinds.keys():
        raise DataError(f"expected a JSON object with {', '.join(kinds)}")
    for name, kind in kinds.items():
        value = content[name]
        odd = isinstance(value, str) and not (len(value) <= _LONGEST_TEXT and value.isprintable())
        if not isinstance(value, kind) or isinstance(value, bool) or odd:
            raise DataError(f"{name} is {value!a:.60}")
    if content["id"] != command_id:
        raise DataError(f"its id is {content['id']!a:.60}, its name another")
    if not 0 <= content["asked_ms"] < 2**53:
        raise DataError(f"asked_ms is {content['asked_ms']}")
    return Asked(**content)
