"""The same funding rates in each form that people's files have are charged to the same cent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from bot.adapters.files.candle_files import write_candles
from bot.app.runs.results import read_run
from bot.timegrid import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import RunIt

START_MS = 1_735_689_600_000  # 2025-01-01
DAYS, PRICE, CAPITAL = 31, 50_000.0, 100_000.0
SETTLED = START_MS + 8 * HOUR_MS * np.arange(1, 3 * DAYS)
RATES = np.round(np.random.default_rng(3).normal(1e-4, 5e-5, len(SETTLED)), 8)


def _frame(times: object) -> pd.DataFrame:
    return pd.DataFrame({"timestamp": times, "funding_rate": RATES})


def _csv(times: object) -> Callable[[Path], None]:
    return lambda stem: _frame(times).to_csv(stem.with_suffix(".csv"), index=False)


def _parquet(times: object) -> Callable[[Path], None]:
    return lambda stem: _frame(times).to_parquet(stem.with_suffix(".parquet"), index=False)


JITTER_MS = np.random.default_rng(4).integers(0, 30, len(SETTLED))
UTC = pd.to_datetime(SETTLED, unit="ms", utc=True)
FORMS = {
    "ms": _csv(SETTLED),
    "ms, some late": _csv(SETTLED + JITTER_MS),
    "seconds": _parquet(SETTLED // 1000),
    "microseconds": _csv(SETTLED * 1000),
    "nanoseconds": _parquet(SETTLED * 1_000_000),
    "datetimes": _parquet(UTC.tz_localize(None)),
    "datetimes of a zone": _parquet(UTC.tz_convert("Asia/Tokyo")),
    "ISO": _csv(UTC.strftime("%Y-%m-%dT%H:%M:%SZ")),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_month_is_charged_alike(tmp_path: Path, run_it: RunIt, form: str) -> None:
    root = tmp_path / "data"
    times = np.arange(START_MS, START_MS + DAYS * DAY_MS, HOUR_MS)
    candles = pd.DataFrame({"timestamp": times, "volume": 1e9})
    candles = candles.assign(open=PRICE, high=PRICE, low=PRICE, close=PRICE)
    write_candles(root / "candles" / "bybit_linear_BTCUSDT_1h.parquet", candles)
    (root / "funding").mkdir()
    FORMS[form](root / "funding" / "bybit_linear_BTCUSDT_funding")
    forecasts = tmp_path / "once.csv"
    once = {"timestamp": [START_MS], "symbol": "BTCUSDT", "return": [0.01], "p_up": [0.9]}
    pd.DataFrame(once).to_csv(forecasts, index=False)
    ran = run_it(
        "policy.kind=threshold", "market.symbols=BTCUSDT", "market.interval=1h", f"data.root={root}",
        "costs.impact=0", quick=[], forecasts=str(forecasts),
    )  # fmt: skip
    run = read_run(ran.folder)
    assert len(run.fills) == 1
    assert run.funding_unknown == {}
    quantity = float(run.fills["quantity"][0])
    assert run.funding.sum() == pytest.approx(quantity * PRICE * RATES.sum(), rel=1e-9)
