"""Reading a run's log: its parts in order, as lines, and on as it grows.

Rules: a line is given once and whole, also when the file is set aside meanwhile; the last one may
still be being written and waits for its end. Must not parse lines.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from bot.errors import JournalError
from bot.log import rotated

POLL_S = 0.5
CHUNK_BYTES = 1 << 20


def log_parts(path: Path) -> list[Path]:
    """Return the parts of a log that there are, oldest first."""
    numbers = [
        int(part.suffix[1:]) for part in path.parent.glob(f"{path.name}.*") if _is_number(part)
    ]
    return [
        rotated(path, n) for n in sorted([*numbers, 0], reverse=True) if rotated(path, n).exists()
    ]


def opened_parts(path: Path) -> list[tuple[int, BinaryIO]]:
    """Open the parts of a log, oldest first, with their numbers on the disk; close them.

    A part that is set aside meanwhile, and so has two names in turn, is opened once.
    """
    opened: dict[int, BinaryIO] = {}
    for part in log_parts(path):
        try:
            file = part.open("rb")
        except FileNotFoundError:
            continue
        number = os.fstat(file.fileno()).st_ino
        if number in opened:
            file.close()
        else:
            opened[number] = file
    return list(opened.items())


def log_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a log, oldest first.

    Raises:
        JournalError: there is no log.
    """
    parts = log_parts(path)
    if not parts:
        raise JournalError(f"{path}: there is no log; the run has written none")
    for part in parts:
        with part.open("rb") as file:
            for line in file:
                yield _text(line)


def follow_lines(path: Path, wait: Callable[[float], None]) -> Iterator[str]:
    """Yield the lines of a log and then those that are written to it, without an end.

    Args:
        wait: is called with the seconds to wait when there is nothing new.

    Raises:
        JournalError: there is no log.
    """
    parts = log_parts(path)
    if not parts:
        raise JournalError(f"{path}: there is no log; the run has written none")
    for part in parts[:-1]:
        with part.open("rb") as file:
            yield from map(_text, file)
    file = parts[-1].open("rb")
    try:
        while True:
            yield from _new_lines(file)
            newer = _set_aside_after(path, file)
            if not newer:
                wait(POLL_S)
                continue
            yield from _new_lines(file, to_the_end=True)
            for part in newer[:-1]:
                with part.open("rb") as between:
                    yield from map(_text, between)
            file.close()
            file = newer[-1].open("rb")
    finally:
        file.close()


def _new_lines(file: BinaryIO, *, to_the_end: bool = False) -> Iterator[str]:
    """Yield the whole lines that are new, and leave the file behind the last of them."""
    begin, rest = file.tell(), b""
    while chunk := file.read(CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            begin += len(line) + 1
            yield _text(line)
    if rest and to_the_end:
        yield _text(rest)
    elif rest:
        file.seek(begin)


def _set_aside_after(path: Path, file: BinaryIO) -> list[Path]:
    """Return the parts that are newer than the open one, oldest first; empty while it is the log."""
    mine = os.fstat(file.fileno()).st_ino
    parts = log_parts(path)
    try:
        numbers = [part.stat().st_ino for part in parts]
    except FileNotFoundError:
        return []  # it is being set aside at this instant: look again
    return parts[numbers.index(mine) + 1 :] if mine in numbers else parts


def _is_number(part: Path) -> bool:
    return part.suffix[1:].isdigit()


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\n")
