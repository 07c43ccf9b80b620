"""The soak of kills: real daemons on a practice exchange in a process of its own, killed one by one.

Half of them are killed from outside at a random moment, half die at a random write point. All of
`bot run` is at work: lock, pybit, sockets, threads, training in a process of its own. Children are
forked from a parent that has everything imported, and share its server of trainings.
"""

from __future__ import annotations

import json
import multiprocessing.forkserver as training_server
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.app.live.command import live_command
from bot.app.runs.folder import RunFolder
from bot.app.start.practice import practice_config
from bot.app.symbols import made_market
from bot.app.training.pool import TrainingPool
from bot.config import Config, load_config
from scripts.soaking.killing import Point, WritePoints, die, fork, was_killed
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import Rehearsal

SPEED = 3600.0
SETTINGS = (
    f"practice.speed={SPEED:g}", "data.history_bars=400", "training.min_rows=300",
    "training.window_bars=400", "training.epochs=4", "retrain.every_bars=12",
    "synthetic.signal_strength=0.4", "sizing.method=proportional", "sizing.rebalance_band=0.0",
    "signal.threshold=0.0", "exchange.decide_within_s=0.6", "log.level=info",
)  # fmt: skip
FAULTS = ("lost_confirm=0.02", "drop=0.002", "duplicate=0.05")
LONGEST_LIFE_S = 4.0
LONGEST_OUTAGE_S = 2.5
MOST_POINTS = 90
PATIENCE_S = 60.0


@dataclass
class Tally:
    """What became of the daemons."""

    kills: int = 0
    where: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


@contextmanager
def exchange_process(config: Path, settings: list[str]) -> Iterator[tuple[str, str]]:
    """Give the URLs of a practice exchange in a process of its own, for REST and stream."""
    command = [
        sys.executable, "-m", "bot", "exchange", "--config", str(config), "--port", "0",
        "--speed", f"{SPEED:g}",
    ]  # fmt: skip
    command += [word for name in settings for word in ("--set", name)]
    command += [word for name in FAULTS for word in ("--fault", name)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        urls = json.loads(process.stdout.readline())
        yield urls["rest_url"], urls["stream_url"]
    finally:
        process.terminate()
        process.wait()


class Daemons:
    """One run, lived by one child after another."""

    def __init__(self, config: Config, folder: Path, dice: random.Random) -> None:
        self._config, self._folder, self._dice = config, folder, dice
        self.tally = Tally()

    def kill_one(self) -> None:
        """Let a daemon live and die, and wait a while."""
        if self._dice.random() < 0.5:
            self._die_at_a_write(self._dice.randrange(1, MOST_POINTS))
        else:
            self._killed_after(self._dice.uniform(0.05, LONGEST_LIFE_S))
        self.tally.kills += 1
        if self._dice.random() < 0.3:
            time.sleep(self._dice.uniform(0.0, LONGEST_OUTAGE_S))

    def live(self, bars: int) -> None:
        """Let a daemon live for so many bars."""
        if was_killed(fork(lambda: self._life(bars))):
            raise RuntimeError("a daemon that nobody killed was killed")

    def _die_at_a_write(self, count: int) -> None:
        receiver, sender = os.pipe()
        left = [count]

        def reached(point: Point, often: int) -> None:
            del often
            left[0] -= 1
            if not left[0]:
                os.write(sender, point.encode())
                die()

        def life() -> None:
            WritePoints(reached).install()
            self._life(None)

        child = fork(life)
        os.close(sender)
        with os.fdopen(receiver) as words:
            point = words.read()
        if not was_killed(child):
            raise RuntimeError("a daemon ended by itself")
        self.tally.where[point] += 1

    def _killed_after(self, seconds: float) -> None:
        child = fork(lambda: self._life(None))
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        was_killed(child)
        self.tally.where["any moment"] += 1

    def _life(self, bars: int | None) -> None:
        with open(self._folder.parent / "stderr.txt", "ab") as stderr:
            os.dup2(stderr.fileno(), 2)
        # the server of trainings is the parent's child, and runs
        vars(training_server._forkserver)["ensure_running"] = lambda: None
        live_command(self._config, str(self._folder), practice=False, max_bars=bars)


def soak_kills(kills: int, seed: int, folder: Path) -> tuple[Tally, Proof]:
    """Kill a daemon so often, let the last one live, and prove the run."""
    _warm_up(folder)
    base = Path("configs/practice.toml")
    config = practice_config(load_config(base, list(SETTINGS), {}))
    began = time.monotonic()
    with exchange_process(base, list(SETTINGS)) as (rest_url, stream_url):
        inside = {"rest_url": rest_url, "stream_url": stream_url}
        config = config.model_copy(update={"exchange": config.exchange.model_copy(update=inside)})
        daemons = Daemons(config, folder / "run", random.Random(seed))
        for k in range(kills):
            daemons.kill_one()
            print(f"\r{k + 1} of {kills} kills", end="", flush=True)
        print()
        daemons.live(5)
    daemons.tally.seconds = time.monotonic() - began
    market = made_market(config)
    return daemons.tally, prove(RunFolder(folder / "run"), market)


def _warm_up(folder: Path) -> None:
    """Import and compile everything, and start the server of trainings, before any fork."""
    Rehearsal.make(folder / "warm").run(3)
    TrainingPool(1).shutdown()
    training_server.ensure_running()
