"""`bot demo`: a practice run, killed, resumed, verified and reported, told step by step.

Rules: it does what a person would do, by the same commands in processes of their own; what it says of
the run is the run's log and the commands' own words. Its folder is a temporary one unless it is to be
kept; whatever ends it, no process stays behind. Must not reach into a run.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from rich.console import Console
from rich.text import Text

from bot.app.first_hour.telling import Telling
from bot.app.loop.waiting import COMPILING, TAKES
from bot.compiled import compiled_before
from bot.config.ready import ready_path
from bot.errors import BotError, ConfigError
from bot.timestamps import format_utc
from bot.wording import command

TOO_LONG_S = 300.0
QUIET_S = 0.1


def demonstrate(keep: str | None, bars: int, console: Console) -> None:
    """Run the demonstration.

    Raises:
        ConfigError: the folder to keep is there already.
        BotError: a step did not do what it should.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _ended_by_a_signal)
    with _place(keep) as folder:
        told = Telling(console, folder)
        run = [
            "run",
            "--practice",
            "--config",
            str(ready_path("practice")),
            "--run-dir",
            str(folder),
        ]
        short = ["run", "--practice", "--run-dir", str(folder)]
        _run_and_kill(told, run, short, bars // 3)
        _resume(told, run, short, bars - told.closed)
        _verify(told)
        _report(told)
        _what_next(told, kept=keep is not None)


def _run_and_kill(told: Telling, run: list[str], short: list[str], bars: int) -> None:
    first = "" if compiled_before() else f" The very first start begins with {COMPILING}: {TAKES}."
    told.next("trade", "A practice exchange inside the process serves a made-up market, two hours of it a second. The "
              f"bot fetches history, trains its first model and trades on paper.{first}")  # fmt: skip
    told.command(short)
    with bot_process(run) as running:
        wait_until(told, running, lambda: told.closed >= bars)
        _kill(running.process)
    told.read()
    at = (
        ""
        if told.last_bar is None
        else f" The last bar it closed is {format_utc(told.last_bar)} UTC."
    )
    told.next("kill", f"Killed with SIGKILL, in the middle of whatever it did: nothing was tidied up.{at}")  # fmt: skip


def _resume(told: Telling, run: list[str], short: list[str], bars: int) -> None:
    told.next("resume", "The same command continues the run from its journal: bars missed meanwhile are fetched, orders "
              "that waited follow their rule, nothing is lost and nothing booked twice.")  # fmt: skip
    limit = ["--bars", str(max(bars, 1))]
    told.command([*short, *limit])
    with bot_process([*run, *limit]) as running:
        wait_until(told, running, lambda: False)


def _verify(told: Telling) -> None:
    told.next("verify", "Every value since the start is computed again from the recorded bars and models, across the kill, "
              "and held against the journal, bit for bit.")  # fmt: skip
    _tell_what_it_says(told, "verify", "verifying", good={0, 8}, lines=4)


def _report(told: Telling) -> None:
    told.next("report", "What came of it, with costs and uncertainty. A market with a planted signal shows that the "
              "machinery works, and nothing about real ones.")  # fmt: skip
    _tell_what_it_says(told, "report", "reporting", good={0}, lines=14)


def _tell_what_it_says(told: Telling, name: str, doing: str, good: set[int], lines: int) -> None:
    """Run a command on the run, and show the first lines of its output."""
    words = [name, str(told.folder)]
    told.command(words)
    with told.while_it_does(doing):
        said = _output(words, good)
    _show(told, said, lines)


def _what_next(told: Telling, *, kept: bool) -> None:
    next_ones = {
        "bot init": "a file of settings of your own",
        "bot doctor": "whether this machine will do",
        "bot run --practice": "the same without an end",
    }
    if kept:
        next_ones = {
            command("status", told.folder): "where it stands",
            command("watch", told.folder): "the same on a full screen",
            f"{told.folder}/report.html": "open it in a browser",
        } | next_ones
    else:
        next_ones["bot demo --keep runs/demo"] = "keeps the run, to look at it"
    width = max(map(len, next_ones)) + 3
    lines = (f"{line:<{width}}{what}" for line, what in next_ones.items())
    told.console.print(Text.assemble("\n", ("next\n", "bold"), "\n".join(lines)))


@contextmanager
def _place(keep: str | None) -> Iterator[Path]:
    """Give the run's folder: one to keep, or one that is taken away however this ends."""
    if keep is not None:
        path = Path(keep)
        if path.exists():
            raise ConfigError(f"--keep {keep}: is there already; name a new folder")
        yield path
        return
    made = tempfile.mkdtemp(prefix="bot-demo-")
    try:
        yield Path(made) / "demo"
    finally:
        shutil.rmtree(made, ignore_errors=True)


@dataclass(frozen=True)
class RunningBot:
    """The bot in a process of its own, and what it writes to stderr."""

    process: subprocess.Popen[bytes]
    stderr: BinaryIO

    def last_words(self) -> str:
        """Return the last line that it wrote."""
        self.stderr.seek(0)
        lines = self.stderr.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


@contextmanager
def bot_process(words: Sequence[str]) -> Iterator[RunningBot]:
    """Run the bot in a process of its own, which does not outlive this one's interest in it."""
    # into a file: a pipe that nobody reads would be full after some bars, and the run would wait
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", *words], stdout=subprocess.DEVNULL, stderr=stderr,
            env=_environment(), start_new_session=True,
        )  # fmt: skip
        try:
            yield RunningBot(process, stderr)
        finally:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started, at once."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ended_by_a_signal(number: int, frame: FrameType | None) -> None:
    """Leave by an exception, so that what was started is ended and what was made is taken away."""
    del frame
    sys.exit(128 + number)


def wait_until(told: Telling, running: RunningBot, done: Callable[[], bool]) -> None:
    """Say what the run does until it has done enough, or has ended.

    Raises:
        BotError: it has ended with a fault, or takes too long.
    """
    process, compiled = running.process, compiled_before()
    end = time.monotonic() + TOO_LONG_S + (0.0 if compiled else 600.0)
    with told.while_it_does("starting" if compiled else f"{COMPILING} ({TAKES})"):
        while process.poll() is None and not done():
            if time.monotonic() > end:
                raise BotError(
                    "the run takes too long; 'bot doctor' says whether this machine will do"
                )
            told.read()
            told.still()
            time.sleep(QUIET_S)
        told.read()
    if process.returncode:
        raise BotError(f"the run ended with exit code {process.returncode}: {running.last_words()}")


def _output(words: Sequence[str], good: set[int]) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "bot", *words], capture_output=True, text=True, env=_environment(), check=False
    )  # fmt: skip
    if ran.returncode not in good:
        raise BotError(f"{command(*words)}: ended with {ran.returncode}: {ran.stderr.strip()}")
    return ran.stdout


def _show(told: Telling, text: str, most: int) -> None:
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines[:most]:
        told.console.print(Text(line.rstrip(), no_wrap=True, overflow="ellipsis"))
    if len(lines) > most:
        told.console.print(Text(f"… {len(lines) - most} more lines", "dim"))


def _environment() -> dict[str, str]:
    """Return the environment without settings, which would change what is shown."""
    return {
        name: value for name, value in os.environ.items() if not name.upper().startswith("BOT_")
    }
