"""`bot search`: settings searched for, walk-forward, and what the best of them is worth.

Rules: progress goes to stderr, tables or one JSON object to stdout. Must not compute results.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import (
    AddressOption,
    ConfigOption,
    DataOption,
    EngineOption,
    JsonOption,
    SetOption,
    WorkersOption,
)
from bot.cli.output import progress_bar, stdout_console
from bot.config.given import sets_of


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(search)


def search(
    space: Annotated[
        str, typer.Argument(help="TOML file with the tables search, space and, if wanted, start.")
    ],
    config: ConfigOption = None,
    data: DataOption = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="Start of the first fold. Default: the most recent folds that fit."
        ),
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last day or UTC time, inclusive.")] = None,
    symbols: Annotated[str | None, typer.Option(help="Symbols, separated by commas.")] = None,
    sets: SetOption = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all, in place of the file's.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Minutes of this call, in place of the file's.")
    ] = None,
    engine: EngineOption = "local",
    ray_address: AddressOption = None,
    workers: WorkersOption = None,
    out: Annotated[str, typer.Option(help="Folder for trainings and tables, which 'bot compare' may share.")] = "runs/compare",
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Search features, targets, model, training and policy for what does best out of sample, fold by fold.

    Every trial is entered in the register. The best is shown with what choosing it is worth. What is tried
    is kept in --out: after an interruption the same command continues.
    """
    from bot.app.executors.choice import chosen
    from bot.app.search.space import BaseSettings
    from bot.errors import extra_needed

    try:
        from bot.app.search.command import SearchPlan, search_command
    except ModuleNotFoundError as error:
        if error.name not in ("optuna", "cmaes"):
            raise
        raise extra_needed(
            f"bot search needs {error.name}, which is not installed", "search"
        ) from None
    from bot.report.study.search import render

    base = BaseSettings(config, (*sets_of(data, start, end, symbols), *(sets or [])))
    plan = SearchPlan(trials, minutes, chosen(engine, workers, ray_address))
    with progress_bar(f"search {Path(space).stem}", quiet=as_json) as progress:
        done = search_command(Path(space), base, Path(out), plan, progress)
    if as_json:
        print(json.dumps(done.table.as_json() | {"folder": str(done.folder), "interrupted": done.interrupted}, allow_nan=False))  # fmt: skip
    else:
        stdout_console().print(render(done.table))
        typer.echo(f"{done.folder}/search.md, search.json, search.png")
    if done.interrupted:
        typer.echo("interrupted; the same command continues from here", err=True)
        sys.exit(130)
