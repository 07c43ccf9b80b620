"""The commands of the first hour: init, doctor, demo. Must not compute results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.cli.options import ConfigOption, JsonOption, SetOption
from bot.cli.output import stdout_console
from bot.config.ready import ready_names, ready_path, ready_purpose
from bot.wording import command


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(init)
    app.command()(doctor)
    app.command()(demo)


def init(
    path: Annotated[str, typer.Argument(help="The file to write.")] = "config.toml",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Take every default; ask nothing.")
    ] = False,
    ready: Annotated[
        str | None,
        typer.Option(help=f"Copy a ready file, and ask nothing: {', '.join(ready_names())}."),
    ] = None,
    sets: SetOption = None,
) -> None:
    """Write a file of settings: a few questions with defaults, each setting with its explanation.

    It overwrites nothing. What is not asked keeps its default; 'bot config example' has it all.
    """
    from bot.app.first_hour.questions import ask_all, next_steps, write_settings, write_text
    from bot.errors import ConfigError

    target = Path(path)
    if target.exists() or target.is_symlink():
        raise ConfigError(f"{target}: is there already; name another file, or move it away")
    if ready is not None:
        if sets:
            raise ConfigError("--set: not beside --ready, whose file is copied as it is; edit it")
        write_text(target, ready_path(ready).read_text("utf-8"))
        check = command("config", "check", "--config", target)
        print(f"written: {target}: {ready_purpose(ready)}\n  {check}")
        return
    if not yes and not sys.stdin.isatty():
        raise ConfigError(
            "init: asks questions, and nobody is at a terminal; --yes takes the defaults"
        )
    given = list(sets or [])
    answers = given if yes else [*ask_all(given, Console(stderr=True)), *given]
    write_settings(target, answers)
    print(f"written: {target}\n{next_steps(target)}")


def doctor(
    config: ConfigOption = None, sets: SetOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Leave the network out.")] = False,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Look whether this machine, its network and the settings will do; each fault with its fix.

    Exit 0: nothing failed (warnings are no failures). 1: something did. 2: the settings cannot be read.
    """
    from bot.app.first_hour import doctor as checks
    from bot.config import load_config

    settings, findings, console = load_config(config, sets or []), [], stdout_console()
    for finding in checks.examine(settings, offline=offline):
        findings.append(finding)
        if not as_json:
            console.print(checks.line(finding))
    if as_json:
        print(json.dumps(checks.as_json(findings), ensure_ascii=False))
    else:
        console.print()
        console.print(checks.verdict(findings))
    if code := checks.exit_code(findings):
        sys.exit(code)


def demo(
    keep: Annotated[
        str | None, typer.Option("--keep", help="Keep the run in this new folder, to look at it.")
    ] = None,
    bars: Annotated[int, typer.Option(min=8, max=2_000, help="Bars to trade in all.")] = 48,
) -> None:
    """See what the bot does: a practice run, killed, resumed, verified and reported, told step by step.

    It needs no network and takes a minute (the very first start compiles for one more).
    """
    from bot.app.first_hour.demo import demonstrate

    demonstrate(keep, bars, stdout_console())
