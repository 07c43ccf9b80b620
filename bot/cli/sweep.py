"""`bot sweep`: many settings over the forecasts of one run or file.

Rules: progress goes to stderr, tables or one JSON object to stdout. Must not compute results.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.options import (
    AddressOption,
    ConfigOption,
    DataOption,
    EngineOption,
    JsonOption,
    PluginOption,
    SetOption,
    WorkersOption,
)  # fmt: skip
from bot.cli.output import progress_bar, stdout_console
from bot.config.given import sets_of
from bot.parts.plugins import load_plugins

if TYPE_CHECKING:
    from bot.app.sweep.source import SweepSource


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(sweep)


def sweep(
    run: Annotated[
        str | None,
        typer.Argument(help="The run whose forecasts are replayed: a folder, or a name in runs/."),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            help="key=v1,v2 or key=low..high:count (…:countlog for even ratios); repeatable, every "
            "combination is tried.",
        ),
    ] = None,
    forecasts: Annotated[
        str | None, typer.Option(help="File of forecasts to replay, in place of a run's.")
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    start: Annotated[
        str | None, typer.Option("--from", help="With --forecasts: first day or UTC time to trade.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="With --forecasts: last day or UTC time, inclusive.")
    ] = None,
    symbols: Annotated[
        str | None, typer.Option(help="With --forecasts: symbols, separated by commas.")
    ] = None,
    sets: SetOption = None,
    out: Annotated[
        str | None, typer.Option(help="Folder for the tables; by default a new one beside the run.")
    ] = None,
    plugins: PluginOption = None,
    engine: EngineOption = "local",
    ray_address: AddressOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try many settings of policy, sizing, costs and risk on the same forecasts; nothing is trained.

    All are entered in the register of trials. The best is shown with what choosing it is worth.
    """
    from bot.app.executors.choice import chosen
    from bot.app.sweep.command import sweep as try_all
    from bot.report.study.sweep import render

    load_plugins(plugins or [])
    of_file = sets_of(data, start, end, symbols)
    runs_it = chosen(engine, workers, ray_address)
    source = _source(run, forecasts, config, of_file, sets or [])
    over = (sets or []) if run is not None else []
    try:
        with progress_bar("sweep", quiet=as_json) as progress:
            done = try_all(source, vary or [], out, over, progress, runs_it)
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing was entered in the register", err=True)
        sys.exit(130)
    if as_json:
        content = done.table.as_json() | {"folder": str(done.folder), "seconds": done.seconds}
        print(json.dumps(content, allow_nan=False))
        return
    stdout_console().print(render(done.table))
    typer.echo(f"{done.folder}/sweep.html, sweep.json")


def _source(
    run: str | None, forecasts: str | None, config: str | None, of_file: list[str], sets: list[str]
) -> SweepSource:
    from bot.app.runs.folder import find_run
    from bot.app.sweep.source import source_of_file, source_of_run
    from bot.config import load_config
    from bot.errors import ConfigError

    if forecasts is not None and run is None:
        return source_of_file(Path(forecasts), load_config(config, [*of_file, *sets]))
    if run is None or forecasts is not None:
        raise ConfigError("sweep: give a RUN or --forecasts FILE, one of them")
    if config or of_file:
        raise ConfigError(
            "sweep: a run brings its own settings and bars; --config, --data, --from, --to and "
            "--symbols go with --forecasts. --set changes a setting of the run"
        )
    return source_of_run(find_run(run))
