"""`bot notify`: tell people elsewhere what happens in runs.

Rule: no address is printed. Must not decide what is told.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.app.loop.interrupts import stop_signals
from bot.cli.options import ConfigOption, JsonOption, SetOption
from bot.errors import ConfigError, JournalError, UnreachableError

if TYPE_CHECKING:
    from bot.adapters.messages.delivery import Address

Followable = Annotated[
    str,
    typer.Argument(
        metavar="RUNS_DIR|RUN|test|status|crash",
        help="A folder of runs, a run, 'test' to try every address, 'status' for how the addresses stand, "
        "or 'crash UNIT'.",
    ),
]
SecondWord = Annotated[
    str | None,
    typer.Argument(
        metavar="[UNIT|RUNS_DIR]",
        help="After 'crash' the unit that has failed; after 'status' the folder.",
    ),
]
Once = Annotated[bool, typer.Option("--once", help="Look once, send what is due, and end.")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(notify)


def notify(
    what: Followable = "runs", second: SecondWord = None, config: ConfigOption = None, sets: SetOption = None,
    once: Once = False, as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Tell people elsewhere what happens in runs: by Telegram, e-mail, a webhook and others.

    A process of its own, which no bar waits for. Addresses and secrets stand in the environment
    (PAPERBOT_NOTIFY_URLS, _WEBHOOK_URL, _WEBHOOK_SECRET, _PING_URL) or in the file of
    notify.secrets_file, never in the settings; their section 'notify' has what is told and when.
    """
    from bot.adapters.messages.secrets import from_environment
    from bot.app.messages.addresses import addresses_of, check_settings
    from bot.app.messages.following import runs_to_follow
    from bot.app.runs.folder import RunFolder, config_of, find_run
    from bot.config import load_config

    if second is not None and what not in {"crash", "status"}:
        raise ConfigError(
            f"'{second}': only 'bot notify crash UNIT' and 'bot notify status RUNS_DIR' take a second word"
        )
    if what == "status":
        _print_standings(Path(second or "runs"), as_json=as_json)
        return
    if as_json:
        raise ConfigError("notify: --json is for 'bot notify status'")
    place = None
    if what not in {"test", "crash"}:
        place = Path(what)
        if not place.is_dir():
            place = find_run(what).path
    run = RunFolder(place) if place is not None else None
    if config is None and not sets and run is not None and run.config.is_file():
        settings = config_of(run).notify
    else:
        settings = load_config(config, sets or []).notify
    check_settings(settings)
    secrets = from_environment(settings.secrets_file)
    addresses = addresses_of(secrets)
    if place is None:
        _tell_now(what, second, addresses)
        return
    if not addresses and not secrets.ping_url:
        raise ConfigError(
            "notify: nobody to tell: set PAPERBOT_NOTIFY_URLS or PAPERBOT_NOTIFY_WEBHOOK_URL, or name a "
            "file with them in notify.secrets_file (docs/messages.md)"
        )
    if run is not None and run.journal.is_file() and not runs_to_follow(run.path):
        raise JournalError(f"{place}: is a backtest's, in which nothing happens any more")
    from bot.app.messages.service import Notifier, only_one

    with only_one(place):
        notifier = Notifier(
            place, settings, addresses, _now_ms, say=_say, ping_url=secrets.ping_url
        )
        _follow(notifier.look, settings.look_s, once=once)


def _follow(look: Callable[[], None], every_s: float, *, once: bool) -> None:
    """Look again and again, until a signal comes; a look that is under way is ended first."""
    stop = threading.Event()
    for number in stop_signals():
        signal.signal(number, lambda *_: stop.set())
    look()
    while not once and not stop.wait(every_s):
        look()
    if not once:
        _say("stopped")


def _tell_now(what: str, unit: str | None, addresses: Sequence[Address]) -> None:
    """Send a test, or that a unit has failed, to every address at once."""
    from bot.app.messages.at_once import crash_message, tell_now, trial_message

    if not addresses:
        raise ConfigError("notify: nobody to tell; docs/messages.md says how addresses are given")
    now_ms = _now_ms()
    host = socket.gethostname()
    message = (
        trial_message(host, now_ms)
        if what == "test"
        else crash_message(host, unit or "the bot", now_ms)
    )
    tries = 1 if what == "test" else 5
    if not tell_now(message, addresses, tries=tries, say=_say):
        sys.exit(UnreachableError.exit_code)


def _print_standings(place: Path, *, as_json: bool) -> None:
    """Print how each address stands."""
    from bot.app.messages.standings import standing_line, standings
    from bot.app.runs.folder import find_run

    found = standings(place if place.is_dir() else find_run(str(place)).path)
    if as_json:
        print(json.dumps({"addresses": found}))
        return
    for each in found:
        print(standing_line(each, _now_ms()))
    if not found:
        print("no address yet: 'bot notify' has been started with the switch alone")


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S', time.gmtime())} {line}", file=sys.stderr, flush=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
