"""The commands that read runs: what they did, where they stand, and whether they are what they say.

Rules: --json prints JSON on stdout and nothing else there; no command here changes a run's journal.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot import wording
from bot.cli.options import BracketsOption, FullOption, JsonOption, PluginOption, RunArgument
from bot.cli.output import progress_bar, stdout_console
from bot.errors import ConfigError, JournalError
from bot.parts.plugins import load_plugins

if TYPE_CHECKING:
    from bot.app.backtest.command import Reported
    from bot.app.runs.folder import RunFolder
    from bot.app.sweep.brackets import Brackets


RunsDirArgument = Annotated[
    str | None, typer.Argument(help="Folder that holds the runs.", show_default="runs")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (report, export, verify, status, runs, trials, logs):
        app.command()(command)


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...", help="A run's folder, or its name in runs/; several: side by side."
        ),
    ],
    plugins: PluginOption = None, brackets: BracketsOption = False, full: FullOption = False,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Say what came of a run in ten lines, and rebuild its report.html; several runs side by side."""
    load_plugins(plugins or [])
    from bot.app.backtest.command import report_run
    from bot.app.runs.folder import find_run

    folders = [find_run(name) for name in runs]
    if len(folders) == 1:
        reported = report_run(folders[0])
        print_report(folders[0], reported, brackets=brackets, full=full, as_json=as_json)
        return
    if brackets or full:
        raise ConfigError(
            "report: --brackets and --full are of one run; several stand side by side"
        )
    _print_columns(folders, as_json=as_json)


