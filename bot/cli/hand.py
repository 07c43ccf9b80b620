"""The commands that ask something of a running bot: pause, resume, flatten, set.

Rule: --json prints one JSON object on stdout and nothing else there. Must not decide what holds.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from bot.cli.options import JsonOption, RunArgument

WaitOption = Annotated[
    float,
    typer.Option(
        "--wait", min=0.0, max=86_400.0, help="Seconds to wait for the daemon's answer; 0: do not."
    ),
]
Changes = Annotated[
    list[str],
    typer.Argument(
        metavar="KEY=VALUE...",
        help="Settings in the syntax of --set, for example risk.max_gross=1.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(pause)
    app.command()(resume)
    app.command()(flatten)
    app.command("set")(set_settings)


def pause(run: RunArgument, wait: WaitOption = 10.0, as_json: JsonOption = False) -> None:
    """Open and increase nothing from now on; positions are closed as the policy says.

    Stops, halts and funding continue.

    Exit 0: taken, or the run is not running and takes it at its next start. 2: refused.
    9: not taken within --wait; it stays asked.
    """
    _ask("pause", run, [], wait, as_json=as_json)


def resume(run: RunArgument, wait: WaitOption = 10.0, as_json: JsonOption = False) -> None:
    """Lift a pause, a flattening and the drawdown halt; the drawdown then counts from here.

    Refused while RUN/STOP_TRADING is there, and where the account is bankrupt.

    Exit codes are those of 'bot pause'.
    """
    _ask("resume", run, [], wait, as_json=as_json)


def flatten(run: RunArgument, wait: WaitOption = 10.0, as_json: JsonOption = False) -> None:
    """Order every position closed at the next open, and open nothing until 'bot resume'.

    A file RUN/STOP_TRADING does the same for as long as it is there.

    Exit codes are those of 'bot pause'.
    """
    _ask("flatten", run, [], wait, as_json=as_json)


def set_settings(
    run: RunArgument, changes: Changes, wait: WaitOption = 10.0, as_json: JsonOption = False
) -> None:
    """Change settings during a run: risk, numbers of policy and sizing, when to retrain, the symbols.

    Symbols join between two bars. The run's config.toml stays as it was; 'bot status' shows what is in force.

    Exit codes are those of 'bot pause'.
    """
    _ask("set", run, changes, wait, as_json=as_json)


def _ask(command: str, run: str, changes: list[str], wait: float, *, as_json: bool) -> None:
    from bot.app.runs.asking import ask_run
    from bot.app.runs.folder import find_run
    from bot.portfolio.hand import Command

    answer = ask_run(find_run(run), Command(command), changes, wait)
    for line in answer.warnings:
        print(f"warning: {line}", file=sys.stderr)
    if as_json:
        print(json.dumps(answer.as_json()))
    elif answer.exit_code:
        print(f"error: {answer}", file=sys.stderr)
    else:
        print(answer)
    if answer.exit_code:
        sys.exit(answer.exit_code)
