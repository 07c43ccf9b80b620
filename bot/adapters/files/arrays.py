"""Named arrays with a JSON head in one file: numpy's npz, and never a pickle.

Rules: a file that lies in a folder may come from anybody, so reading it runs nothing of it, waits
for nothing and takes no more memory than the file has bytes; what is not numbers, or not whole, is
refused by name. A file appears whole or not at all.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from bot.adapters.system.array_headers import reading_arrays
from bot.adapters.system.atomic_file import replacing
from bot.blocks import Arrays
from bot.errors import DataError

_HEAD = "head"
_NUMBERS = "biuf"
_UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, OverflowError, RuntimeError, MemoryError, TokenError,
    zipfile.BadZipFile,
)  # fmt: skip
"""What zipfile, numpy and json make of bytes that are not theirs."""


def write_arrays(path: Path, head: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write arrays of numbers under their names, and the head as JSON."""
    with replacing(path, durable=False) as temporary, open(temporary, "wb") as file:
        _save(file, head, arrays)


def pack_arrays(head: Mapping[str, Any], arrays: Mapping[str, Any]) -> bytes:
    """Return the bytes of such a file: the same for the same head and arrays."""
    file = io.BytesIO()
    _save(file, head, arrays)
    return file.getvalue()


def _save(file: BinaryIO, head: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    np.savez(file, **{_HEAD: np.array(json.dumps(head))}, **arrays)  # type: ignore[arg-type]


def read_arrays(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Return the head and the arrays.

    Raises:
        DataError: the file is damaged, foreign, or holds more than numbers.
    """
    if not path.is_file():  # a pipe would be waited for, and a device never ends
        raise _refused(path, "no file")
    try:
        with path.open("rb") as file:
            return parse_arrays(file, str(path))
    except OSError as error:
        raise _refused(path, str(error)) from error


def parse_arrays(file: BinaryIO, name: str) -> tuple[dict[str, Any], Arrays]:
    """Return the head and the arrays of an open file, or of bytes that came from elsewhere.

    Args:
        name: what it is called in errors.

    Raises:
        DataError: it is damaged, foreign, or holds more than numbers.
    """
    try:
        size = file.seek(0, os.SEEK_END)
        with reading_arrays, zipfile.ZipFile(file) as members:
            found = {
                member.filename.removesuffix(".npy"): _array(members, member, size)
                for member in members.infolist()
            }
        head = json.loads(str(found.pop(_HEAD)[()]))
    except _UNREADABLE as error:
        raise _refused(name, str(error) or type(error).__name__) from error
    odd = [name for name, array in found.items() if array.dtype.kind not in _NUMBERS]
    if odd or not isinstance(head, dict):
        raise _refused(name, f"{', '.join(odd) or _HEAD} is not what this bot writes")
    return head, found


def _array(members: zipfile.ZipFile, member: zipfile.ZipInfo, file_size: int) -> npt.NDArray[Any]:
    """Read an array whose bytes are there: numpy makes room for whatever a header claims."""
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename} is compressed, which this bot never does")
    with members.open(member) as content:
        if np.lib.format.read_magic(content) != (1, 0):
            raise ValueError(f"{member.filename} is of another version of numpy's format")
        shape, _, dtype = np.lib.format.read_array_header_1_0(content)
        claimed = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or claimed != member.file_size - content.tell():
            raise ValueError(f"{member.filename} claims {shape} and has not so many bytes")
        if claimed > file_size:
            raise ValueError(f"{member.filename} claims more bytes than the file has")
    with members.open(member) as content:
        array: npt.NDArray[Any] = np.lib.format.read_array(content, allow_pickle=False)
    return array


def _refused(name: Path | str, what: str) -> DataError:
    return DataError(f"{name}: cannot be read ({what}); delete it, and it is made anew")
