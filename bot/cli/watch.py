"""`bot watch`: a run on a full screen. Must not decide anything."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from typing import Annotated

import typer

from bot.cli.options import RunArgument
from bot.errors import ConfigError, extra_needed
from bot.wording import command_in_text

EveryOption = Annotated[
    float, typer.Option("--every", min=0.2, max=3600.0, help="Seconds between two looks.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(watch)


def watch(run: RunArgument, every: EveryOption = 2.0) -> None:
    """Watch a run on a full screen: equity, positions, edges, fills, events; p, r, f as its hand.

    It only reads, also a run that is over; what p (pause), r (resume) and f (flatten) ask goes
    through the run's folder, after a question.
    """
    from bot.app.runs.asking import ask_run
    from bot.app.runs.folder import find_run

    folder = find_run(run)
    if find_spec("textual") is None:
        raise extra_needed("bot watch needs textual", "watch")
    from bot.app.watch.screen import WatchScreen

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            f"watch: needs a terminal; {command_in_text('status', run)} prints where the run stands"
        )
    from bot.app.watch.reading import RunReader

    reader = RunReader(folder, lambda: time.time_ns() // 1_000_000)
    WatchScreen(
        folder.path.resolve().name, reader.look, lambda command: ask_run(folder, command), every
    ).run()
