"""Replace a file at once: after a crash at any instant the old one is there, or the new one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import DataError

_PART = ".part-"


def is_unfinished(path: Path) -> bool:
    """Tell whether this is what a killed process left half written.

    >>> is_unfinished(Path(".a.part-x1.json")), is_unfinished(Path(".a.json"))
    (True, False)
    """
    return path.name.startswith(".") and _PART in path.name


def sweep(folder: Path) -> None:
    """Remove what killed processes have left half written; nobody may be writing there."""
    for left in folder.glob(f".*{_PART}*"):
        left.unlink()


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what is written there takes its place at the end.

    The folder is made where it is missing. On an error nothing is replaced and nothing left over.

    Args:
        durable: wait for the disk, so that it also outlives a failure of the power.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{path.stem}{_PART}", suffix=path.suffix, dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if durable:
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file that can be made again, at once; where a link stands, it is replaced."""
    with replacing(path, durable=False) as temporary:
        temporary.write_bytes(content)


def check_folder(path: Path) -> None:
    """Refuse a path where no folder can be made.

    Raises:
        DataError: a link or a file is in its place. Through a link, which a folder from elsewhere may
            hold, files of other folders would be swept and replaced.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise DataError(
            f"{path}: is {'a link' if path.is_symlink() else 'no folder'}; move it away, or name another "
            "--out (which may be a link itself)"
        )


def make_folder(path: Path) -> None:
    """Make a folder of files that can be made again, unless it is there.

    Raises:
        DataError: as `check_folder`.
    """
    check_folder(path)
    path.mkdir(parents=True, exist_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file that can be made again; where a link stands, it is replaced and not followed."""
    with replacing(path, durable=False) as temporary:
        temporary.write_text(text, encoding="utf-8")
