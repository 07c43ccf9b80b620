"""The screen of `bot watch`: panels of one run, and the hand on it. Needs the extra `watch`.

Rules: a look is read in a thread, so that keys answer at once; a look that fails is told and the one
before stays. What is asked of the run goes through its folder, as 'bot pause' does, after a question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from bot.app.runs.asking import EFFECT, CommandAnswer
from bot.app.watch import panels
from bot.app.watch.reading import Look
from bot.errors import BotError
from bot.portfolio.hand import Command

NARROW = 110
"""Columns below which panels stand under one another."""

AskOfRun = Callable[[Command], CommandAnswer]


class Confirm(ModalScreen[bool]):
    """Ask whether a command is meant."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "answer(True)", "yes"),
        ("n,escape,q", "answer(False)", "no"),
    ]

    def __init__(self, command: Command, run: str) -> None:
        super().__init__()
        effect = f"\n\n{EFFECT[command].capitalize()}.\n\n"
        self._question = Text(f"{command.capitalize()} {run}?", "bold").append(effect, "not bold")
        self._question.append("y").append(" yes    ", "not bold")
        self._question.append("n").append(" no", "not bold")

    def compose(self) -> ComposeResult:
        """Make the question."""
        yield Static(self._question, id="question")

    def action_answer(self, answer: bool) -> None:
        """Go back with the answer."""
        _ = self.dismiss(answer)


class WatchScreen(App[None]):
    """A run on a full screen.

    Args:
        read: looks at the run; raises a BotError where it cannot.
        ask: asks something of it, and waits for the answer.
        look_s: seconds between two looks; 0 looks only when asked to (space).
    """

    TITLE = "bot watch"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: $background; }
    #head { height: 1; padding: 0 1; background: $panel; }
    #told { height: 1; padding: 0 1; color: $warning; display: none; }
    #told.shown { display: block; }
    .row { height: auto; }
    .row > .panel { width: 1fr; }
    .panel { border: round $panel; border-title-color: $text-muted; padding: 0 1; height: auto; }
    #lists { height: 1fr; min-height: 8; }
    #lists > .panel { height: 100%; }
    .narrow .row { layout: vertical; height: auto; }
    .narrow .row > .panel { width: 100%; height: auto; max-height: 16; }
    Confirm { align: center middle; background: $background 60%; }
    #question { width: 62; max-width: 90%; height: auto; border: round $warning; padding: 1 2; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("p", "ask('pause')", "pause"),
        ("r", "ask('resume')", "resume"),
        ("f", "ask('flatten')", "flatten"),
        ("d", "span", "days"),
        ("space", "look", "look now"),
        ("q", "quit", "quit"),
    ]

    def __init__(self, name: str, read: Callable[[], Look], ask: AskOfRun, look_s: float) -> None:
        super().__init__()
        self._of, self._read, self._ask, self._look_s = name, read, ask, look_s
        self._seen: Look | None = None
        self._days: int | None = None

    def compose(self) -> ComposeResult:
        """Make the panels."""
        yield Static("looking …", id="head")
        yield Static(id="told")
        with VerticalScroll():
            yield self._panel("equity", "equity")
            yield self._panel("positions", "positions and orders")
            with Horizontal(classes="row"):
                yield self._panel("edges", "edge against cost, in basis points")
                yield self._panel("state", "state")
            with Horizontal(classes="row", id="lists"):
                yield self._panel("fills", "newest fills")
                yield self._panel("events", "newest events")
        yield Footer()

    def _panel(self, name: str, title: str) -> Vertical:
        panel = Vertical(Static(id=name), classes="panel")
        panel.border_title = title
        return panel

    def on_mount(self) -> None:
        """Begin to look."""
        self.action_look()
        if self._look_s:
            self.set_interval(self._look_s, self.action_look)

    def on_resize(self) -> None:
        """Draw anew in the room there is now."""
        self.set_class(self.size.width < NARROW, "narrow")
        self._draw()

    @work(thread=True, exclusive=True, group="look")
    def action_look(self) -> None:
        """Look at the run, and show it."""
        try:
            seen = self._read()
        except BotError as error:
            self.call_from_thread(self._tell, str(error))
            return
        self.call_from_thread(self._show, seen)

    def action_span(self) -> None:
        """Show equity over another span of days."""
        spans = (None, *panels.SHOWN_DAYS)
        self._days = spans[(spans.index(self._days) + 1) % len(spans)]
        self._draw()

    def action_ask(self, kind: str) -> None:
        """Ask whether it is meant, and then ask it of the run."""
        command = Command(kind)

        def answered(yes: bool | None) -> None:
            if yes:
                self._tell(f"{kind}: asked …")
                self._ask_run(command)

        _ = self.push_screen(Confirm(command, self._of), answered)

    @work(thread=True, group="ask")
    def _ask_run(self, command: Command) -> None:
        try:
            told = str(self._ask(command))
        except BotError as error:
            told = str(error)
        self.call_from_thread(self._tell, told)
        self.call_from_thread(self.action_look)

    def _tell(self, text: str) -> None:
        """Show a line under the head; it stays until the next one."""
        line = self.query_one("#told", Static)
        line.update(Text(" ".join(text.split())))
        line.set_class(bool(text), "shown")

    def _show(self, seen: Look) -> None:
        self._seen = seen
        self._draw()

    def _draw(self) -> None:
        seen = self._seen
        if seen is None or len(self.screen_stack) == 0:
            return
        screen = self.screen_stack[0]
        width = max(self.size.width - 6, 20)
        half = width if self.size.width < NARROW else width // 2
        height = 10 if self.size.height >= 44 else 6
        for name, shown in (
            ("head", panels.head(seen)),
            ("equity", panels.equity(seen, width, height, self._days)),
            ("positions", panels.positions(seen, width)),
            ("state", panels.state(seen)),
            ("edges", panels.edges(seen, half)),
            ("fills", panels.fills(seen)),
            ("events", panels.events(seen)),
        ):
            screen.query_one(f"#{name}", Static).update(shown)
