"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

ConfigOption = Annotated[str | None, typer.Option("--config", help="TOML file with the settings.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="section.key=value; overrides the file and the environment; repeatable."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
RunArgument = Annotated[str, typer.Argument(help="A run's folder, or its name in runs/.")]
PluginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin", help="File with the parts of your own that the run was made with; repeatable."
    ),
]
DataOption = Annotated[
    str | None, typer.Option("--data", help="Folder with candles/, or the candles' own folder.")
]
NoRehearsalOption = Annotated[
    bool,
    typer.Option(
        "--no-rehearsal",
        help="Start without a rehearsal on the bars before (policy.rehearse = false).",
    ),
]


def rehearsal_setting(no_rehearsal: bool) -> list[str]:
    """Return what --no-rehearsal sets."""
    return ["policy.rehearse=false"] if no_rehearsal else []
