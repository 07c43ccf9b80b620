"""`python -m bot` and the `bot` command: run the command line, turn errors into exit codes."""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import sys
from collections.abc import Sequence

_FREE, _WRITABLE = "free disk space, then start again", "make it writable, or name another folder"
_NO_ROOM = {
    errno.ENOSPC: _FREE, errno.EDQUOT: _FREE, errno.EFBIG: _FREE,
    errno.EACCES: _WRITABLE, errno.EPERM: _WRITABLE, errno.EROFS: _WRITABLE,
}  # fmt: skip
"""What keeps any file from being written, and what a person does about it."""

_NO_TEMPORARY = ("No usable temporary directory", "requires access to a writable cache directory")
"""How tempfile and matplotlib say that no folder of temporary files can be written."""

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: see docs/decisions.md


def run() -> None:
    """Run the command line; an error that a person can act on is printed in a line."""
    from bot.cli.main import app
    from bot.errors import BotError, JournalError

    try:
        _refuse_nothing(sys.argv[1:])
        app()
    except BotError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        remedy = _NO_ROOM.get(error.errno or 0)
        if any(words in str(error) for words in _NO_TEMPORARY):
            from bot.adapters.system.temporary import MISSING

            print(f"error: {MISSING}", file=sys.stderr)
            sys.exit(JournalError.exit_code)
        if remedy is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror}; {remedy}", file=sys.stderr)
        sys.exit(JournalError.exit_code)


def _refuse_nothing(arguments: Sequence[str]) -> None:
    """Refuse an argument of nothing, which as a path would be the folder that one stands in."""
    from bot.errors import ConfigError

    for before, given in zip(("bot", *arguments), arguments, strict=False):
        if not given.strip() or re.fullmatch(r"--[a-z-]+=\s*", given):
            place = given if given.strip() else f"after '{before}'"
            raise ConfigError(
                f"{place}: an argument is empty; is a variable of the shell not set? "
                "Give a value, or leave it out"
            )


def main() -> None:
    """Run the command line and exit with the code of the error, if any."""
    from bot.cli.plain import write_plainly

    stdout = _file_of_stdout()
    write_plainly(sys.stdout)
    write_plainly(sys.stderr)
    try:
        try:
            run()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        _leave_quietly()
    except SystemExit as stop:
        if stop.code == 1 and _reader_is_gone(stdout):
            _leave_quietly()
        raise


def _file_of_stdout() -> tuple[int, int] | None:
    try:
        found = os.fstat(1)
    except OSError:  # closed
        return None
    return found.st_dev, found.st_ino


def _reader_is_gone(stdout: tuple[int, int] | None) -> bool:
    """Return whether stdout was a pipe that nobody reads any more.

    The libraries of the command line and the tables make an exit 1 of a broken pipe, the latter
    after pointing stdout elsewhere.
    """
    if stdout is None or _file_of_stdout() != stdout:
        return stdout is not None
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _leave_quietly() -> None:
    """Exit as a process does that SIGPIPE ended: `bot runs | head` is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os._exit(128 + signal.SIGPIPE)


if __name__ == "__main__":
    main()
