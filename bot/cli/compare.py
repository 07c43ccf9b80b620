"""The commands that hold models side by side: `bot compare` and `bot discover`.

Rules: progress goes to stderr, tables or one JSON object to stdout. Must not compute results.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import ConfigOption, DataOption, JsonOption, SetOption
from bot.cli.output import progress_bar, stdout_console

StartOption = Annotated[
    str | None,
    typer.Option(
        "--from", help="Start of the first fold. Default: the most recent --folds that fit."
    ),
]
EndOption = Annotated[str | None, typer.Option("--to", help="Last day or UTC time, inclusive.")]
SymbolsOption = Annotated[str | None, typer.Option(help="Symbols, separated by commas.")]
FoldsOption = Annotated[int, typer.Option(min=1, help="Number of consecutive test periods.")]
MonthsOption = Annotated[int, typer.Option(min=1, help="Months per fold.")]
SeedsOption = Annotated[
    int, typer.Option(min=1, help="Trainings per network, whose forecasts are averaged.")
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Trainings in parallel; by default one per core.")
]
OutOption = Annotated[str, typer.Option(help="Folder for trainings and tables.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(compare)
    app.command()(discover)


def compare(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Settings files; the first is compared with each of the others."),
    ] = None,
    finished: Annotated[
        bool, typer.Option("--runs", help="Compare finished runs, named in place of files.")
    ] = False,
    preset: Annotated[
        str | None, typer.Option(help="mtl-vs-single, architectures, weightings or policies.")
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    start: StartOption = None,
    end: EndOption = None,
    symbols: SymbolsOption = None,
    folds: FoldsOption = 6,
    fold_months: MonthsOption = 6,
    seeds: SeedsOption = 10,
    workers: WorkersOption = None,
    out: OutOption = "runs/compare",
    sets: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare models out of sample on the same data, with confidence intervals for each difference.

    What is trained is kept in --out: after an interruption the same command continues.
    """
    if finished:
        asked = (preset, config, data, start, end, symbols, sets)
        _compare_runs(files or [], as_json=as_json, alone=not any(asked))
        return
    from bot.app.study.compare import StudyPlan, compare_command
    from bot.app.study.contenders import from_files
    from bot.app.study.contenders import preset as of_preset
    from bot.errors import ConfigError
    from bot.report.study.text import render

    overrides = _overrides(data, start, end, symbols, sets)
    if preset and files:
        raise ConfigError("compare: give settings files or --preset, not both")
    if files and config:
        raise ConfigError("compare: --config is the base of a preset; list files as arguments")
    if preset:
        contenders, title = of_preset(preset, config, overrides), preset
    else:
        contenders = from_files(files or [], overrides)
        title = "-".join(contender.name for contender in contenders)
    plan = StudyPlan(folds, fold_months, seeds, workers or os.cpu_count() or 1)
    _tell_of_leftovers(out)
    with progress_bar(f"compare {title}", quiet=as_json) as progress, _resumable():
        done = compare_command(contenders, title, Path(out), plan, progress)
    if as_json:
        print(json.dumps({"folder": str(done.folder), "setting": done.setting,
                          **done.comparison.as_json()}))  # fmt: skip
        return
    stdout_console().print(render(done.comparison, title, done.setting))
    typer.echo(f"{done.folder}/compare.md, compare.json, compare.png")


def _compare_runs(names: list[str], *, as_json: bool, alone: bool) -> None:
    from bot.app.study.finished import compare_runs
    from bot.errors import ConfigError
    from bot.report.study.paired import render

    if not alone:
        raise ConfigError(
            "compare --runs: finished runs have their settings; give their names and no settings"
        )
    found = compare_runs(names)
    if as_json:
        print(json.dumps(found.as_json()))
    else:
        stdout_console().print(render(found))


def discover(
    config: ConfigOption = None,
    candidates: Annotated[
        str | None, typer.Option(help="Targets to try, separated by commas; by default all others.")
    ] = None,
    data: DataOption = None,
    start: StartOption = None,
    end: EndOption = None,
    symbols: SymbolsOption = None,
    folds: FoldsOption = 6,
    fold_months: MonthsOption = 6,
    seeds: SeedsOption = 5,
    workers: WorkersOption = None,
    out: OutOption = "runs/compare",
    sets: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add one extra target at a time and measure whether the four main forecasts improve.

    What is trained is kept in --out: after an interruption the same command continues.
    """
    from bot.app.study import discover as discovery
    from bot.app.study.compare import StudyPlan

    named = [name.strip() for name in (candidates or "").split(",") if name.strip()]
    overrides = _overrides(data, start, end, symbols, sets)
    contenders = discovery.candidates(config, overrides, named)
    plan = StudyPlan(folds, fold_months, seeds, workers or os.cpu_count() or 1)
    _tell_of_leftovers(out)
    with progress_bar("discover", quiet=as_json) as progress, _resumable():
        done = discovery.discover(contenders, Path(out), plan, progress)
    if as_json:
        print(json.dumps({"folder": str(done.folder), "kept": done.kept,
                          **done.comparison.as_json()}))  # fmt: skip
        return
    from rich.markdown import Markdown

    stdout_console().print(Markdown(done.text))
    typer.echo(f"{done.folder}/discover.md, discover.json")


def _overrides(
    data: str | None, start: str | None, end: str | None, symbols: str | None,
    sets: list[str] | None,
) -> list[str]:  # fmt: skip
    return [
        *(["data.source=files", f"data.root={data}"] if data else []),
        *([f"data.start={start}"] if start else []),
        *([f"data.end={end}"] if end else []),
        *([f"market.symbols={symbols}"] if symbols else []),
        *(sets or []),
    ]


def _tell_of_leftovers(out: str) -> None:
    from bot.app.study.folds import left_from_before

    note = left_from_before(Path(out))
    if note:
        typer.echo(note, err=True)


@contextmanager
def _resumable() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command continues from here", err=True)
        sys.exit(130)
