"""Funding on daily bars, as real settlements of March 2024 have it, and the same on hours."""

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
from bot.timegrid import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import RunIt

MARCH_4 = 1_709_510_400_000
BOUGHT, SOLD = MARCH_4 + DAY_MS, MARCH_4 + 2 * DAY_MS
RATES = {0: 0.00080029, 8: 0.00112788, 16: 0.0009208, 24: 0.00028173}
"""By the hour after the purchase: BTCUSDT on Bybit."""
OPENS = {0: 68360.0, 8: 66241.8, 16: 66843.9, 24: 63750.1}
QUANTITY = 100_000.0 / 68360.0


def put_files(root: Path, interval: str, step: int) -> Path:
    times = np.arange(MARCH_4, SOLD + DAY_MS, step)
    hours = (times - BOUGHT) // HOUR_MS
    price = np.array([OPENS[max(k for k in OPENS if k <= max(h, 0))] for h in hours.tolist()])
    frame = pd.DataFrame({"timestamp": times, "volume": 1e9})
    frame = frame.assign(open=price, high=price, low=price, close=price)
    write_candles(root / "candles" / f"bybit_linear_BTCUSDT_{interval}.parquet", frame)
    funding = Funding(
        BOUGHT + np.array(list(RATES), np.int64) * HOUR_MS, np.array(list(RATES.values()))
    )
    write_funding(root / "funding" / "bybit_linear_BTCUSDT_funding.parquet", funding)
    forecasts = root / "forecasts.csv"
    rise = np.array([BOUGHT - step, SOLD - step])
    pd.DataFrame(
        {"timestamp": rise, "symbol": "BTCUSDT", "return": [0.01, 0.0], "p_up": [0.9, 0.5]}
    ).to_csv(forecasts, index=False)
    return forecasts


@pytest.mark.parametrize(
    ("interval", "step", "paid"), [("1d", DAY_MS, 231.14), ("1h", HOUR_MS, 225.60)]
)
def test_held_for_a_day_three_settlements_are_charged(
    tmp_path: Path, run_it: RunIt, interval: str, step: int, paid: float
) -> None:
    root = tmp_path / "data"
    forecasts = str(put_files(root, interval, step))
    settings = [
        "policy.kind=threshold", "market.symbols=BTCUSDT", f"market.interval={interval}",
        f"data.root={root}", "costs.impact=0",
    ]  # fmt: skip
    ran = run_it(*settings, quick=[], forecasts=forecasts)
    run = read_run(ran.folder)
    assert run.funding.sum() == pytest.approx(paid, abs=0.005)
    day = [0, 8, 16] if interval == "1d" else []  # a day knows one price, but for the next open's
    on = {hour: OPENS[0] if hour in day else price for hour, price in OPENS.items()}
    expected = QUANTITY * sum(on[hour] * RATES[hour] for hour in (8, 16, 24))
    assert run.funding.sum() == pytest.approx(expected, rel=1e-12)
    assert symbol_rows(run, run.start_index)[0]["funding"] == pytest.approx(expected, rel=1e-12)
    assert [run.funding_unknown.get("BTCUSDT", 0), len(run.fills)] == [0, 2]
    assert verify(ran.folder).identical
    free = run_it(*settings, "costs.funding=false", quick=[], forecasts=forecasts)
    assert not read_run(free.folder).funding.any()


def test_what_is_not_known_is_counted_only_while_held(tmp_path: Path, run_it: RunIt) -> None:
    root = tmp_path / "data"
    forecasts = str(put_files(root, "1d", DAY_MS))
    (root / "funding" / "bybit_linear_BTCUSDT_funding.parquet").unlink()
    settings = [
        "policy.kind=threshold",
        "market.symbols=BTCUSDT",
        "market.interval=1d",
        f"data.root={root}",
    ]
    run = read_run(run_it(*settings, quick=[], forecasts=forecasts).folder)
    assert run.funding_unknown == {"BTCUSDT": 3}  # nine are due in the three days
