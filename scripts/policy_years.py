"""Every shipped policy and the controls by year, over the forecasts of one run: a table in Markdown.

python -m scripts.policy_years RUN. The test of a default is that its net return is at least -2 standard
errors in every year; the error of a year's return is that of its daily net returns, their deviation
times the root of their number. All years of RUN have been looked at when it was made.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bot.app.runs.folder import RunFolder
from bot.app.runs.results import read_run
from bot.app.sweep.replay import replay_of
from bot.app.sweep.source import SweepSource, source_of_run
from bot.blocks import F64, I64
from bot.config import Config, load_config
from bot.report.money.buy_and_hold import buy_and_hold
from bot.timegrid import DAY_MS

POLICIES: dict[str, tuple[str, ...]] = {
    "edge (default)": ("policy.kind=edge",),
    "edge, slope as it is (z = 0)": ("policy.kind=edge", "policy.confidence=0"),
    "threshold 0.001 (the document's)": ("policy.kind=threshold", "signal.threshold=0.001"),
    "threshold 0.003": ("policy.kind=threshold", "signal.threshold=0.003"),
    "hysteresis 0.003": ("policy.kind=hysteresis", "signal.threshold=0.003"),
    "momentum, 30 days": ("policy.kind=momentum",),
}


Row = tuple[str, I64, F64, F64]
"""Name, year of each day, net return of each day, and what was traded of each day."""


def rows(run: RunFolder) -> Iterator[Row]:
    """Yield a row for each policy and control."""
    source = source_of_run(run)
    replay = replay_of(source)
    year = years_of_days(source)
    for name, sets in POLICIES.items():
        tally = replay.tally(settings_of(source, sets), name, {})
        yield name, year, tally.days, tally.traded
    nothing = np.zeros(len(year))
    yield "flat", year, nothing, nothing
    data = read_run(run)
    curve = np.concatenate(([data.initial_capital], buy_and_hold(data, data.start_index)))
    last = np.flatnonzero(np.diff(data.open_time[data.start_index :] // DAY_MS, append=-1))
    closes = np.concatenate((curve[:1], curve[1:][last]))
    yield "buy and hold, with funding", year, closes[1:] / closes[:-1] - 1.0, nothing


def years_of_days(source: SweepSource) -> I64:
    """Return the year of each day that was traded."""
    day = np.unique(source.bars.open_time[source.start :] // DAY_MS)
    return day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def settings_of(source: SweepSource, sets: Sequence[str]) -> Config:
    """Return the run's settings with some of them changed."""
    return load_config(None, list(sets), environ={}, base=source.settings)


def print_by_year(found: Sequence[Row], what: str) -> None:
    """Print each row's net return with its error, and its turnover, a year after the other."""
    years = np.unique(found[0][1]).tolist()
    print(f"| {what} | " + " | ".join(f"{y} net ± error | turnover" for y in years) + " |")
    print("|---|" + "---:|" * (2 * len(years)))
    for name, year, days, traded in found:
        cells = []
        for y in years:
            of = days[year == y]
            error = of.std(ddof=1) * np.sqrt(len(of))
            net = np.prod(1.0 + of) - 1.0
            cells += [f"{net:+.1%} ± {error:.1%}", f"{traded[year == y].sum():,.0f} ×"]
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.policy_years", description=__doc__)
    parser.add_argument("run", type=Path)
    print_by_year(list(rows(RunFolder(parser.parse_args().run))), "policy")


if __name__ == "__main__":
    main()
