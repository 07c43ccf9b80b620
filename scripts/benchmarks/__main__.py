"""`scripts/bench`: run groups of measurements, print a table, and write JSON.

Rules: every case runs in a fresh process; the exit code does not depend on goals, which are for
people to judge on a machine of their own.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.measuring import Row, machine_facts, run_case

Case = tuple[str, dict[str, int]]

GROUPS: dict[str, tuple[str, tuple[Case, ...]]] = {
    "ledger": (
        "forecasts given: decisions, fills, costs, ledger",
        (("ledger:beside_rivals", {}), ("ledger:many_symbols", {}), ("ledger:plain_and_full", {})),
    ),
    "engine": (
        "features, default model and ledger, no retraining, one torch thread",
        (
            ("engine:parts", {}),
            ("engine:whole", {"n_symbols": 1, "symbol_bars": 10**5}),
            ("engine:whole", {"n_symbols": 5, "symbol_bars": 10**5}),
            ("engine:whole", {"n_symbols": 1, "symbol_bars": 10**6}),
            ("engine:whole", {"n_symbols": 5, "symbol_bars": 10**6}),
            ("engine:beside_pandas", {}),
            ("streaming:streamed", {}),
        ),
    ),
    "record": (
        "what a backtest's record costs, and its proof",
        (("record:written", {}), ("record:proved", {})),
    ),
    "live": (
        "one bar at a time; the loop from the last confirm received to the decision committed",
        (
            ("live:one_bar", {}),
            ("live:block_one", {}),
            *(
                ("live_latency:confirm_to_commit", {"n_symbols": n, "training": training})
                for n in (5, 50, 500)
                for training in (False, True)
            ),
        ),
    ),
    "train": (
        "a training's steps beside the plain sum, a training of the default model, and ensembles",
        (
            ("train:weightings", {}),
            ("train:methods", {"features": 0}),
            ("train:methods", {"features": 1}),
            ("train:default", {}),
            *(
                ("train:members", {"members": members, "features": features})
                for members, features in ((3, 22), (5, 22), (10, 22), (5, 60))
            ),
        ),
    ),
    "retrain": (
        "four symbols, three years of hours, a training each month",
        (("retrain:three_years", {}),),
    ),
    "features": ("the named sets of features", (("feature_sets:sets", {}),)),
    "parts": ("features of a user's own, called by pointer", (("own_parts:features", {}),)),
    "report": ("a report's controls", (("report:twins", {}),)),
    "sweep": ("a thousand settings over the same forecasts", (("sweep:beside_vectorbt", {}),)),
    "start": ("whole processes", (("start:commands", {}),)),
}
"""Title of each group, and its cases with their options."""


def main() -> None:
    """Measure the groups asked for."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=main.__doc__)
    parser.add_argument("group", nargs="*", help=f"{', '.join(GROUPS)}; all by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument("--quick", action="store_true", help="fewer bars and repeats: a look only")
    parser.add_argument(
        "--data", default="", metavar="DIR", help="candles for 'retrain' (default: synthetic)"
    )
    asked = parser.parse_args()
    if unknown := set(asked.group) - set(GROUPS):
        parser.error(f"no group {', '.join(sorted(unknown))}; choose from {', '.join(GROUPS)}")

    console = Console(width=max(Console().width, 120))
    machine = machine_facts()
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()))
    groups: dict[str, Any] = {}
    for name in asked.group or GROUPS:
        title, cases = GROUPS[name]
        rows: list[Row] = []
        with console.status(f"{name} …"):
            for case, options in cases:
                data = {"data": asked.data} if name == "retrain" else {}
                try:
                    rows += run_case(case, {"quick": asked.quick, **options, **data})
                except RuntimeError as error:
                    parser.exit(1, f"{error}; see above\n")
        console.print(_table(f"{name}: {title}", rows))
        groups[name] = [asdict(row) | {"met": row.met} for row in rows]
    if asked.json is not None:
        result = {"machine": machine, "quick": asked.quick, "groups": groups}
        asked.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _table(title: str, rows: list[Row]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("case", "value", "unit", "goal", "", "note"):
        table.add_column(column, justify="right" if column in {"value", "goal"} else "left")
    for row in rows:
        sign = "≥" if row.at_least else "≤"
        goal = "" if row.goal is None else f"{sign} {_number(row.goal)}"
        mark = {None: "", True: "met", False: "missed"}[row.met]
        table.add_row(
            row.case,
            "absent" if row.value is None else _number(row.value),
            row.unit,
            goal,
            mark,
            row.note,
        )
    return table


def _number(value: float) -> str:
    """Return a number with three or four digits that count.

    >>> _number(1234567.8), _number(12.345), _number(0.00123456)
    ('1,234,568', '12.35', '0.001235')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


if __name__ == "__main__":
    main()
