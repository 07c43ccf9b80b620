"""`bot config`: show, check, explain and print settings.

Rules: as in `cli`. Must not decide what is valid.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.options import ConfigOption, JsonOption, SetOption
from bot.config import Config, flatten, load_config, to_toml
from bot.config.advice import advice
from bot.config.example import example_toml
from bot.config.given import stray_variables
from bot.config.load import SettingsError
from bot.config.ready import ready_names, ready_path
from bot.errors import BotError, ConfigError, DataError

if TYPE_CHECKING:
    from bot.app.start.check import Job

config_app = typer.Typer(help="Show and check settings.", no_args_is_help=True)


@config_app.command("show")
def config_show(
    config: ConfigOption = None, sets: SetOption = None, as_json: JsonOption = False
) -> None:
    """Print the settings in force."""
    settings = load_config(config, sets or [])
    print(json.dumps(flatten(settings), indent=1) if as_json else to_toml(settings), end="")


@config_app.command("check")
def config_check(
    config: ConfigOption = None,
    sets: SetOption = None,
    job: Annotated[
        str | None,
        typer.Option("--for", help="run, practice or backtest: what must be able to start."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start each job up to its first request, and tell all faults and what has no effect.

    Exit code 0 where 'bot run' or 'bot backtest' could start with these settings, were the data
    there; with --for the code with which that job would refuse.
    """
    from bot.app.start.check import JOBS, advice_on_data, faults_of, together

    jobs = [name for name in JOBS if job in (None, name)]
    if not jobs:
        raise ConfigError(f"--for {job}: expected {', '.join(JOBS)}")
    settings, refused = _sound(config, sets or [])
    found: dict[Job, list[BotError]] = {name: faults_of(settings, name) for name in jobs}
    if refused is not None:
        found = {
            n: [ConfigError(str(refused)), *_others(faults, refused)] for n, faults in found.items()
        }
    judged = [name for name in jobs if job or name != "practice"]  # its market is its own
    codes = {name: together(found[name]).exit_code if found[name] else 0 for name in judged}
    needs_data = not job and DataError.exit_code in codes.values()
    code = 0 if needs_data else min(codes.values())
    warnings = [*stray_variables(os.environ), *advice(settings), *advice_on_data(settings)]
    lines = {
        n: [line for f in faults for line in str(f).splitlines()] for n, faults in found.items()
    }
    if as_json:
        print(json.dumps({"valid": code == 0, "faults": lines, "warnings": warnings}))
    else:
        _tell(
            {name: lines[name] for name in (judged if code else jobs)}, warnings, refused=code != 0
        )
    sys.exit(code)


def _sound(config: str | None, sets: list[str]) -> tuple[Config, SettingsError | None]:
    """Return the settings, or what is sound of them and what was refused."""
    try:
        return load_config(config, sets), None
    except SettingsError as error:
        return error.sound, error


def _others(faults: list[BotError], refused: SettingsError) -> list[BotError]:
    return [fault for fault in faults if not refused.names_one_of_mine(str(fault))]


def _tell(faults: Mapping[Job, list[str]], warnings: list[str], *, refused: bool) -> None:
    """Print which jobs can start, and why others cannot; what stops all of them is said once."""
    for line in warnings:
        print(f"warning: {line}", file=sys.stderr)
    common = [
        line for line in next(iter(faults.values())) if all(line in f for f in faults.values())
    ]
    for line in common:
        print(f"error: {line}", file=sys.stderr)
    able = [name for name, found in faults.items() if not found]
    where = sys.stderr if refused else sys.stdout
    if able:
        print(f"the settings are valid for: {', '.join(able)}")
    for name, found in faults.items():
        own = [line for line in found if line not in common]
        if own:
            print(f"not for {name}:", *own, sep="\n  ", file=where)


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON schema of the settings: every key with type, bounds, default, explanation."""
    print(json.dumps(Config.model_json_schema(), indent=1))


@config_app.command("example")
def config_example(
    ready: Annotated[
        str | None,
        typer.Argument(help=f"A ready file instead: {', '.join(ready_names())}.", metavar="[NAME]"),
    ] = None,
) -> None:
    """Print a file with every setting: its explanation, bounds and default; or a ready one.

    The ready files are short, and each is for one purpose: 'bot init --ready NAME' writes one.
    """
    print(example_toml() if ready is None else ready_path(ready).read_text("utf-8"), end="")
