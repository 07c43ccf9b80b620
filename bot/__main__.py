"""`python -m bot` and the `bot` command: run the command line, turn errors into exit codes."""

from __future__ import annotations

import errno
import os
import sys

_FREE, _WRITABLE = "free disk space, then start again", "make it writable, or name another folder"
_NO_ROOM = {
    errno.ENOSPC: _FREE, errno.EDQUOT: _FREE, errno.EFBIG: _FREE,
    errno.EACCES: _WRITABLE, errno.EPERM: _WRITABLE, errno.EROFS: _WRITABLE,
}  # fmt: skip
"""What keeps any file from being written, and what a person does about it."""

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: see docs/decisions.md


def run() -> None:
    """Run the command line; an error that a person can act on is told in a line."""
    from bot.cli import app
    from bot.errors import BotError, JournalError

    try:
        app()
    except BotError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        remedy = _NO_ROOM.get(error.errno or 0)
        if str(error.strerror).startswith("No usable temporary directory"):  # tempfile's own words
            remedy = "free disk space, or name a folder that can be written in TMPDIR"
        if remedy is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror}; {remedy}", file=sys.stderr)
        sys.exit(JournalError.exit_code)


def main() -> None:
    """Run the command line and exit with the code of the error, if any."""
    try:
        run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


if __name__ == "__main__":
    main()
