"""`bot serve`: look at runs from a browser, a program or Prometheus.

Rule: without the extra 'serve' it says in a line what to install. Must not compute results.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from bot.errors import ConfigError, JournalError, extra_needed
from bot.wording import command_in_text

NEEDED = ("fastapi", "uvicorn", "prometheus_client")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(serve)


def serve(
    runs_dir: Annotated[
        str | None, typer.Argument(help="Folder that holds the runs.", show_default="runs")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8765,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A further name under which it is asked for, as a proxy's, with the port unless it is 80 or 443; repeatable."
        ),
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option(
            help="File of the token.", show_default="~/.local/state/mtl-paper-bot/serve-token"
        ),
    ] = None,
    link: Annotated[
        bool,
        typer.Option("--link", help="Print a new one-time link of a server that runs, and exit."),
    ] = False,
    with_parent: Annotated[int, typer.Option("--with-parent", hidden=True)] = 0,
) -> None:
    """Show runs on a page and by an API, live or finished, on this machine only.

    The page is opened by the link that is printed; it is good once, and Enter gives another. Programs
    send the token of the token file as 'Authorization: Bearer'.
    """
    need_extra()
    from bot.app.runs.folder import RunFolder
    from bot.serve.command import ServeOptions, link_command, serve_command

    names = tuple(allow_host or ())
    odd = [name for name in names if not name or set(name) & set("/@# ") or "*" in name]
    if odd:
        raise ConfigError(f"--allow-host {odd[0]}: expected a host's name, such as bot.example.org")
    options = ServeOptions(
        host, port, names, None if token_file is None else Path(token_file),
        with_parent=with_parent, any_port=with_parent != 0,
    )  # fmt: skip
    if link:
        print(link_command(options))
        return
    folder = Path(runs_dir or "runs")
    if not folder.is_dir():
        raise JournalError(
            f"{folder}: no such folder of runs; 'bot backtest' or 'bot run' makes one, or name another"
        )
    if RunFolder(folder).journal.is_file():
        above = (folder if folder.name not in ("", "..") else folder.resolve()).parent
        raise ConfigError(
            f"{folder}: is a run, and not a folder of runs; {command_in_text('serve', above)} shows it"
        )
    serve_command(folder, options)


@contextmanager
def serving_beside(runs_dir: Path) -> Iterator[None]:
    """Serve a folder of runs in a process beside this one, for as long as the block takes.

    It prints its link on stderr; whatever happens to it is nothing to this process, and it ends with this
    process however that dies.

    Raises:
        ConfigError: the extra 'serve' is not installed.
    """
    need_extra()
    with suppress(OSError):
        runs_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bot", "serve", str(runs_dir)]
    command += ["--with-parent", str(os.getpid())]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), start_new_session=True
    )
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5.0)


def need_extra() -> None:
    """Refuse to go on without the packages that serving needs.

    Raises:
        ConfigError: with what to install.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise extra_needed(f"bot serve needs {', '.join(missing)}", "serve")
