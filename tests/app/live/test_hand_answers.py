"""A command asked through its own way of a daemon on sockets: the answer is what the record then has."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from bot.adapters.files.commands import STOP_FILE
from bot.adapters.journal.forms import open_journal
from bot.adapters.system.run_lock import RunLock
from bot.app.runs.asking import CommandAnswer, ask_run
from bot.app.verify.proof import verify
from bot.portfolio.hand import Command
from bot.practice.exchange import PracticeExchange
from scripts.soaking.rehearsal import Rehearsal
from tests.app.live.live_stage import Stage


def test_asked_and_answered_while_the_exchange_stands_still(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(
        tmp_path / "run", "run.commands_every_s=0.02", "synthetic.missing=0", "data.history_bars=110",
        "training.min_rows=50",
    )  # fmt: skip
    folder = rehearsal.folder
    answers: list[CommandAnswer] = []

    async def ask(command: Command, *texts: str) -> None:
        answers.append(await asyncio.to_thread(ask_run, folder, command, texts, 30.0))

    async def act(stage: Stage, server: PracticeExchange) -> None:
        del server
        await stage.told.until("connected", 1)
        await stage.told.until("bar_opened", 1)
        for _ in range(4):
            await stage.bar()
        await ask(Command.PAUSE)
        await ask(Command.RESUME)
        await ask(Command.SET, "risk.max_gross=0.5", "sizing.max_weight=0.2")
        await stage.bar()
        (folder.path / STOP_FILE).touch()
        await stage.told.until("command_taken", 4)
        await ask(Command.PAUSE)
        (folder.path / STOP_FILE).unlink()
        await stage.bar()
        await stage.bar()

    with RunLock(folder.path):
        asyncio.run(Stage(rehearsal).play(act))
    assert [answer.state for answer in answers] == ["taken"] * 4
    assert [answer.exit_code for answer in answers] == [0] * 4
    with open_journal(folder.journal) as record:
        rows = record.commands()
        times, _ = record.ledger()
        held = record.positions(times)
    assert [row.kind for row in rows] == ["pause", "resume", "set", "flatten", "pause"]
    assert [answer.row for answer in answers] == [*rows[:3], rows[4]]
    assert "risk.max_gross = 0.5, sizing.max_weight = 0.2" in str(answers[2])
    flattened = int(np.searchsorted(times, rows[3].open_time))
    assert held[:flattened].any()
    assert not held[flattened + 1 :].any()
    assert verify(folder).identical
