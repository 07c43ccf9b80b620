"""The commands that run something long: the daemon and the practice exchange."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from bot.app.loop.interrupts import stop_signals
from bot.cli.options import ConfigOption, NoRehearsalOption, SetOption, rehearsal_setting
from bot.cli.output import stdout_console
from bot.cli.serve import serving_beside
from bot.config import load_config


def run(
    config: ConfigOption = None,
    sets: SetOption = None,
    run_dir: Annotated[
        str | None, typer.Option(help="The run's folder; an existing run is continued.")
    ] = None,
    bars: Annotated[int | None, typer.Option(min=1, help="Stop after this many live bars.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Start a new run with the last model of this run instead of training one."
        ),
    ] = None,
    practice: Annotated[
        bool,
        typer.Option("--practice", help="Trade on a built-in practice exchange; needs no network."),
    ] = False,
    no_rehearsal: NoRehearsalOption = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show it on a page meanwhile, by 'bot serve' beside.")
    ] = False,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error; overrides log.level.")
    ] = None,
) -> None:
    """Trade on paper until stopped; restarting with the same --run-dir continues the run."""
    for number in stop_signals():  # until the loop has handlers of its own
        signal.signal(number, _stop_before_the_start)
    overrides = [*(sets or []), *rehearsal_setting(no_rehearsal)]
    overrides += [f"log.level={log_level}"] if log_level else []
    settings = load_config(config, overrides, old_names=_is_of(config, run_dir))
    from bot.app.live.command import live_command

    runs_dir = Path(settings.run.runs_dir if run_dir is None else Path(run_dir).absolute().parent)
    with serving_beside(runs_dir) if serve else nullcontext():
        folder = live_command(settings, run_dir, practice=practice, max_bars=bars, model_of=model)
    if not sys.stdout.isatty():
        print(f"run: {folder.path}")
        return
    from bot.app.runs.farewell import farewell

    stdout_console().print(farewell(folder, sys.argv[1:]))


def _is_of(config: str | None, run_dir: str | None) -> bool:
    """Return whether the settings are those that the run to be continued was made with."""
    if config is None or run_dir is None:
        return False
    return Path(config).resolve().parent == Path(run_dir).resolve()


def _stop_before_the_start(number: int, frame: FrameType | None) -> None:
    """End at once and well: packages are read and kernels compiled, nothing is recorded yet."""
    del number, frame
    with suppress(OSError):  # print may be under way already, or nobody reads
        os.write(2, b"stopped before the start\n")
    os._exit(0)


def exchange(
    config: ConfigOption = None,
    sets: SetOption = None,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 9000,
    speed: Annotated[float, typer.Option(help="Seconds of exchange time per second.")] = 1.0,
    source: Annotated[
        str, typer.Option(help="'synthetic', or a folder of candles (as --data).")
    ] = "synthetic",
    start: Annotated[
        str, typer.Option("--from", help="UTC time at which the exchange begins.")
    ] = "",
    manual: Annotated[
        bool, typer.Option("--manual", help="Time advances only on POST /practice/advance.")
    ] = False,
    faults: Annotated[
        list[str] | None, typer.Option("--fault", help="name=value, for example drop=0.01.")
    ] = None,
) -> None:
    """Serve a practice exchange that speaks Bybit's public v5 API."""
    settings = load_config(config, sets or [])
    from bot.app.live.practice_server import exchange_command

    exchange_command(
        settings, port, speed, source=source, start=start, faults=faults or [], manual=manual
    )
