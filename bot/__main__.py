"""`python -m bot` and the `bot` command: run the command line, turn errors into exit codes."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: see docs/decisions.md


def run() -> None:
    """Run the command line; an error that a person can act on is told in a line."""
    from bot.cli import app
    from bot.errors import BotError

    try:
        app()
    except BotError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


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
