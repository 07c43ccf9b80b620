"""Room on the disk for arrays that are too large for memory: files without a name.

Rules: a file has no name from the beginning, so nothing is left of it however the process ends; its room is
taken when it is made, so that a full disk is an error there and not a signal in the middle of a write. Its
pages count as resident while they are used, but the machine takes them back when it needs memory.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
import weakref
from multiprocessing import context, reduction
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bot.errors import JournalError

LEAST_BYTES = 2**22
"""Smaller arrays stay in memory."""

FILE_BYTES = 2**26
"""Of a file, unless an array is larger: many arrays share one."""

_ALIGNED = 64


class _Pages(mmap.mmap):
    """The pages of a nameless file, with the file's descriptor."""

    descriptor: int
    used: int

    @classmethod
    def of(cls, descriptor: int, size: int) -> Self:
        made = cls(descriptor, size)
        made.descriptor, made.used = descriptor, 0
        weakref.finalize(made, os.close, descriptor)
        return made

    @property
    def address(self) -> int:
        """Where the pages begin."""
        return int(np.frombuffer(self, np.uint8).__array_interface__["data"][0])

    def array(self, offset: int, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
        """Return the array that lies there."""
        count = math.prod(shape)
        return np.frombuffer(self, dtype, count, offset).reshape(shape)


class DiskRoom:
    """Makes arrays of `least_bytes` and more in nameless files of a folder, smaller ones in memory.

    Args:
        where_full: what to do where the disk has no room, beside freeing some.
    """

    def __init__(
        self,
        folder: Path,
        least_bytes: int = LEAST_BYTES,
        where_full: str = "or train on a shorter window (training.window_bars)",
    ) -> None:
        self._folder = folder
        self._where_full = where_full
        self._least = least_bytes
        self._pages: weakref.WeakSet[_Pages] = weakref.WeakSet()
        self._newest: weakref.ref[_Pages] | None = None

    def empty(
        self, shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float64
    ) -> npt.NDArray[Any]:
        """Return an array of this shape, of any content.

        Raises:
            JournalError: the disk is full, or the folder cannot be written.
        """
        shape = (shape,) if isinstance(shape, int) else shape
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size < self._least:
            return np.empty(shape, dtype)
        pages = self._newest() if self._newest is not None else None
        if pages is None or pages.used + size > len(pages):
            pages = self._new(max(size, FILE_BYTES))
        offset = pages.used
        pages.used = offset + -(-size // _ALIGNED) * _ALIGNED
        return pages.array(offset, shape, dtype)

    def of_arrays_from(self, least_bytes: int) -> DiskRoom:
        """Return room in the same folder for arrays of so many bytes and more, in files of their own."""
        return DiskRoom(self._folder, least_bytes, self._where_full)

    def kept(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a copy of an array that has room here, or the array itself where it is small."""
        if array.nbytes < self._least:
            return array
        copy = self.empty(array.shape, array.dtype)
        copy[...] = array
        return copy

    def place_of(self, array: npt.NDArray[Any]) -> tuple[int, int] | None:
        """Return the descriptor of an array's file and where it begins there; None of one in memory."""
        if not array.flags.c_contiguous or array.size == 0:
            return None
        start = int(array.__array_interface__["data"][0])
        for pages in self._pages:
            if pages.address <= start < pages.address + len(pages):
                return pages.descriptor, start - pages.address
        return None

    def _new(self, size: int) -> _Pages:
        try:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                os.posix_fallocate(file.fileno(), 0, size)
                descriptor = os.dup(file.fileno())
            pages = _Pages.of(descriptor, size)
        except OSError as error:
            raise JournalError(
                f"{self._folder}: no room for {size / 1e6:,.0f} MB of rows ({error.strerror}); free disk space, "
                f"{self._where_full}"
            ) from None
        self._pages.add(pages)
        self._newest = weakref.ref(pages)
        return pages


class SentArrays:
    """Arrays on their way to a process that is being started: those on the disk are not copied.

    Elsewhere, and of arrays in memory, it is the arrays that are sent.
    """

    def __init__(self, room: DiskRoom, arrays: dict[str, npt.NDArray[Any] | None]) -> None:
        self._room = room
        self.arrays = arrays

    def __reduce__(self) -> tuple[Any, ...]:
        if context.get_spawning_popen() is None:
            return _received, ({}, self.arrays)
        files: dict[int, tuple[Any, int]] = {}
        sent: dict[str, Any] = {}
        for name, array in self.arrays.items():
            place = None if array is None else self._room.place_of(array)
            if array is None or place is None:
                sent[name] = array
                continue
            descriptor, offset = place
            if descriptor not in files:
                size = os.fstat(descriptor).st_size
                files[descriptor] = reduction.DupFd(descriptor), size
            sent[name] = descriptor, offset, array.shape, array.dtype
        return _received, (files, sent)


def _received(files: dict[int, tuple[Any, int]], sent: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays that were sent."""
    pages = {key: _Pages.of(handle.detach(), size) for key, (handle, size) in files.items()}
    return {
        name: pages[value[0]].array(*value[1:]) if isinstance(value, tuple) else value
        for name, value in sent.items()
    }
