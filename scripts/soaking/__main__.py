"""`scripts/soak`: kills, faults or very many bars, then the proof of the run, printed as a report.

Exit code 1 where the run is not proved or the memory grows.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from bot.timegrid import HOUR_MS
from scripts.soaking.kill_soak import soak_kills
from scripts.soaking.memory import soak_bars
from scripts.soaking.mixed_faults import mixed
from scripts.soaking.proof import Proof, prove
from scripts.soaking.rehearsal import Rehearsal

GROWTH = 0.05
"""The most that memory may grow from a tenth of the bars to all of them."""


def main() -> None:
    """Soak what is asked for; 200 kills by default."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=main.__doc__)
    parser.add_argument("--kills", type=int, metavar="N", help="kill −9 a daemon so often")
    parser.add_argument("--bars", type=int, metavar="N", help="run so many bars, watch the memory")
    parser.add_argument("--faults", type=int, metavar="N", help="run so many bars through faults")
    parser.add_argument("--seed", type=int, default=1, help="of kills and faults (default: 1)")
    parser.add_argument("--run-dir", type=Path, metavar="DIR", help="kept; else a temporary folder")
    asked = parser.parse_args()
    if not (asked.kills or asked.bars or asked.faults):
        asked.kills = 200
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.run_dir or Path(temporary)
        if asked.kills:
            _kills(asked.kills, asked.seed, folder / "kills")
        if asked.faults:
            _faults(asked.faults, asked.seed, folder / "faults")
        if asked.bars:
            _bars(asked.bars, folder / "bars")


def _kills(kills: int, seed: int, folder: Path) -> None:
    tally, proof = soak_kills(kills, seed, folder)
    print(f"{tally.kills} kills in {tally.seconds:.0f} s:")
    for place, count in sorted(tally.where.items()):
        print(f"  {count:>4}  {place}")
    _report(proof)


def _faults(bars: int, seed: int, folder: Path) -> None:
    rehearsal = Rehearsal.make(folder / "run", "retrain.every_bars=240")
    began = time.monotonic()
    rehearsal.run(bars, script=mixed(random.Random(seed), 6 * HOUR_MS))
    print(f"{bars:,} bars through faults in {time.monotonic() - began:.0f} s")
    decided = [(event["bar"], event["symbol"]) for event in rehearsal.events("decision")]
    if len(set(decided)) != len(decided):
        raise SystemExit("a bar was decided twice")
    _report(prove(rehearsal.folder, rehearsal.source))


def _bars(bars: int, folder: Path) -> None:
    samples, proof = soak_bars(bars, folder)
    _report(proof)
    growth = samples[-1][1] / samples[0][1] - 1.0
    print(f"memory from {samples[0][0]:,} to {samples[-1][0]:,} bars: {growth:+.1%}")
    if growth > GROWTH:
        raise SystemExit(f"it grows by more than {GROWTH:.0%}")


def _report(proof: Proof) -> None:
    print(
        f"{len(proof.bars):,} bars ({proof.late:,} too late to decide on, {proof.holes:,} holes, "
        f"{proof.untrue:,} candles not as the market's), {len(proof.fills):,} fills, "
        f"{len(proof.models)} models"
    )
    print(f"verified: identical, {proof.verdict.stored_sha256}")


if __name__ == "__main__":
    main()
