"""A run's log from its newest line back: what a page of it is made of.

Rules: a place names a line for as long as its part of the log is there, whatever is written or set
aside meanwhile; the last line may still be being written, and is then not one yet. Must not parse lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bot.app.runs.log_reading import opened_parts

BLOCK_BYTES = 1 << 16
_END = 2**62


@dataclass(frozen=True, order=True)
class LogPlace:
    """Where a line begins: in which file, by its number on the disk, and at which byte."""

    file: int
    byte: int


def lines_backwards(log: Path, before: LogPlace | None = None) -> Iterator[tuple[LogPlace, str]]:
    """Yield the lines of a log with their places, newest first; none where there is no log.

    Args:
        before: only lines older than that one; none where its part of the log is gone.
    """
    parts, found = opened_parts(log), before is None
    try:
        for number, file in reversed(parts):
            stop = _END
            if not found and before is not None:
                if number != before.file:
                    continue
                found, stop = True, before.byte
            yield from _of_part(file, number, stop)
    finally:
        for _, file in parts:
            file.close()


def _of_part(file: BinaryIO, number: int, stop: int) -> Iterator[tuple[LogPlace, str]]:
    end = min(file.seek(0, 2), stop)
    rest = b""  # what begins in an older block
    at = end
    first = True
    while at > 0:
        size = min(BLOCK_BYTES, at)
        at -= size
        file.seek(at)
        block = file.read(size) + rest
        rest, *lines = block.split(b"\n")
        byte = at + len(block)
        for line in reversed(lines):
            byte -= len(line)
            # behind the last line's end there is nothing, or a line that is being written
            if not first:
                yield LogPlace(number, byte), line.decode("utf-8", "replace")
            first = False
            byte -= 1
    if rest and not first:
        yield LogPlace(number, 0), rest.decode("utf-8", "replace")
