"""What a run gave on a named day and machine, as Markdown.

Each maker runs the commands that it shows. `real_backtests` reads candles that the project does not
ship: `--data DIR` names a folder with four Bybit perpetuals, hourly, as `bot fetch` leaves them.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts import licences
from scripts.documents.blocks import ROOT
from scripts.documents.transcripts import fenced, machine, run

SEEDS = (7, 8, 9, 10, 11)


def tour(_data: str | None) -> str:
    """Return a practice run of 30 bars, its status and its proof, as they are printed."""
    practice = ROOT / "configs" / "practice.toml"
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        run(
            ["run", "--practice", "--config", str(practice), "--bars", "30", "--run-dir", "runs/demo"],
            where,
        )  # fmt: skip
        status, proof = run(["status", "runs/demo"], where), run(["verify", "runs/demo"], where)
    return fenced(f"$ bot status runs/demo\n{status}", f"$ bot verify runs/demo\n{proof}")


def clone_backtest(_data: str | None) -> str:
    """Return the backtest that runs in a clone: the synthetic market with its planted signal."""
    synthetic = ROOT / "configs" / "synthetic.toml"
    with tempfile.TemporaryDirectory() as folder:
        said = run(
            ["backtest", "--config", str(synthetic), "--run-dir", "runs/first"], Path(folder)
        )
    shown = said[said.index("\nfirst: ") + 1 :]  # the verdict, after the log
    return fenced(f"$ bot backtest --config configs/synthetic.toml\n{shown}") + f"\n\n{machine()}"


def difference(_data: str | None) -> str:
    """Return the proof of a small backtest, and of the same with the due bar of one model changed."""
    settings = [
        "data.source=synthetic", "synthetic.bars=1500", "synthetic.symbols=3", "model.hidden=[16]",
        "policy.kind=threshold",
        "training.epochs=2", "training.min_rows=300", "features.long_window=40",
        "features.medium_window=30", "features.correlation_window=30", "training.window_bars=500",
    ]  # fmt: skip
    words = [word for setting in settings for word in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        run(["backtest", *words, "--run-dir", "runs/small"], where)
        proved = run(["verify", "runs/small"], where)
        db = sqlite3.connect(where / "runs" / "small" / "journal.db")
        with db:
            db.execute("UPDATE models SET due = due + 3600000 WHERE position = 2")
        db.close()
        changed = run(["verify", "runs/small"], where, expected=1)
    return fenced(f"$ bot verify runs/small\n{proved}", f"$ bot verify runs/small\n{changed}")


def real_backtests(data: str | None) -> str:
    """Return the default settings on four perpetuals, 2023 to 2025, over five seeds."""
    if data is None:
        raise SystemExit("real-backtests: --data DIR names the folder of candles")
    words = [
        "backtest", "--data", str(Path(data).resolve()), "--symbols",
        "BTCUSDT,ETHUSDT,SOLUSDT,BNBUSDT", "--from", "2023-01-01", "--to", "2025-12-31", "--json",
    ]  # fmt: skip
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            said = run([*words, "--set", f"run.seed={seed}", "--run-dir", f"s{seed}"], Path(folder))
            rows.append(json.loads(said[said.index("{") :]))
    return (
        _table(rows) + f"\n\n{machine()}; ledger of seed {SEEDS[0]}: `{rows[0]['ledger_sha256']}`"
    )


def _table(rows: list[dict[str, Any]]) -> str:
    """Return every measure of every seed, whether it flatters or not, in Markdown."""
    lines = ["| | " + " | ".join(f"seed {seed}" for seed in SEEDS) + " |", "|---" * 6 + "|"]
    held = rows[0]["buy_and_hold"]["total_return"]
    money: list[tuple[str, list[str]]] = [
        ("net return", [f"{row['metrics']['total_return']:+.1%}" for row in rows]),
        ("return of holding the four", [f"{held:+.0%}"] * len(rows)),
        ("Sharpe ratio ± standard error", [
            f"{row['metrics']['sharpe_ratio']:+.2f} ± {row['metrics']['sharpe_error']:.2f}"
            for row in rows
        ]),
        ("turnover a year, × equity", [f"{row['metrics']['turnover_annual']:,.0f}" for row in rows]),
        *((f"{name}, of initial capital", [
            f"{row['costs'][key] / row['facts']['initial_capital']:+.1%}" for row in rows
        ]) for name, key in (("gross profit", "gross"), ("fees", "fees"), ("half spread", "spread"),
                             ("slippage", "slippage"), ("funding paid", "funding"))),
    ]  # fmt: skip
    lines += [f"| {name} | {' | '.join(values)} |" for name, values in money]
    for head, scored in rows[0]["skill"].items():
        for measure in scored["measures"]:
            cells = [_measure(row["skill"][head]["measures"][measure]) for row in rows]
            lines.append(f"| {head}: {_said(measure)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _said(measure: str) -> str:
    words = {"mse": "MSE", "ic": "IC", "auc": "AUC", "qlike": "QLIKE", "brier": "Brier"}
    return " ".join(words.get(word, word) for word in measure.split("_")).replace("log l", "log-l")


def _measure(measure: dict[str, Any]) -> str:
    low, high = measure["low"], measure["high"]
    return f"{measure['value']:+.4f} [{low:+.4f}, {high:+.4f}]"


def licence_page(_data: str | None) -> str:
    """Return the licences of all that is installed."""
    return licences.licence_table(licences.by_set())


def extras_page(_data: str | None) -> str:
    """Return what each extra brings."""
    return licences.extras_table(licences.by_set())


MEASURED: dict[str, Callable[[str | None], str]] = {
    "licences": licence_page,
    "extras": extras_page,
    "tour": tour,
    "clone-backtest": clone_backtest,
    "difference": difference,
    "real-backtests": real_backtests,
}