def export(
    run: RunArgument,
    what: Annotated[
        str | None,
        typer.Option(
            help="Tables, separated by commas: bars, forecasts, decisions, fills, trades, positions, "
            "equity, models, or all.",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="csv, parquet or xlsx.", show_default="the file's, else csv"),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            help="A file, or a folder for several. By default one CSV goes to stdout, all else to "
            "RUN/export.",
        ),
    ] = None,
    symbols: Annotated[str | None, typer.Option(help="Symbols, separated by commas.")] = None,
    symbol: Annotated[
        str | None,
        typer.Option(
            help="In place of --what: this symbol's date, price, signal, position, position_return "
            "and capital.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Export a run's tables for other programs; docs/tables.md says what each column is."""
    from bot.app.runs.folder import find_run

    if (what is None) == (symbol is None):
        raise ConfigError("export: name tables by --what ('--what all'), or one --symbol")
    if symbol is not None:
        if symbols is not None or form is not None:
            raise ConfigError("export: --symbol goes with --out alone; --symbols with --what")
        from bot.app.tables.document import export_rows

        text = export_rows(find_run(run), symbol, out)
        if text is not None:
            sys.stdout.write(text)
        return
    from bot.app.tables.export import ExportRequest
    from bot.app.tables.export import export as export_tables

    for file in export_tables(find_run(run), ExportRequest(what or "", form, out, symbols)):
        rows = (f"{name} {wording.counted(count, 'row')}" for name, count in file.rows.items())
        print(f"{file.path}: {', '.join(rows)}")


def verify(run: RunArgument, plugins: PluginOption = None, as_json: JsonOption = False) -> None:
    """Recompute a run from its recorded bars and models, and name the first value that differs.

    Exit 0: identical. 1: different. 7: identical, but under other settings. 8: identical, but for
    stretches that another build of the bot has to prove.
    """
    from bot.app.runs.folder import find_run
    from bot.app.verify.proof import verify as prove

    load_plugins(plugins or [])
    folder = find_run(run)
    with progress_bar("verify", quiet=as_json) as progress:
        verdict = prove(folder, progress)
    if as_json:
        print(json.dumps({"run_dir": str(folder.path)} | verdict.as_json()))
    else:
        print(verdict)
    if verdict.result.exit_code:
        sys.exit(verdict.result.exit_code)


def status(
    run: RunArgument,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only whether its daemon lives: exit 0, or 1 and why not."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a run's positions, orders, equity and model, and whether it is running."""
    from bot.app.runs.folder import find_run

    if check:
        _check_life(find_run(run).path, as_json=as_json)
        return
    from bot.app.runs.status import read_status
    from bot.app.runs.status_view import status_tables

    found = read_status(find_run(run))
    if as_json:
        print(found.as_json())
    else:
        stdout_console().print(status_tables(found))


def _check_life(folder: Path, *, as_json: bool) -> None:
    from bot.app.runs.living import missing_life

    wrong = missing_life(folder, time.time_ns() // 1_000_000)
    if as_json:
        print(json.dumps({"lives": wrong is None, "fault": wrong}))
    elif wrong is None:
        print(f"{folder.name}: lives")
    else:
        print(f"error: {folder}: {wrong}", file=sys.stderr)
    if wrong is not None:
        sys.exit(1)


def runs(
    place: RunsDirArgument = None,
    runs_dir: Annotated[
        str | None, typer.Option(help="The same as RUNS_DIR, as an option.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the runs."""
    from bot.app.runs.listing import list_runs, runs_json, runs_table

    if None not in (place, runs_dir) and place != runs_dir:
        raise ConfigError(f"runs: '{place}' and --runs-dir {runs_dir}: name one folder")
    folder = _runs_folder(place or runs_dir)
    lines = list_runs(folder)
    if as_json:
        print(json.dumps(runs_json(lines)))
    elif lines:
        stdout_console().print(runs_table(lines))
    else:
        print(f"no runs in {folder}/; 'bot backtest' or 'bot run' makes one")


def _runs_folder(named: str | None) -> Path:
    """Return a folder of runs; the usual one need not be there yet."""
    folder = Path(named or "runs")
    if not folder.is_dir() and (named is not None or folder.exists()):
        raise JournalError(f"{folder}: no such folder of runs; name one that exists")
    return folder


def trials(
    runs_dir: RunsDirArgument = None,
    symbol: Annotated[
        str | None, typer.Option(help="Only trials on this symbol, with its venue or without.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List all that was backtested and compared, and how much was tried on each symbol."""
    from bot.app.runs.trials_view import read_trials, trials_json, trials_tables

    found = read_trials(_runs_folder(runs_dir), symbol)
    if as_json:
        print(json.dumps(trials_json(found)))
    elif found.trials or found.faults:
        stdout_console().print(trials_tables(found))
    else:
        print(
            f"no trials in {found.path}; every 'bot backtest', 'bot compare', 'bot discover' and "
            "'bot sweep' enters one"
        )


def logs(
    run: RunArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new lines.")
    ] = False,
    event: Annotated[
        list[str] | None, typer.Option(help="Only events of this name; repeatable.")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="Only events of this symbol.")] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only events after this UTC time, or within the last '2h', '30m'."),
    ] = None,
    level: Annotated[str, typer.Option(help="At least debug, info, warning or error.")] = "debug",
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as they are.")] = False,
) -> None:
    """Read a run's log."""
    from bot.app.runs.folder import find_run
    from bot.app.runs.log_view import check_symbol, log_filter, show_log, tell_malformed

    now_ms = time.time_ns() // 1_000_000
    wanted = log_filter(event or [], symbol, since, level, now_ms)
    folder = find_run(run, begun=False)
    if symbol is not None:
        check_symbol(folder, symbol)
    tell_malformed(show_log(folder, wanted, sys.stdout, follow=follow, as_json=as_json))


def print_report(
    folder: RunFolder, reported: Reported, *, brackets: bool = False, full: bool = False,
    as_json: bool,
) -> None:  # fmt: skip
    """Print what came of a run, with its brackets where they are asked for."""
    from bot.app.backtest import command

    found: Brackets | None = None
    if brackets:
        from bot.app.sweep.brackets import brackets_of_run

        found = brackets_of_run(folder)
    if as_json:
        more = {} if found is None else {"brackets": found.as_json()}
        said = command.as_json(folder, reported.summary)
        print(json.dumps(said | more, allow_nan=False))
        return
    console = stdout_console()
    if full:
        console.print(command.as_tables(reported.summary))
        console.print(command.as_tear_sheet(reported))
    console.print(command.as_verdict(reported))
    if found is not None:
        from bot.app.sweep.brackets_view import brackets_table

        console.print(brackets_table(found))
    if not full:
        print(f"every table: {wording.command('report', folder.path, '--full')}")
    if folder.report.exists():
        print(f"report: {folder.report}")


def _print_columns(folders: list[RunFolder], *, as_json: bool) -> None:
    from bot.app.backtest import command

    reported = [command.report_run(folder) for folder in folders]
    if as_json:
        each = zip(folders, reported, strict=True)
        found = [command.as_json(folder, report.summary) for folder, report in each]
        print(json.dumps({"runs": found}, allow_nan=False))
        return
    stdout_console().print(command.as_columns(reported))
    for folder in folders:
        print(f"report: {folder.report}")
