"""`python -m scripts.unit_costs`: a training of the default settings by each engine, on this machine.

Prints the tables of docs/scaling.md. With --engines local, Ray need not be installed.
"""

from __future__ import annotations

import argparse
import os
import platform

from llvmlite.binding import get_host_cpu_name

from scripts.unit_costs.measuring import Cost, cost_of, in_new_folder, sizes_of


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", default="local,ray")
    parser.add_argument("--symbols", type=int, default=4)
    parser.add_argument("--bars", type=int, default=26_000)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    sets = [f"synthetic.symbols={asked.symbols}", f"synthetic.bars={asked.bars}"]
    folder, study = in_new_folder(sets)
    with folder:
        costs: list[Cost] = []
        files = []
        for engine in asked.engines.split(","):
            cost, made = cost_of(engine, study, asked.seeds, asked.workers)
            costs.append(cost)
            files.append(made)
        sizes = sizes_of(study)
    print(f"{2 * asked.seeds} trainings, {asked.workers} at a time, {get_host_cpu_name()}, Python {platform.python_version()}\n")  # fmt: skip
    print(
        "| engine | first result, s | an empty unit, ms | a training's CPU, s | a training, s of a slot | overhead | all, s |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for c in costs:
        over = c.taken_s / c.cpu_s - 1.0
        print(f"| {c.engine} | {c.first_s:.1f} | {c.idle_ms:.0f} | {c.cpu_s:.2f} | {c.taken_s:.2f} | {over:+.0%} | {c.wall_s:.0f} |")  # fmt: skip
    same = "equal to the byte" if all(made == files[0] for made in files) else "NOT EQUAL"
    print(f"\nFiles: {same}. {sizes.rows:,} rows, {sizes.data_mb:.1f} MB of data a fold, {sizes.result_kb:.0f} kB a result.")  # fmt: skip


if __name__ == "__main__":
    main()
