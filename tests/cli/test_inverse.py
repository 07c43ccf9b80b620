"""Inverse contracts from the exchange to the report: fetched, backtested, told, exported, proved."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import pytest

from bot.config.schema import Synthetic
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.timegrid import HOUR_MS
from tests.conftest import SMALL, Cli
from tests.served_practice import served_practice

BARS = 1_500
SETTINGS = (
    *SMALL, "market.venue=bybit_inverse", "market.symbols=SYN0USD,SYN1USD", "signal.threshold=0.0002",
    "training.window_bars=500", "retrain.trigger=every_bars", "retrain.every_bars=300",
    "retrain.at_start=false",
)  # fmt: skip


def options(*sets: str) -> list[str]:
    return [word for item in sets for word in ("--set", item)]


@pytest.mark.usefixtures("no_pictures")
def test_from_the_exchange_to_the_report(cli: Cli, tmp_path: Path) -> None:
    data, run, tables = tmp_path / "data", tmp_path / "run", tmp_path / "tables"
    source = SyntheticMarket(Synthetic(symbols=2, bars=BARS, seed=4), HOUR_MS, inverse=True)
    with served_practice(PracticeMarket(source), START_MS + BARS * HOUR_MS) as exchange:
        reach = (
            "exchange.source=practice", f"exchange.rest_url={exchange.rest_url}",
            f"exchange.stream_url={exchange.stream_url}", "exchange.requests_per_second=100",
        )  # fmt: skip
        said = cli("fetch", "--data", data, "--from", "2023-01-01", *options(*SETTINGS, *reach))
        abroad = cli(
            "fetch",
            "--data",
            data,
            "--from",
            "2023-01-01",
            "--symbols",
            "SYN0USD",
            *options(*reach),
        )
    assert abroad.code == 4
    assert "an inverse contract is named bybit_inverse:SYN0USD" in abroad.err
    assert said.code == 0, said.err
    assert "SYN1USD funding" in said.out
    assert cli("data", "--data", data).code == 0
    told = json.loads((data / "instruments" / "bybit_inverse.json").read_text("utf-8"))
    assert told["SYN0USD"]["settle"] == "SYN0"

    said = cli("backtest", "--data", data, "--run-dir", run, *options(*SETTINGS))
    assert said.code == 0, said.err
    assert cli("verify", run).code == 0
    report = cli("report", run, "--json").json
    assert cli("export", run, "--what", "all", "--out", tables).code == 0

    coins: dict[str, float] = defaultdict(float)
    bought: dict[str, float] = defaultdict(float)
    contracts: dict[str, float] = defaultdict(float)
    closes: dict[str, float] = {}
    rows = {name: read(tables / f"{name}.csv") for name in ("fills", "bars", "equity", "trades")}
    filled = defaultdict(list)
    for fill in rows["fills"]:
        filled[fill["time"], fill["symbol"]].append(fill)
        assert float(fill["notional"]) == abs(float(fill["quantity"]))
    for bar in rows["bars"]:
        symbol = bar["symbol"]
        if float(bar["funding_rate"] or 0.0):
            coins[symbol] -= contracts[symbol] * float(bar["funding_rate"]) / float(bar["mark"])
        for fill in filled[bar["time"], symbol]:
            contracts[symbol] += float(fill["quantity"])
            coins[symbol] += (float(fill["quantity"]) - float(fill["fee"])) / float(fill["price"])
        closes[symbol] = float(bar["close"]) if bar["close"] else closes[symbol]
        if coins[symbol] < 0.0 and not contracts[symbol]:  # owed, and no position is left
            bought[symbol] -= coins[symbol] * closes[symbol]
            coins[symbol] = 0.0
    worth = {s: coins[s] * closes[s] - contracts[s] for s in coins}
    made = {s: worth[s] - bought[s] for s in coins}
    assert sum(bought.values()) > 100.0
    equity = 100_000.0 + sum(made.values())
    assert float(rows["equity"][-1]["equity"]) == pytest.approx(equity, abs=1e-4)
    assert len(rows["fills"]) > 20
    assert len(rows["trades"]) > 5
    assert report["facts"]["final_equity"] == pytest.approx(equity)
    assert {row["symbol"]: row["pnl"] for row in report["symbols"]} == pytest.approx(made, abs=1e-4)
    assert report["costs"]["net"] == pytest.approx(sum(made.values()))
    for cost in ("fees", "funding"):
        paid = sum(float(row[cost]) for row in rows["equity"])
        assert report["costs"][cost] == pytest.approx(paid)
    assert report["metrics"]["trades"] == len(rows["trades"])
    status = cli("status", run, "--json").json
    assert {c["symbol"]: c["value"] for c in status["coins"]} == pytest.approx(
        {s: value for s, value in worth.items() if value}, abs=1e-4
    )


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
