"""Options that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from bot.config.given import sets_of

if TYPE_CHECKING:
    from bot.app.executors.choice import EngineChoice

ConfigOption = Annotated[str | None, typer.Option("--config", help="TOML file with the settings.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="section.key=value; overrides the file and the environment; repeatable."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
BracketsOption = Annotated[
    bool,
    typer.Option(
        "--brackets",
        help="Read what is unknowable inside a bar once against the account and once in its favour, "
        "and say at which multiple of its costs profit ends.",
    ),
]
FullOption = Annotated[
    bool, typer.Option("--full", help="Print every table, not the verdict alone.")
]


def run_names(incomplete: str) -> list[str]:
    """Return the runs in runs/ whose names begin so, for the shell's completion."""
    there = (path.parent.name for path in Path("runs").glob("*/journal.db"))
    return sorted(name for name in there if name.startswith(incomplete))


RunArgument = Annotated[
    str, typer.Argument(help="A run's folder, or its name in runs/.", autocompletion=run_names)
]
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


EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        help="What runs it: local (processes of this machine) or ray (a cluster; the extra 'ray').",
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        help="With --engine ray: host:port of a cluster's head; by default a new cluster on this machine.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="How many run side by side; by default one per core."),
]


@dataclass(frozen=True)
class WalkForwardOptions:
    """What every study over folds is told: the settings, their data and span, and what runs it."""

    config: ConfigOption = None
    data: DataOption = None
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="Start of the first fold. Default: the most recent folds that fit."
        ),
    ] = None
    end: Annotated[str | None, typer.Option("--to", help="Last day or UTC time, inclusive.")] = None
    symbols: Annotated[str | None, typer.Option(help="Symbols, separated by commas.")] = None
    sets: SetOption = None
    engine: EngineOption = "local"
    ray_address: AddressOption = None
    workers: WorkersOption = None
    as_json: JsonOption = False

    def overrides(self) -> list[str]:
        """Return the settings that the options set, as --set would."""
        return [*sets_of(self.data, self.start, self.end, self.symbols), *(self.sets or [])]

    def choice(self) -> EngineChoice:
        """Return what runs the trainings."""
        from bot.app.executors.choice import chosen

        return chosen(self.engine, self.workers, self.ray_address)


def rehearsal_setting(no_rehearsal: bool) -> list[str]:
    """Return what --no-rehearsal sets."""
    return ["policy.rehearse=false"] if no_rehearsal else []


def with_options(command: Callable[..., None], options: type[Any]) -> Callable[..., None]:
    """Return the command as the command line reads it: with each field of `options` as an option.

    Args:
        command: takes a keyword `options`.
        options: a dataclass, each of whose fields is annotated as an option and has a default.
    """
    fields = inspect.signature(options).parameters
    own = [p for p in inspect.signature(command).parameters.values() if p.name != "options"]
    hints = get_type_hints(command, include_extras=True) | get_type_hints(
        options, include_extras=True
    )

    @wraps(command)
    def spread(**given: Any) -> None:
        shared = {name: given.pop(name) for name in fields}
        command(**given, options=options(**shared))

    parameters = [p.replace(annotation=hints[p.name]) for p in (*own, *fields.values())]
    spread.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    spread.__annotations__ = {p.name: p.annotation for p in parameters}
    return spread
