"""`python -m scripts.unit_costs`: a training of the default settings by each engine, on this machine.

Prints the tables of docs/scaling.md. With --engines local, Ray need not be installed.
"""

from __future__ import annotations

import argparse
import os

from llvmlite.binding import get_host_cpu_name

from scripts.unit_costs.measuring import Cost, Sizes, cost_of, in_new_folder, sizes_of
from scripts.unit_costs.needs import StudyPlanned, needs, rates

BIG = StudyPlanned(symbols=1000, window_bars=17_520, trials=200, folds=6, seeds=1)
"""1,000 symbols × 5 years × 200 trials: two years taught, three tested by half-years."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", default="local,ray")
    parser.add_argument("--symbols", default="4,16,64", help="sizes; the engines get the first")
    parser.add_argument("--bars", type=int, default=19_000)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--cores", type=int, default=64, help="of the cluster that is reckoned with"
    )
    asked = parser.parse_args()
    counts = [int(text) for text in asked.symbols.split(",")]
    markets = [
        [f"synthetic.symbols={n}", f"synthetic.bars={asked.bars}", "training.memory_limit_mb=16384"]
        for n in counts
    ]
    folder, study = in_new_folder(markets[0])
    with folder:
        measured = [cost_of(e, study, asked.seeds, asked.workers) for e in asked.engines.split(",")]
    sizes = []
    for market in markets:
        folder, study = in_new_folder(market)
        with folder:
            sizes.append(sizes_of(study))
    _print_engines([cost for cost, _ in measured], 2 * asked.seeds, asked.workers)
    same = all(files == measured[0][1] for _, files in measured)
    print(f"\nThe files are {'equal to the byte' if same else 'NOT EQUAL'}.\n")
    _print_sizes(counts, sizes)
    if len(sizes) > 1:
        print("\n| what | how | comes to |\n|---|---|---:|")
        for row in needs(BIG, rates(sizes[0], sizes[-1]), asked.cores):
            print("| " + " | ".join(row) + " |")


def _print_engines(costs: list[Cost], trainings: int, workers: int) -> None:
    load = os.getloadavg()[0]
    print(
        f"{trainings} trainings, {workers} at a time, on {os.cpu_count()} cores ({get_host_cpu_name()}, load {load:.1f} at the end)\n\n"
        "| engine | first result | an empty unit: CPU | a training: its own CPU | a training: CPU of all | all, on the clock |\n"
        "|---|---:|---:|---:|---:|---:|"
    )  # fmt: skip
    for c in costs:
        print(f"| {c.engine} | {c.first_s:.1f} s | {c.idle_ms:.0f} ms | {c.cpu_s:.2f} s | {c.all_cpu_s:.2f} s | {c.wall_s:.0f} s |")  # fmt: skip


def _print_sizes(counts: list[int], sizes: list[Sizes]) -> None:
    print(
        "| symbols | rows | CPU of a training | data of a fold | memory of its process | its file |\n|---:|---:|---:|---:|---:|---:|"
    )
    for n, s in zip(counts, sizes, strict=True):
        print(f"| {n} | {s.rows:,} | {s.cpu_s:.1f} s | {s.data_mb:,.0f} MB | {s.peak_mb:,.0f} MB | {s.result_kb:,.0f} kB |")  # fmt: skip


if __name__ == "__main__":
    main()
