"""The honest test bench: one synthetic market a seed, by default without any planted signal.

With no signal the 95 % intervals of the return's rank IC should cover 0 and those of the
direction's AUC 0.5 in at least 90 % of the markets, the return's MSE skill should not be above
zero, volatility and volume should keep their skill, and the strategy should lose about its costs.
With --strength above zero the same table shows how much of a planted signal is found.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bot.app.backtest.command import backtest_command
from bot.config import load_config
from bot.report.summary import Summary

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "synthetic.toml"


def one_market(config: str | Path, strength: float, seed: int, sets: Iterable[str]) -> Summary:
    """Backtest the market of a seed in a folder that is thrown away, and return its results."""
    settings = load_config(
        config,
        [
            f"synthetic.signal_strength={strength}",
            f"synthetic.seed={seed}",
            f"run.seed={seed}",
            *sets,
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        done = backtest_command(settings, run, None, None, _silent, quiet=True)
    if done.interrupted or done.reported is None:
        raise KeyboardInterrupt
    return done.reported.summary


def _silent(done: int, total: int) -> None:
    """Show no progress: the table is the progress."""


def row(seed: int, summary: Summary) -> dict[str, Any]:
    """Return what is looked at in a market."""
    measures = {head["kind"]: head["measures"] for head in summary["skill"].values()}
    costs = summary["costs"]
    return {
        "seed": seed,
        "rank_ic": measures["return"]["rank_ic"],
        "auc": measures["direction"]["auc"],
        "mse_skill": measures["return"]["mse_skill"],
        "volatility_skill": measures["volatility"]["qlike_skill"],
        "volume_skill": measures["volume"]["mse_skill"],
        "sharpe": summary["metrics"]["sharpe_ratio"],
        "gross": costs["gross"],
        "costs": costs["gross"] - costs["net"],
        "net": costs["net"],
    }


def covers(measure: dict[str, Any]) -> bool:
    """Tell whether the interval has the value without skill in it."""
    return bool(measure["low"] <= measure["null"] <= measure["high"])


def verdicts(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the counts over all markets."""

    def count(test: Callable[[dict[str, Any]], bool]) -> int:
        return sum(test(r) for r in rows)

    sharpes = [r["sharpe"] for r in rows if r["sharpe"] is not None]
    return {
        "markets": len(rows),
        "rank_ic_covers_0": count(lambda r: covers(r["rank_ic"])),
        "auc_covers_half": count(lambda r: covers(r["auc"])),
        "mse_skill_shown": count(lambda r: r["mse_skill"]["low"] > 0.0),
        "mean_mse_skill": statistics.mean(r["mse_skill"]["value"] for r in rows),
        "volatility_skill_positive": count(lambda r: r["volatility_skill"]["value"] > 0.0),
        "volume_skill_positive": count(lambda r: r["volume_skill"]["value"] > 0.0),
        "mean_gross": statistics.mean(r["gross"] for r in rows),
        "mean_costs": statistics.mean(r["costs"] for r in rows),
        "mean_net": statistics.mean(r["net"] for r in rows),
        "mean_sharpe": statistics.mean(sharpes) if sharpes else None,
    }


def line(r: dict[str, Any]) -> str:
    """Return a market as a line of the table."""

    def span(m: dict[str, Any]) -> str:
        return f"{m['value']:+.4f} [{m['low']:+.4f}, {m['high']:+.4f}]"

    sharpe = "–" if r["sharpe"] is None else f"{r['sharpe']:+.2f}"
    return (
        f"{r['seed']:>4}  {span(r['rank_ic']):>28}  {span(r['auc']):>28}  "
        f"{r['mse_skill']['value']:+.4f}  {r['volatility_skill']['value']:+.3f}  "
        f"{r['volume_skill']['value']:+.3f}  {r['gross']:>10,.0f}  {r['costs']:>9,.0f}  {sharpe:>6}"
    )


def main(argv: list[str] | None = None) -> None:
    """Run the study and print it."""
    parser = argparse.ArgumentParser(
        prog="scripts/null_market",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=20, help="number of markets")
    parser.add_argument("--first-seed", type=int, default=1, help="seed of the first market")
    parser.add_argument("--strength", type=float, default=0.0, help="synthetic.signal_strength")
    parser.add_argument("--config", default=str(CONFIG), help="TOML file with the settings")
    parser.add_argument("--set", action="append", default=[], help="section.key=value, repeatable")
    parser.add_argument("--json", help="file for the rows and the counts")
    given = parser.parse_args(argv)
    print(
        "seed  rank IC of the return         AUC of the direction          MSE      vol.    "
        "volume       gross      costs  Sharpe"
    )
    rows = []
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        rows.append(row(seed, one_market(given.config, given.strength, seed, given.set)))
        print(line(rows[-1]), flush=True)
    found = verdicts(rows)
    for name, value in found.items():
        print(f"{name.replace('_', ' '):>28}  {value:,.4g}" if value is not None else name)
    if given.json:
        Path(given.json).write_text(json.dumps({"rows": rows, "counts": found}, indent=1))


if __name__ == "__main__":
    main()
