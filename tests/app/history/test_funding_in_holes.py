"""Funding that settles where candles are missing, in a backtest: charged once, on the mark or the last close."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from bot.adapters.files.candle_files import write_candles
from bot.adapters.files.funding import Funding, write_funding
from bot.app.runs.results import read_run
from bot.app.verify.proof import verify
from bot.report.money.activity import symbol_rows
from bot.timegrid import DAY_MS, HOUR_MS, INTERVAL_MS, MINUTE_MS

if TYPE_CHECKING:
    from tests.conftest import RunIt

SETTLES = 1_709_683_200_000  # 2024-03-06
# interval; the missing bars open from .. to, in minutes after a settlement at 00:00; hours between two
HOLES = [
    ("5m", -15, 50, 8),
    ("5m", -5, 8 * 60 + 5, 8),
    ("1h", -120, 60, 8),
    ("1h", 0, 8 * 60, 8),
    ("4h", 0, 0, 8),
    ("4h", -240, 8 * 60, 2),
    ("12h", 0, 0, 8),
    ("1d", 0, 24 * 60, 8),
]


def price_at(time: int) -> float:
    return 100.0 + time // (5 * MINUTE_MS) * 7919 % 997 / 100.0


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize(("interval", "since", "until", "every"), HOLES)
def test_a_hole_pays_each_settlement_once(
    tmp_path: Path,
    run_it: RunIt,
    interval: str,
    since: int,
    until: int,
    every: int,
    *,
    marked: bool,
) -> None:
    root, step = tmp_path / "data", INTERVAL_MS[interval]
    first = SETTLES - (DAY_MS // 4 if step < HOUR_MS else 2 * DAY_MS)
    end = SETTLES + (DAY_MS // 2 if step < HOUR_MS else 3 * DAY_MS)
    grid = np.arange(first, end, step)
    hole = (grid >= SETTLES + since * MINUTE_MS) & (grid <= SETTLES + until * MINUTE_MS)
    there = grid[~hole]
    opened = np.array([price_at(t) for t in there.tolist()])
    closed = np.array([price_at(t + step - 1) for t in there.tolist()])
    frame = pd.DataFrame(
        {
            "timestamp": there, "open": opened, "high": np.fmax(opened, closed),
            "low": np.fmin(opened, closed), "close": closed, "volume": 1e9,
        }
    )  # fmt: skip
    write_candles(root / "candles" / f"bybit_linear_BTCUSDT_{interval}.parquet", frame)
    times = np.arange(SETTLES - 2 * DAY_MS, end, every * HOUR_MS)
    rates = 1e-4 * (1 + np.arange(len(times)) % 7) * (-1.0) ** np.arange(len(times))
    write_funding(root / "funding" / "bybit_linear_BTCUSDT_funding.parquet", Funding(times, rates))
    mark_step = min(step, HOUR_MS)
    marks = {t: 1.01 * price_at(t) for t in range(first, end, mark_step)}
    if marked:
        name = "1h" if step >= HOUR_MS else interval
        flat = pd.DataFrame({"timestamp": list(marks), "open": list(marks.values())})
        flat = flat.assign(high=flat["open"], low=flat["open"], close=flat["open"], volume=0.0)
        write_candles(root / "mark" / f"bybit_linear_BTCUSDT_{name}_mark.parquet", flat)
    forecasts = tmp_path / "forecasts.csv"
    bought = int(grid[1])
    pd.DataFrame(
        {"timestamp": [bought - step], "symbol": "BTCUSDT", "return": [0.01], "p_up": [0.9]}
    ).to_csv(forecasts, index=False)
    config = [
        "policy.kind=threshold", "market.symbols=BTCUSDT", f"market.interval={interval}",
        f"data.root={root}", "sizing.method=fixed", "costs.impact=0",
        "risk.cap_tolerance=0",
    ]  # fmt: skip
    runs = [
        run_it(*config, f"run.block_bars={n}", quick=[], forecasts=str(forecasts))
        for n in (4096, 1, 7)
    ]
    run = read_run(runs[0].folder)
    quantity = float(run.fills["quantity"][0])
    assert len(run.fills) == 1
    assert int(run.fills["open_time"][0]) == bought
    due = dict.fromkeys(grid.tolist(), 0.0)
    closes = dict(zip(there.tolist(), closed.tolist(), strict=True))
    for time, rate in zip(times.tolist(), rates.tolist(), strict=True):
        bar = time // step * step
        if not bought < time or bar > int(there[-1]):
            continue
        last = closes[max(t for t in closes if t < bar)]
        known = price_at(bar) if bar in closes else last
        due[bar] += quantity * rate * (marks[time] if marked else known)
    paid = dict(
        zip(run.bars.open_time[run.start_index :].tolist(), run.funding.tolist(), strict=True)
    )
    assert [paid[t] for t in paid] == pytest.approx([due[t] for t in paid], rel=1e-12, abs=1e-12)
    assert sum(v != 0.0 for t, v in paid.items() if t in set(grid[hole].tolist())) >= 1
    assert symbol_rows(run, run.start_index)[0]["funding"] == pytest.approx(sum(due.values()))
    assert not run.funding_unknown.get("BTCUSDT", 0)
    assert len({r.done.ledger_sha256 for r in runs}) == 1
    assert verify(runs[0].folder).identical
