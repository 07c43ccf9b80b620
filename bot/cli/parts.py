"""`bot parts`: the parts there are, and whether a user's own keep the laws of their kind.

Rules: as in `cli`. Must not decide what is sound.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from bot.cli.options import ConfigOption, JsonOption, SetOption
from bot.cli.output import stdout_console
from bot.config import load_config
from bot.errors import ConfigError
from bot.parts.plugins import load_plugins

parts_app = typer.Typer(help="List the parts there are, and check your own.")


@parts_app.command("list")
def parts_list(
    kind: Annotated[str | None, typer.Option(help="One kind only, such as feature.")] = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every part by kind: where it comes from, what it is, and the settings that are its own."""
    from rich.table import Table

    from bot.app.parts.listing import listed

    load_config(config, sets or [])  # loads the files that `plugins` names
    lines = listed(kind)
    if as_json:
        print(json.dumps([line.as_json() for line in lines]))
        return
    table = Table("kind", "part", "from", "what it is", "settings of its own")
    for line in lines:
        table.add_row(line.kind, line.name, line.origin, line.doc, ", ".join(line.settings))
    stdout_console().print(table)


@parts_app.command("check")
def parts_check(
    files: Annotated[list[str], typer.Argument(help="Files with parts of your own.")],
    as_json: JsonOption = False,
) -> None:
    """Try the parts of a file against the laws of their kind: no look-ahead, no dependence on blocks.

    Exit code 0 where all of them keep the laws, 2 where one does not.
    """
    from bot.app.parts.checking import checked

    load_plugins(files)
    found = checked()
    if not found:
        raise ConfigError(
            f"{', '.join(files)}: no part is entered there; decorate one, see docs/extending.md"
        )
    if as_json:
        print(json.dumps([each.as_json() for each in found]))
    else:
        for each in found:
            print(f"{each.kind} {each.name} ({each.place}): {'; '.join(each.faults) or 'sound'}")
    if any(each.faults for each in found):
        sys.exit(ConfigError.exit_code)
