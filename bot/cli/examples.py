"""What each command is like: its examples, which --help shows, and the group that it stands in.

Rules: every command has an example, and an example is a line that could be typed (a test reads them
all). Must not change what a command does.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import typer

FIRST, TRADE, HAND, LOOK, STUDY, DATA, OWN = (
    "First hour", "Trade", "A hand on a running bot", "Look at runs", "Study", "Data", "Settings and parts",
)  # fmt: skip

EXAMPLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "demo": (FIRST, ("bot demo", "bot demo --keep runs/demo")),
    "init": (FIRST, ("bot init", "bot init --ready synthetic", "bot init --yes my.toml --set market.symbols=BTCUSDT,ETHUSDT")),
    "doctor": (FIRST, ("bot doctor", "bot doctor --config config.toml --json", "bot doctor --offline")),
    "run": (TRADE, (
        "bot run --practice --bars 50",
        "bot run --config config.toml --run-dir runs/live",
        "bot run --config config.toml --run-dir runs/b --model runs/backtest-1",
    )),
    "backtest": (TRADE, (
        "bot backtest --config configs/synthetic.toml",
        "bot backtest --data data --symbols BTCUSDT,ETHUSDT --from 2023-01-01",
        "bot backtest --schedule runs/live",
    )),
    "exchange": (TRADE, ("bot exchange --port 9000 --speed 60", "bot exchange --fault drop=0.01")),
    "pause": (HAND, ("bot pause runs/live",)),
    "resume": (HAND, ("bot resume runs/live",)),
    "flatten": (HAND, ("bot flatten runs/live --wait 60",)),
    "set": (HAND, ("bot set runs/live risk.max_gross=1", "bot set runs/live retrain.trigger=never")),
    "status": (LOOK, ("bot status runs/live", "bot status runs/live --json", "bot status runs/live --check")),
    "watch": (LOOK, ("bot watch runs/live",)),
    "serve": (LOOK, ("bot serve", "bot serve runs")),
    "notify": (LOOK, ("bot notify runs --config config.toml", "bot notify test")),
    "report": (
        LOOK,
        ("bot report runs/live", "bot report runs/live --full", "bot report runs/a runs/b"),
    ),
    "verify": (LOOK, ("bot verify runs/live",)),
    "logs": (LOOK, (
        "bot logs runs/live --follow", "bot logs runs/live --event decision --symbol BTCUSDT --since 2h",
    )),
    "runs": (LOOK, ("bot runs", "bot runs elsewhere/runs --json")),
    "export": (
        LOOK,
        (
            "bot export runs/live --what trades",
            "bot export runs/live --what all --format parquet --out tables/",
        ),
    ),
    "trials": (STUDY, ("bot trials", "bot trials runs --symbol BTCUSDT")),
    "compare": (STUDY, (
        "bot compare --preset mtl-vs-single --data data", "bot compare a.toml b.toml --data data",
        "bot compare --preset heads --data data --engine ray --ray-address 10.0.0.5:6379",
        "bot compare --preset tricks --data data --cv combinatorial --groups 6 --test-groups 2",
    )),
    "discover": (STUDY, ("bot discover --data data --candidates range,trend",)),
    "search": (STUDY, (
        "bot search space.toml --data data", "bot search space.toml --config config.toml --data data --trials 200",
    )),
    "sweep": (STUDY, (
        "bot sweep runs/backtest-1 --vary policy.cost_multiple=0.5..3:12 --vary risk.max_gross=1,2",
    )),
    "fetch": (DATA, ("bot fetch --symbols BTCUSDT,ETHUSDT --from 2022-01-01 --data data",)),
    "import": (DATA, ("bot import BTCUSDT-1h-2024-01.zip --venue binance_spot --data data",)),
    "data": (DATA, ("bot data --data data",)),
    "config show": (OWN, ("bot config show --config config.toml",)),
    "config check": (OWN, ("bot config check --config config.toml --for run",)),
    "config example": (OWN, ("bot config example", "bot config example synthetic")),
    "config schema": (OWN, ("bot config schema",)),
    "parts list": (OWN, ("bot parts list",)),
    "parts check": (OWN, ("bot parts check my_parts.py",)),
}  # fmt: skip
"""By command: its group, and lines that could be typed."""


def show_examples(app: typer.Typer) -> None:
    """Give each command of the command line its group, its place and its examples."""
    order = list(EXAMPLES)
    app.registered_commands.sort(key=lambda command: order.index(_name_of(command)))
    for name, command in _commands(app):
        group, lines = EXAMPLES[name]
        command.help = _flowing(inspect.getdoc(command.callback) or "")
        command.epilog = "Examples:\n\n" + "\n\n".join(f"$ {line}" for line in lines)
        if " " not in name:
            command.rich_help_panel = group
    for group_of in app.registered_groups:
        group_of.rich_help_panel = OWN


def _flowing(told: str) -> str:
    """Return a text a line for each paragraph: a terminal breaks lines at its own width, not the source's."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in told.split("\n\n"))


def _commands(app: typer.Typer, before: str = "") -> Iterator[tuple[str, typer.models.CommandInfo]]:
    for command in app.registered_commands:
        yield f"{before}{_name_of(command)}", command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from _commands(group.typer_instance, f"{before}{group.name} ")


def _name_of(command: typer.models.CommandInfo) -> str:
    return command.name or str(getattr(command.callback, "__name__", ""))
