"""Pause, resume, flatten, set: confirmed first, then asked through the run's folder as `bot pause` asks.

Rules: nothing is asked without a confirmation that was given out for just this, minutes before; it is
good once, and none is given out for what the command would refuse. What a daemon makes of it is in its record, and there is no other way to it from here.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from bot.adapters.system.run_lock import holder
from bot.app.runs.asking import EFFECT, CommandAnswer, ask_run, checked
from bot.app.runs.folder import RunFolder
from bot.portfolio.hand import Command
from bot.serve.problems import Problem

LIFETIME_S = 120.0
WAIT_S = 1.5
"""How long an answer of the daemon is waited for; what was asked stays asked."""

_MOST = 64


class Confirmations:
    """What may be asked, by the digest of its confirmation."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._given: dict[bytes, tuple[str, float]] = {}
        self._lock = Lock()

    def new(self, run_id: str, kind: Command, changes: Sequence[str]) -> str:
        """Return a confirmation for this and nothing else."""
        code = secrets.token_urlsafe(18)
        with self._lock:
            while len(self._given) >= _MOST:
                del self._given[next(iter(self._given))]
            until = self._clock() + LIFETIME_S
            self._given[_digest(code)] = _words(run_id, kind, changes), until
        return code

    def spend(self, code: str, run_id: str, kind: Command, changes: Sequence[str]) -> None:
        """Take a confirmation.

        Raises:
            Problem: it is of something else, too old, or taken already.
        """
        with self._lock:
            words, until = self._given.pop(_digest(code), ("", 0.0))
        if words != _words(run_id, kind, changes) or self._clock() >= until:
            raise Problem(
                409, "confirm: is for something else, taken or too old; ask for a new confirmation"
            )


def effect_of(folder: RunFolder, kind: Command, changes: Sequence[str]) -> str:
    """Return what a command will do, in a sentence or two, once it is known that it can hold.

    Raises:
        ConfigError: what is asked cannot hold.
        JournalError: the run is a backtest, or cannot be read.
    """
    _, warnings = checked(folder, kind, changes)
    what = EFFECT.get(kind) or f"{', '.join(changes)} from then on"
    running = holder(folder.path) is not None
    when = "from the next bar" if running else "it is not running; at its next start"
    noted = "".join(f" Note: {line}." for line in warnings)
    return f"{folder.path.name}: {when}, {what}.{noted}"


def asked_of(folder: RunFolder, kind: Command, changes: Sequence[str]) -> dict[str, Any]:
    """Ask a run's daemon, and return what became of it so far.

    Raises:
        ConfigError: what is asked cannot hold.
        JournalError: the run is a backtest, or its folder cannot be written.
    """
    answer = ask_run(folder, kind, changes, WAIT_S)
    says = str(answer).replace(f"{folder.path}/", "").replace(str(folder.path), folder.path.name)
    return {
        "id": answer.asked.id, "outcome": _outcome(answer), "says": says,
        "warnings": list(answer.warnings),
    }  # fmt: skip


def _outcome(answer: CommandAnswer) -> str:
    if answer.row is None:
        return "waiting"
    return "taken" if answer.row.refused is None else "refused"


def _words(run_id: str, kind: Command, changes: Sequence[str]) -> str:
    return json.dumps([run_id, kind, *changes])


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()
