"""Where the commands print: tables on stdout, progress on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

WIDTH = 160
"""Columns of a table that goes into a file or a pipe, where COLUMNS says nothing."""


def stdout_console() -> Console:
    """Return the console of stdout."""
    if sys.stdout.isatty():
        return Console()
    told = os.environ.get("COLUMNS", "")
    return Console(width=int(told) if told.isdigit() and int(told) > 0 else WIDTH)


@contextmanager
def progress_bar(title: str, *, quiet: bool) -> Iterator[Any]:
    """Give a callback (done, total) that draws a bar on stderr."""
    console = Console(stderr=True, quiet=quiet)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def resumable() -> Iterator[None]:
    """Say after Ctrl-C that the same command continues, and exit with 130."""
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted; the same command continues from here", file=sys.stderr)
        sys.exit(130)
