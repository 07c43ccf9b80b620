"""`python -m scripts.memory_costs`: the memory of backtests and trainings by their number of symbol-bars."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.timestamps import format_utc
from scripts.memory_costs.market import write_market
from scripts.memory_costs.watching import Watched, watch

SYMBOLS, INTERVAL, STEP_MS, START_MS = 50, "5m", 300_000, 1_672_531_200_000
TRADED = 500
"""Bars that the backtest trades whose training is measured."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", default="1,5,25")
    parser.add_argument("--what", default="backtest,training")
    parser.add_argument("--keep", type=Path, help="a folder for the candles, which is kept")
    parser.add_argument("--set", action="append", default=[])
    asked = parser.parse_args()
    sizes = [int(text) * 10**6 // SYMBOLS for text in asked.millions.split(",")]
    with TemporaryDirectory() as folder:
        root = asked.keep or Path(folder) / "data"
        if not (root / "candles").is_dir():
            write_market(root, SYMBOLS, max(sizes), INTERVAL)
        print(
            "| what | million | seconds | anonymous MiB | total MiB | training: anonymous | total |"
        )
        for what in asked.what.split(","):
            for bars in sizes:
                done = measured(what, root, bars, Path(folder), asked.set)
                print(
                    f"| {what} | {bars * SYMBOLS / 1e6:g} | {done.seconds:.0f} | {done.itself.anonymous:,.0f} | "
                    f"{done.itself.total:,.0f} | {done.below.anonymous:,.0f} | {done.below.total:,.0f} |",
                    flush=True,
                )


def measured(what: str, root: Path, bars: int, folder: Path, sets: list[str]) -> Watched:
    """Run a backtest of the first bars, or one that trains on nearly all of them once."""
    settings = [
        f"market.interval={INTERVAL}", "retrain.trigger=never", "model.members=1",
        "training.epochs=1", "training.interpret=false", "market.venue=bybit_linear",
    ]  # fmt: skip
    words = ["backtest", "--data", str(root), "--json"]
    words += ["--symbols", ",".join(f"SYN{k}USDT" for k in range(SYMBOLS))]
    words += ["--to", format_utc(START_MS + (bars - 1) * STEP_MS)]
    if what == "training":
        words += ["--from", format_utc(START_MS + (bars - TRADED) * STEP_MS)]
        settings += [
            f"training.window_bars={bars}",
            "training.memory_limit_mb=20000",
            "policy.rehearse=false",
        ]
    words += ["--run-dir", str(folder / f"{what}-{bars}")]
    for each in settings + sets:
        words += ["--set", each]
    return watch([sys.executable, "-m", "bot", *words], folder)


if __name__ == "__main__":
    main()
