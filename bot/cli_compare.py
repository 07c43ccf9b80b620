"""The command that holds models side by side: `bot compare`.

Rules: progress goes to stderr, tables or one JSON object to stdout. Must not compute results.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli_options import ConfigOption, DataOption, JsonOption, SetOption
from bot.cli_output import progress_bar, stdout_console


def compare(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Settings files, the first is held against the others."),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="mtl-vs-single, architectures or weightings.")
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Start of the first fold; by default the last folds."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Last day or UTC time, inclusive.")
    ] = None,
    symbols: Annotated[str | None, typer.Option(help="Symbols, by comma.")] = None,
    folds: Annotated[
        int, typer.Option(min=1, help="Spans that are forecast, one after another.")
    ] = 6,
    fold_months: Annotated[int, typer.Option(min=1, help="Months of a fold.")] = 6,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each network, averaged.")] = 10,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Trainings side by side; by default one a core.")
    ] = None,
    out: Annotated[str, typer.Option(help="Folder of the trainings and tables.")] = "runs/compare",
    sets: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold models side by side: walk-forward, the same rows and seeds, differences with intervals.

    What is trained is kept in --out: the same command goes on after an interruption.
    """
    from bot.app.compare import compare_command
    from bot.app.contenders import from_files
    from bot.app.contenders import preset as of_preset
    from bot.errors import ConfigError
    from bot.report.comparison_text import render

    overrides = [
        *(["data.source=files", f"data.root={data}"] if data else []),
        *([f"data.start={start}"] if start else []),
        *([f"data.end={end}"] if end else []),
        *([f"market.symbols={symbols}"] if symbols else []),
        *(sets or []),
    ]
    if preset and files:
        raise ConfigError("compare: give settings files or --preset, not both")
    if files and config:
        raise ConfigError("compare: --config is the base of a preset; list files as arguments")
    if preset:
        contenders, title = of_preset(preset, config, overrides), preset
    else:
        contenders = from_files(files or [], overrides)
        title = "-".join(contender.name for contender in contenders)
    with progress_bar(f"compare {title}", quiet=as_json) as progress:
        try:
            done = compare_command(
                contenders, title, Path(out), folds=folds, months=fold_months, seeds=seeds,
                workers=workers or os.cpu_count() or 1, progress=progress,
            )  # fmt: skip
        except KeyboardInterrupt:
            typer.echo("interrupted; the same command goes on from here", err=True)
            sys.exit(130)
    if as_json:
        print(json.dumps({"folder": str(done.folder), "setting": done.setting,
                          **done.comparison.as_json()}))  # fmt: skip
        return
    stdout_console().print(render(done.comparison, title, done.setting))
    typer.echo(f"{done.folder}/compare.md, compare.json, compare.png")
