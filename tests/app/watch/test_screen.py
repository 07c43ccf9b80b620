"""bot watch, driven by textual's Pilot: the figures are the record's, the hand asks before it acts."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from bot.adapters.record.reading import Record
from bot.adapters.system.run_lock import RunLock
from bot.app.runs.asking import CommandAnswer, ask_run
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.app.runs.sentences import percent
from bot.app.runs.status import read_status
from bot.app.watch import panels
from bot.app.watch.reading import Look, RunReader
from bot.errors import JournalError
from bot.portfolio.hand import Command
from bot.report.formats import price, quantity

if TYPE_CHECKING:
    from tests.conftest import Cli, Ran

textual = pytest.importorskip("textual")
from textual.widgets import Static  # noqa: E402

from bot.app.watch.screen import WatchScreen  # noqa: E402

NOON = 1_795_780_800_000


@dataclass
class Clock:
    ms: int = NOON

    def __call__(self) -> int:
        return self.ms


@dataclass
class Asked:
    """Takes what the screen asks of the run."""

    commands: list[Command] = field(default_factory=list)

    def __call__(self, command: Command) -> Any:
        self.commands.append(command)
        return f"{command}: taken"


@pytest.fixture
def run(live_run: RunFolder, tmp_path: Path) -> RunFolder:
    folder = RunFolder(Path(shutil.copytree(live_run.path, tmp_path / "alpha")))
    folder.log.write_text(
        json.dumps({"event": "funding", "level": "info", "timestamp": "2026-11-27T12:00:00Z", "bar": NOON,
                    "paid": 1.5}) + "\nno json\n"
    )  # fmt: skip
    return folder


def plain(renderable: Any, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(renderable)
    return console.export_text()


def shown(app: WatchScreen, name: str) -> str:
    widget = app.screen_stack[0].query_one(f"#{name}", Static)
    return plain(widget.content)


async def settle(app: WatchScreen, pilot: Any) -> None:
    await app.workers.wait_for_complete()
    await pilot.pause()


def screen_of(
    run: RunFolder, clock: Clock, ask: Callable[[Command], Any] | None = None
) -> WatchScreen:
    return WatchScreen("alpha", RunReader(run, clock).look, ask or Asked(), 0.0)


async def test_the_figures_are_those_of_the_record(run: RunFolder) -> None:
    clock = Clock()
    status = read_status(run, clock())
    with open_record(run) as record:
        fills = record.fills()
    app = screen_of(run, clock)
    async with app.run_test(size=(150, 60)) as pilot:
        await settle(app, pilot)
        assert "alpha" in shown(app, "head")
        assert "not running" in shown(app, "head")
        assert f"{status.equity:,.2f}" in shown(app, "equity")
        positions = shown(app, "positions")
        for held in status.positions:
            assert f"{held.symbol}" in positions
            assert price(float(f"{held.mark:.7g}")) in positions
            if held.margin is not None and held.margin.distance is not None:
                assert f"{abs(held.margin.distance):.1%} away" in positions
        for symbol in status.decided:
            assert symbol in shown(app, "edges")
        assert price(float(f"{fills[-1]['price']:.7g}")) in shown(app, "fills").splitlines()[1]
        assert "funding paid: 1.50" in shown(app, "events")
        assert f"{status.bars:,} bars, {status.fills:,} fills" in shown(app, "state")


def test_coins_stand_beside_the_cash(inverse_run: Ran, short: Ran) -> None:
    look = RunReader(inverse_run.folder, Clock()).look()
    said = plain(panels.state(look))
    assert f"{look.status.cash:,.2f}" in said
    for each in look.status.coins:
        assert f"{each.coin} {quantity(each.balance)}" in said
        assert f"{each.value:+,.2f}" in said
    assert "coins" not in plain(panels.state(RunReader(short.folder, Clock()).look()))


async def test_a_look_shows_what_has_come_since(run: RunFolder) -> None:
    clock = Clock()
    app = screen_of(run, clock)
    async with app.run_test(size=(150, 60)) as pilot:
        await settle(app, pilot)
        with run.log.open("a") as log:
            log.write(json.dumps({"event": "training_failed", "level": "warning", "due": 0, "failures": 1,
                                  "timestamp": "2026-11-27T12:01:00Z", "reason": "no memory"}) + "\n")  # fmt: skip
        beat = {"pid": 1, "time_ms": NOON, "exchange_ms": NOON, "connection": "connected", "last_bar": 0,
                "lag_ms": 12.0, "next_training_ms": None, "training": "idle", "version": "1"}  # fmt: skip
        (run.path / "status.json").write_text(json.dumps(beat))
        clock.ms += 5_000
        with RunLock(run.path):
            await pilot.press("space")
            await settle(app, pilot)
            assert "running, connected" in shown(app, "head")
            assert "decided 12 ms after the candle" in shown(app, "state")
            assert "no memory" in shown(app, "events").splitlines()[0]
            clock.ms += 200_000
            await pilot.press("space")
            await settle(app, pilot)
            assert "no sign of life for 3 min 25 s" in shown(app, "head")


@pytest.mark.parametrize(("key", "command"), [("p", "pause"), ("r", "resume"), ("f", "flatten")])
async def test_a_key_asks_first_and_no_is_no(run: RunFolder, key: str, command: str) -> None:
    ask = Asked()
    app = screen_of(run, Clock(), ask)
    async with app.run_test(size=(150, 60)) as pilot:
        await settle(app, pilot)
        for no in ("n", "escape"):
            await pilot.press(key)
            await pilot.pause()
            assert command.capitalize() in plain(app.screen.query_one("#question", Static).content)
            await pilot.press(no)
            await settle(app, pilot)
            assert ask.commands == []
        await pilot.press(key, "y")
        await settle(app, pilot)
        assert ask.commands == [Command(command)]
        assert f"{command}: taken" in shown(app, "told")


async def test_what_is_asked_lies_in_the_folder_of_the_run(run: RunFolder) -> None:
    def ask(command: Command) -> CommandAnswer:
        return ask_run(run, command, wait_s=0.0)

    app = screen_of(run, Clock(), ask)
    async with app.run_test(size=(150, 60)) as pilot:
        await settle(app, pilot)
        await pilot.press("f", "y")
        await settle(app, pilot)
        told = " ".join(shown(app, "told").split())  # a long path breaks the line elsewhere
        assert "the run is not running; it takes this at its next start" in told
        await settle(app, pilot)
        assert "1 asked and not taken" in shown(app, "state")
    (asked,) = (run.path / "commands").glob("*.json")
    assert json.loads(asked.read_text())["kind"] == "flatten"


async def test_keys_answer_while_a_look_takes_long(run: RunFolder) -> None:
    reader, go = RunReader(run, Clock()), threading.Event()

    def slow() -> Look:
        go.wait(10)
        return reader.look()

    app = WatchScreen("alpha", slow, Asked(), 0.0)
    async with app.run_test(size=(150, 60)) as pilot:
        await pilot.press("p")
        await pilot.pause()
        assert app.screen.query("#question")
        await pilot.press("n")
        go.set()
        await settle(app, pilot)
        assert "alpha" in shown(app, "head")


async def test_a_look_that_fails_is_told_and_the_one_before_stays(run: RunFolder) -> None:
    reader, broken = RunReader(run, Clock()), [False]

    def read() -> Look:
        if broken[0]:
            raise JournalError("journal.db: is damaged")
        return reader.look()

    app = WatchScreen("alpha", read, Asked(), 0.0)
    async with app.run_test(size=(150, 60)) as pilot:
        await settle(app, pilot)
        broken[0] = True
        await pilot.press("space")
        await settle(app, pilot)
        assert "journal.db: is damaged" in shown(app, "told")
        assert "alpha" in shown(app, "head")


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 70)])
async def test_any_size_and_span_of_days(run: RunFolder, size: tuple[int, int]) -> None:
    app = screen_of(run, Clock())
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        said = []
        for _ in range(5):
            said.append(shown(app, "equity").splitlines()[0])
            await pilot.press("d")
            await pilot.pause()
        assert ["in 1 d" in text for text in said] == [False, True, False, False, False]
        await pilot.resize_terminal(size[1] + 60, size[0])
        await settle(app, pilot)


def test_of_the_ledger_only_what_is_new_is_read(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = RunReader(run, Clock())
    first = reader.look()
    again = reader.look()
    with open_record(run) as record:
        times, ledger = record.ledger()
    for look in (first, again):
        assert look.times.tolist() == times.tolist()
        assert look.equity.tolist() == ledger["equity"].tolist()
    db = sqlite3.connect(run.journal)
    with db:
        db.execute("UPDATE ledger SET equity = 1.0")
    db.close()
    assert reader.look().equity.tolist() == ledger["equity"].tolist()


def test_two_looks_at_once_read_no_bar_twice(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, inside, nested = RunReader(run, Clock()), list[Look](), list[bool]()
    with open_record(run) as record:
        times, _ = record.ledger()
        kind, fills = type(record), type(record).fills

    def while_another_looks(self: Record, *span: int) -> Any:
        if not nested:  # the ledger is read by the one outside, and not kept yet
            nested.append(True)
            inside.append(reader.look())
            nested.clear()
        return fills(self, *span)

    monkeypatch.setattr(kind, "fills", while_another_looks)
    looks = [reader.look(), *inside]
    assert len(looks) > 1
    for look in (*looks, reader.look()):
        assert look.times.tolist() == times.tolist()
        assert len(look.equity) == len(times)


def test_the_return_is_told_once(run: RunFolder) -> None:
    look = RunReader(run, Clock()).look()
    gain = percent(look.status.total_return)
    assert plain(panels.equity(look, 120, 4, None)).count(gain) == 1
    in_days = plain(panels.equity(look, 120, 4, 1))
    assert f"{gain} in all" in in_days


def test_edges_are_drawn_against_their_cost(run: RunFolder) -> None:
    look = RunReader(run, Clock()).look()
    for symbol, each in look.status.decided.items():
        if each.edge is not None and each.hurdle:
            row = next(
                r for r in plain(panels.edges(look, 140)).splitlines() if r.startswith(symbol)
            )
            assert f"{each.hurdle * 1e4:.1f}" in row


def test_without_the_extra_it_says_what_to_install(
    cli: Cli, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "bot.app.watch.screen")
    monkeypatch.setitem(sys.modules, "textual", None)
    said = cli("watch", run.path)
    assert (said.code, "pip install" in said.err, len(said.err.splitlines())) == (2, True, 1)


def test_without_a_terminal_it_says_what_prints(cli: Cli, run: RunFolder) -> None:
    said = cli("watch", run.path)
    assert said.code == 2
    assert "'bot status" in said.err
    assert cli("watch", "no/such").code == 5
