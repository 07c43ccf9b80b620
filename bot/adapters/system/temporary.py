"""The folder of temporary files, which a container with a read-only file system may not have.

Trainings need it for the socket by which their processes are started, pictures for matplotlib's cache.
"""

from __future__ import annotations

import tempfile

from bot.errors import JournalError

MISSING = (
    "no folder can be written for temporary files (tried TMPDIR, /tmp, /var/tmp and the current folder), and "
    "trainings and pictures need one; free disk space, or name one in TMPDIR; in a container mount one "
    "(--tmpfs /tmp)"
)
LONGEST = 75
"""Letters of the folder's path: the socket's path is 32 longer, and of 107 at most on Linux."""


def check_temporary() -> None:
    """Refuse a machine on which no training can be started.

    Raises:
        JournalError: no folder can be written, or its path is too long for a socket.
    """
    try:
        place = tempfile.gettempdir()
    except FileNotFoundError:
        raise JournalError(MISSING) from None
    if len(place.encode()) > LONGEST:
        raise JournalError(
            f"TMPDIR = {place}: is too long for a socket, by which trainings are started; name a folder whose path has at "
            f"most {LONGEST} letters"
        )
