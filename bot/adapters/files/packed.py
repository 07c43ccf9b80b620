"""The bytes of a file, unpacked: plain, .gz, or the one file in a .zip."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path

from bot.errors import DataError


def content_of(path: Path) -> bytes:
    """Return the bytes of a file, unpacked.

    Raises:
        DataError: the file cannot be read, or its packing is damaged or holds several files.
    """
    name = path.name.lower()
    try:
        if name.endswith(".gz"):
            return gzip.decompress(path.read_bytes())
        if name.endswith(".zip"):
            with zipfile.ZipFile(path) as packed:
                members = [m for m in packed.namelist() if not m.endswith("/")]
                if len(members) != 1:
                    raise DataError(f"{path}: holds {len(members)} files; unpack it, or keep one")
                return packed.read(members[0])
        return path.read_bytes()
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise unreadable(path, "", error) from None


def unreadable(path: Path, kind: str, error: Exception) -> DataError:
    """Return the error of a file that is not what its name says.

    >>> str(unreadable(Path("a.csv"), "CSV", ValueError("no header")))
    'a.csv: not a readable CSV file: no header'
    """
    what = f"{kind} file" if kind else "file"
    return DataError(f"{path}: not a readable {what}: {error}")
