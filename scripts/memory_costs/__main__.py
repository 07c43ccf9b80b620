"""`python -m scripts.memory_costs`: the memory and time of backtests and trainings by their symbol-bars.

Prints the tables of docs/scaling.md. Candles are made, of the synthetic market; each command is a process of
its own.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from llvmlite.binding import get_host_cpu_name

from bot.practice.synthetic import START_MS, symbol_names
from bot.timegrid import INTERVAL_MS
from bot.timestamps import format_utc
from scripts.memory_costs.market import write_market
from scripts.memory_costs.watching import Watched, watch

SYMBOLS, INTERVAL = 50, "5m"
TRADED_BARS = 500
"""That a backtest trades whose training is measured."""
UNIVERSE, YEAR_BARS = 500, 8760
SHORT = (
    f"market.interval={INTERVAL}", "retrain.trigger=never", "model.members=1", "training.epochs=1",
    "training.interpret=false",
)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", default="1,5,25", help="of symbol-bars")
    parser.add_argument("--what", default="backtest,training,year", help=", ".join(COMMANDS))
    parser.add_argument("--candles", type=Path, help="where they are kept (default: nowhere)")
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    asked = parser.parse_args()
    sizes = [int(text) * 10**6 // SYMBOLS for text in asked.millions.split(",")]
    print(f"{os.cpu_count()} cores ({get_host_cpu_name()})\n\n{HEAD}")
    with TemporaryDirectory() as folder:
        root = asked.candles or Path(folder)
        for what in asked.what.split(","):
            for bars in sizes if what != "year" else [YEAR_BARS]:
                done = COMMANDS[what](root, bars, Path(folder), asked.set)
                symbols = UNIVERSE if what == "year" else SYMBOLS
                print(_line(what, bars * symbols, done), flush=True)


HEAD = (
    "| what | million symbol-bars | time | anonymous | with pages of files | its trainings: anonymous | "
    "with pages of files |\n|---|---:|---:|---:|---:|---:|---:|"
)


def _line(what: str, symbol_bars: int, done: Watched) -> str:
    peaks = [
        f"{each:,.0f} MB" for p in (done.itself, done.below) for each in (p.anonymous, p.total)
    ]
    cells = [what, f"{symbol_bars / 1e6:g}", f"{done.seconds:.0f} s", *peaks]
    return "| " + " | ".join(cells) + " |"


def backtest(root: Path, bars: int, folder: Path, sets: Sequence[str]) -> Watched:
    """Trade all bars with a model of the first few thousand rows."""
    return _run(root, bars, folder, [*SHORT, *sets], name=f"backtest-{bars}")


def training(root: Path, bars: int, folder: Path, sets: Sequence[str]) -> Watched:
    """Train on nearly all bars once, and trade the last few."""
    settings = [f"training.window_bars={bars}", "policy.rehearse=false", *SHORT, *sets]
    start = format_utc(START_MS + (bars - TRADED_BARS) * INTERVAL_MS[INTERVAL])
    return _run(root, bars, folder, settings, ["--from", start], name=f"training-{bars}")


def year(root: Path, bars: int, folder: Path, sets: Sequence[str]) -> Watched:
    """Backtest 500 symbols over a year of hours, with a training each month."""
    place = root / "year"
    if not place.is_dir():
        write_market(place, UNIVERSE, bars, "1h")
    words = ["--data", str(place), "--symbols", ",".join(symbol_names(UNIVERSE))]
    return _command([*words, "--run-dir", str(folder / "year")], sets, folder)


COMMANDS: dict[str, Callable[[Path, int, Path, Sequence[str]], Watched]] = {
    "backtest": backtest,
    "training": training,
    "year": year,
}


def _run(
    root: Path, bars: int, folder: Path, settings: Sequence[str], words: Sequence[str] = (), *,
    name: str,
) -> Watched:  # fmt: skip
    place = root / f"{bars}"
    if not place.is_dir():
        write_market(place, SYMBOLS, bars, INTERVAL)
    given = ["--data", str(place), "--symbols", ",".join(symbol_names(SYMBOLS)), *words]
    return _command([*given, "--run-dir", str(folder / name)], settings, folder)


def _command(words: Sequence[str], settings: Sequence[str], folder: Path) -> Watched:
    sets = [word for each in settings for word in ("--set", each)]
    return watch([sys.executable, "-m", "bot", "backtest", "--json", *words, *sets], folder)


if __name__ == "__main__":
    main()
