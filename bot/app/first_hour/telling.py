"""What `bot demo` says: its steps, its commands, what the run's log has, and what is under way meanwhile.

Must not start or end anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.status import Status
from rich.text import Text

from bot.app.live.terminal_lines import TerminalLines
from bot.config import load_config
from bot.config.ready import ready_path
from bot.practice.synthetic import symbol_names
from bot.timegrid import INTERVAL_MS
from bot.wording import command

STEPS = 5
DOING = {
    "run_started": "asking for history", "run_resumed": "asking for the bars that were missed",
    "history_wanted": "asking for history", "training_started": "training a model (some seconds)",
    "model_trained": "getting ready to trade", "bar_closed": "trading",
}  # fmt: skip
"""What is under way after an event of the run's log."""


@dataclass
class Telling:
    """What is said, and what the run's log says, which is read on from where it was."""

    console: Console
    folder: Path
    step: int = 0
    place: int = 0
    last_bar: int | None = None
    closed: int = 0
    lines: TerminalLines = field(init=False)
    doing: str = ""
    since: float = 0.0
    _status: Status | None = None

    def __post_init__(self) -> None:
        config = load_config(ready_path("practice"), environ={})
        self.lines = TerminalLines(
            self.console, symbol_names(config.synthetic.symbols), INTERVAL_MS[config.market.interval],
            config.portfolio.initial_capital, own_time=True,
        )  # fmt: skip

    def next(self, title: str, text: str) -> None:
        """Begin a step."""
        self.step += 1
        head = Text(f"{self.step} of {STEPS}  {title}", "bold")
        self.console.print(Panel(Text(text), title=head, title_align="left", border_style="dim"))

    def command(self, words: Sequence[str]) -> None:
        """Say what is done, as one would type it."""
        self.console.print(Text(f"$ {command(*words)}", "bold cyan"))

    def read(self) -> None:
        """Say what the log has that is new."""
        try:
            with (self.folder / "log.jsonl").open("rb") as file:
                file.seek(self.place)
                new = file.read()
        except FileNotFoundError:
            return
        whole, end, _ = new.rpartition(b"\n")
        self.place += len(whole) + len(end)
        for line in whole.splitlines():
            self._tell(line)

    @contextmanager
    def while_it_does(self, doing: str) -> Iterator[None]:
        """Show on a terminal what is under way and for how long, between the lines that are said."""
        self.doing, self.since = doing, time.monotonic()
        with self.console.status("") as self._status:
            self.still()
            yield
        self._status = None

    def still(self) -> None:
        """Count the seconds of what is under way."""
        if self._status is not None:
            took = time.monotonic() - self.since
            self._status.update(Text(f"{self.doing}, {took:.0f} s", "dim"))

    def _print(self, shown: str) -> None:
        """Write lines that are coloured already, above what is under way."""
        if self._status is not None:
            self._status.stop()
        self.console.file.write(shown)
        self.console.file.flush()
        if self._status is not None:
            self._status.start()

    def _tell(self, line: bytes) -> None:
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError:  # torn by the kill
            return
        if doing := DOING.get(event["event"]):
            if doing != self.doing:
                self.since = time.monotonic()
            self.doing = doing
        if event["event"] == "bar_closed":
            self.last_bar = int(event["bar"])
            self.closed += 1
        if shown := self.lines(event):
            self._print(shown)
