"""The commands: they parse, call app/, and print.

Rules: --json prints one JSON object on stdout and nothing else there; progress and logs go to
stderr; errors are BotErrors and become exit codes in __main__. Must not compute results.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from bot import __version__
from bot.cli import compare as cli_compare
from bot.cli import data as cli_data
from bot.cli import first_hour as cli_first_hour
from bot.cli import hand as cli_hand
from bot.cli import live as cli_live
from bot.cli import notify as cli_notify
from bot.cli import reading as cli_reading
from bot.cli import search as cli_search
from bot.cli import serve as cli_serve
from bot.cli import sweep as cli_sweep
from bot.cli import watch as cli_watch
from bot.cli.config import config_app
from bot.cli.examples import show_examples
from bot.cli.options import (
    BracketsOption,
    ConfigOption,
    DataOption,
    FullOption,
    JsonOption,
    NoRehearsalOption,
    SetOption,
    rehearsal_setting,
)
from bot.cli.output import progress_bar
from bot.cli.parts import parts_app
from bot.cli.reading import print_report
from bot.config import load_config
from bot.config.given import sets_of, stray_variables
from bot.errors import ConfigError

app = typer.Typer(
    help="Paper-trade a multi-task model on candles. It never trades real money.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(config_app, name="config")
app.add_typer(parts_app, name="parts")
app.command("run")(cli_live.run)
app.command("exchange")(cli_live.exchange)
cli_compare.register(app)
cli_data.register(app)
cli_first_hour.register(app)
cli_hand.register(app)
cli_notify.register(app)
cli_reading.register(app)
cli_search.register(app)
cli_serve.register(app)
cli_sweep.register(app)
cli_watch.register(app)


def _tell_version(asked: bool) -> None:
    """Say the version and, below it, what numbers are made by."""
    if asked:
        from bot.adapters.system.build import present_build

        print(f"bot {__version__}\n{present_build()}")
        raise typer.Exit


@app.callback(help=app.info.help)
def every_command(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_tell_version,
            help="Print the version, the build and its packages, and exit.",
        ),
    ] = False,
) -> None:
    """Warn of variables that look like settings and are none."""
    del version
    if context.invoked_subcommand != "config":
        for line in stray_variables(os.environ):
            print(f"warning: {line}", file=sys.stderr)


@app.command()
def backtest(
    config: ConfigOption = None,
    data: DataOption = None,
    start: Annotated[
        str | None, typer.Option("--from", help="First day or UTC time to trade.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Last day or UTC time, inclusive.")
    ] = None,
    symbols: Annotated[str | None, typer.Option(help="Symbols, separated by commas.")] = None,
    sets: SetOption = None,
    run_dir: Annotated[
        str | None, typer.Option(help="The run's folder; by default a new one.")
    ] = None,
    block: Annotated[int | None, typer.Option(help="Maximum bars per block.")] = None,
    forecasts: Annotated[
        str | None, typer.Option(help="File of forecasts to use instead of a model's.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help="Replay the recorded models of this run.")
    ] = None,
    no_rehearsal: NoRehearsalOption = False,
    brackets: BracketsOption = False,
    full: FullOption = False,
    as_json: JsonOption = False,
) -> None:
    """Backtest on history through the live engine, retraining on schedule, and report."""
    overrides = [
        *sets_of(data, start, end, symbols),
        *([f"run.block_bars={block}"] if block is not None else []),
        *(sets or []),
        *rehearsal_setting(no_rehearsal),
    ]
    recorded, base = None, None
    if schedule:
        from bot.app.runs.borrow import read_recorded, recorded_settings
        from bot.app.runs.folder import find_run

        recorded = read_recorded(find_run(schedule))
        base = recorded_settings(recorded)
    settings = load_config(config, overrides, base=base)
    if symbols and settings.data.source == "synthetic":
        raise ConfigError(
            "--symbols: the synthetic market has its own; set synthetic.symbols, or give --data"
        )
    from bot.app.backtest.command import backtest_command

    with progress_bar("backtest", quiet=as_json) as progress:
        done = backtest_command(settings, run_dir, forecasts, recorded, progress, quiet=as_json)
    if done.reported is not None:
        print_report(done.folder, done.reported, brackets=brackets, full=full, as_json=as_json)
    if done.interrupted:
        sys.exit(130)


show_examples(app)
