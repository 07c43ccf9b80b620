"""What a person sees while nothing else is said: what is done, for how long already, and how long it takes.

On a terminal a line that counts the seconds and is gone at the end; else the same once, as a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TextIO, cast

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bot.log import Terminal

COMPILING, TAKES = "compiling this build's kernels, once", "about a minute"
"""What a person is told who would else wait in silence, and how long it takes on two cores of 2026."""


@contextmanager
def waiting(what: str, takes: str, stream: TextIO) -> Iterator[None]:
    """Say what is done until it is done.

    Args:
        what: is done, such as "compiling".
        takes: how long that is, such as "about a minute".
        stream: the terminal, or what is in its place; it may go away meanwhile.
    """
    terminal = Terminal(stream)
    if not terminal.isatty():
        terminal.write(f"{what}: {takes}\n")
        yield
        return
    console = Console(file=cast(IO[str], terminal), force_terminal=True)
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        TextColumn(f"[dim]({takes})"),
    )  # fmt: skip
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as shown:
        shown.add_task(what, total=None)
        yield
