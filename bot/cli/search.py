"""`bot search`: settings searched for, walk-forward, and what the best of them is worth.

Rules: progress goes to stderr, tables or one JSON object to stdout. Must not compute results.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import WalkForwardOptions, with_options
from bot.cli.output import progress_bar, resumable, stdout_console
from bot.config.given import sets_of


@dataclass(frozen=True)
class SearchOptions(WalkForwardOptions):
    """The options of the command: the base settings, what may be spent, and where the results go."""

    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all, in place of the file's.")
    ] = None
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Minutes of this call, in place of the file's.")
    ] = None
    confirm: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Run the chosen trial and the defaults once on bars that no trial has seen, and record that look.",
        ),
    ] = None
    out: Annotated[
        str, typer.Option(help="Folder for trainings and tables, which 'bot compare' may share.")
    ] = "runs/compare"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(with_options(search, SearchOptions))


def search(
    space: Annotated[
        str, typer.Argument(help="TOML file with the tables search, space and, if wanted, start.")
    ],
    *,
    options: SearchOptions,
) -> None:
    """Search features, targets, model, training, retraining and policy for what does best out of sample.

    Every trial is entered in the register. The best is shown with what choosing it is worth. What is tried
    is kept in --out: after an interruption the same command continues.
    """
    from bot.errors import extra_needed

    try:
        import bot.app.search.command  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name not in ("optuna", "cmaes"):
            raise
        raise extra_needed(
            f"bot search needs {error.name}, which is not installed", "search"
        ) from None
    if options.confirm is None:
        _search(Path(space), options)
    else:
        _confirm(Path(space), options, options.confirm)


def _search(path: Path, options: SearchOptions) -> None:
    from bot.app.search.command import SearchPlan, search_command
    from bot.app.search.space import BaseSettings
    from bot.report.study.search import render

    base = BaseSettings(options.config, tuple(options.overrides()))
    plan = SearchPlan(options.trials, options.minutes, options.choice())
    with progress_bar(f"search {path.stem}", quiet=options.as_json) as progress:
        done = search_command(path, base, Path(options.out), plan, progress)
    if options.as_json:
        found = done.table.as_json() | {
            "folder": str(done.folder), "interrupted": done.interrupted,
        }  # fmt: skip
        print(json.dumps(found, allow_nan=False))
    else:
        stdout_console().print(render(done.table))
        typer.echo(f"{done.folder}/search.md, search.json, search.png")
    if done.interrupted:
        typer.echo("interrupted; the same command continues from here", err=True)
        sys.exit(130)


def _confirm(path: Path, options: SearchOptions, data: str) -> None:
    from bot.app.search.confirming import confirm_command
    from bot.app.search.space import BaseSettings
    from bot.errors import ConfigError
    from bot.report.study.text import render

    if options.data or options.trials is not None or options.minutes is not None:
        raise ConfigError(
            "search --confirm: the data are those of --confirm, and nothing more is tried; leave out --data, "
            "--trials and --minutes (--symbols, --from and --to say which of the bars)"
        )
    begun_with = BaseSettings(options.config, tuple(options.sets or []))
    unseen = sets_of(data, options.start, options.end, options.symbols)
    with progress_bar(f"confirm {path.stem}", quiet=options.as_json) as progress, resumable():
        done = confirm_command(
            path, begun_with, unseen, Path(options.out), engine=options.choice(), progress=progress
        )  # fmt: skip
    if options.as_json:
        print(json.dumps({"folder": str(done.folder), "setting": done.setting, **done.comparison.as_json()}))  # fmt: skip
        return
    stdout_console().print(render(done.comparison, done.folder.name, done.setting))
    typer.echo(f"{done.folder}/compare.md, compare.json, compare.png")
