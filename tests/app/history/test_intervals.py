"""Every interval, in every table that has one; and bars of a session that open on the half hour."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bot.adapters.bybit.rest import CODE_MS, INTERVAL_CODE
from bot.adapters.files.history import load_history
from bot.app.start.check import check_start
from bot.cli.main import app
from bot.config import load_config
from bot.practice.wire import PERIODS, period_of
from bot.timegrid import DAY_MS, HOUR_MS, INTERVAL_MS
from bot.venues import periods_per_year

EXPECTED = {
    "1m": ("1", 525_600, 390), "3m": ("3", 175_200, 130), "5m": ("5", 105_120, 78),
    "15m": ("15", 35_040, 26), "30m": ("30", 17_520, 13), "1h": ("60", 8_760, 7),
    "2h": ("120", 4_380, 4), "4h": ("240", 2_190, 2), "6h": ("360", 1_460, 2),
    "12h": ("720", 730, 1), "1d": ("D", 365, 1),
}  # fmt: skip
"""Bybit's code, bars a year round the clock, bars a US session of 390 minutes."""


def test_the_intervals_are_these() -> None:
    assert list(INTERVAL_MS) == list(EXPECTED)
    assert list(INTERVAL_MS.values()) == sorted(INTERVAL_MS.values())


@pytest.mark.parametrize("interval", EXPECTED)
def test_every_table_knows_every_interval(interval: str) -> None:
    code, a_year, a_session = EXPECTED[interval]
    step = INTERVAL_MS[interval]
    assert INTERVAL_CODE[interval] == period_of(step) == code
    assert (CODE_MS[code], code in PERIODS) == (step, True)
    assert periods_per_year(["bybit_linear"], interval) == a_year
    assert periods_per_year(["us"], interval) == 252 * a_session
    assert DAY_MS % step == 0
    check_start(load_config(None, [f"market.interval={interval}"]), "practice")


def session_bars(n_days: int, seed: int) -> pd.DataFrame:
    """Return hourly bars of US sessions around a change to summer time: 9:30 to 15:30 New York."""
    days = pd.bdate_range("2024-03-04", periods=n_days, tz="America/New_York")
    times = [day + pd.Timedelta(hours=9.5 + k) for day in days for k in range(7)]
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(rng.normal(0, 0.01, len(times)).cumsum())
    opened = np.r_[100.0, close[:-1]]
    prices = {"Open": opened, "High": np.maximum(opened, close) * 1.001,
              "Low": np.minimum(opened, close) * 0.999, "Close": close}  # fmt: skip
    return pd.DataFrame({"Datetime": [str(t) for t in times], **prices, "Volume": 1000.0})


def test_bars_of_a_session_open_on_the_half_hour(tmp_path: Path) -> None:
    apple, other = session_bars(10, 1), session_bars(10, 2)
    apple.to_csv(tmp_path / "us_AAPL_1h.csv", index=False)
    other.drop(index=[5, 20]).to_csv(tmp_path / "us_MSFT_1h.csv", index=False)
    sets = [f"data.root={tmp_path}", "market.venue=us", "market.symbols=AAPL,MSFT",
            "market.interval=1h", "data.source=files"]  # fmt: skip
    history = load_history(load_config(None, sets))
    times = pd.to_datetime(apple["Datetime"], utc=True).dt.tz_localize(None)
    wanted = times.to_numpy().astype("datetime64[ms]").astype(np.int64)
    assert history.bars.open_time.tolist() == wanted.tolist()
    assert {int(t) % DAY_MS / HOUR_MS for t in wanted} == {*np.arange(13.5, 21)}
    assert (history.notes["AAPL"].missing, history.notes["MSFT"].missing) == (0, 2)
    forecasts = pd.DataFrame({"timestamp": apple["Datetime"], "symbol": "AAPL"})
    forecasts.assign(**{"return": 0.01}, p_up=0.9).to_csv(tmp_path / "f.csv", index=False)
    words = ["backtest", "--data", str(tmp_path), "--symbols", "AAPL,MSFT", "--run-dir",
             str(tmp_path / "run"), "--set", "market.venue=us", "--json",
             "--forecasts", str(tmp_path / "f.csv")]  # fmt: skip
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert json.loads(done.stdout)["name"] == "run"
    verified = CliRunner().invoke(app, ["verify", str(tmp_path / "run"), "--json"])
    assert verified.exit_code == 0, verified.output
    assert "70 bars" in CliRunner().invoke(app, ["verify", str(tmp_path / "run")]).output
