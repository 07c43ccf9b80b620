"""The lock of a run's folder: one daemon a run, and a way to ask who it is.

Owns `run.lock`. Rules: the kernel holds the lock (flock), so it ends with its process however that
dies, and a left-over file means nothing; the file's text is the holder's number. Its descriptor is
closed in every program that the holder starts. Must not wait for a holder.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.errors import JournalError

NAME = "run.lock"
TRIES = 5
PAUSE_S = 0.02
"""`holder` takes the lock for an instant in order to ask: one refusal is no proof of a daemon."""


class RunLock:
    """Hold a run's folder for this process, as a context manager.

    Args:
        folder: the run's folder.
        pause: waits between tries, in seconds.
        does: what the holder does, and `option` the one that names another folder, for the error.

    Raises:
        JournalError: another process holds it, or the folder cannot be written.
    """

    def __init__(
        self, folder: Path, pause: Callable[[float], None] = time.sleep, *, does: str = "runs this run",
        option: str = "--run-dir",
    ) -> None:  # fmt: skip
        self._path = folder / NAME
        self._pause = pause
        self._does, self._option = does, option
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalError(f"{self._path}: cannot be made: {error.strerror}") from None
        if not self._taken(descriptor):
            os.close(descriptor)
            raise JournalError(
                f"{self._path.parent}: a second process {self._does} (pid {_read_pid(self._path)}); "
                f"stop it first, or give another {self._option}"
            )
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(descriptor)
            raise JournalError(
                f"{self._path}: cannot be written: {error.strerror}; free disk space, then start again"
            ) from None
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def _taken(self, descriptor: int) -> bool:
        for left in range(TRIES - 1, -1, -1):
            if _flock(descriptor, fcntl.LOCK_EX):
                return True
            if left:
                self._pause(PAUSE_S)
        return False


def holder(folder: Path) -> int | None:
    """Return the process that runs this run, None where none does, 0 where it has not said yet."""
    path = folder / NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        free = _flock(descriptor, fcntl.LOCK_SH)
        return None if free else _read_pid(path)
    finally:
        os.close(descriptor)


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_pid(path: Path) -> int:
    text = path.read_text("utf-8").strip()
    return int(text) if text.isdigit() else 0
