"""--forecasts: predictions made elsewhere, held against the reference recurrence in plain Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from bot.adapters.files.history import load_history
from bot.app.backtest.command import backtest_command
from bot.blocks import F64, BarBlock
from bot.config import load_config
from bot.config.schema import Synthetic
from bot.errors import BotError, ConfigError, DataError
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import CandleWriter, Cli, RunIt

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "data"
COST = 0.0007
THRESHOLD = 0.001
REFERENCE = [
    "market.symbols=BTCUSDT", "costs.reference=true", "execution.fill=next_close",
    "signal.factor=probability", f"costs.taker_fee={COST}", f"signal.threshold={THRESHOLD}",
    "report.bootstrap_samples=100",
]  # fmt: skip


def reference_equity(price: F64, expected: F64, p_up: F64, capital: float) -> F64:
    """The recurrence of the document, as it is written down: capital after each row but the last."""
    position, recorded = 0, []
    for i in range(len(price) - 1):
        signal = expected[i] * p_up[i]
        new = 1 if signal > THRESHOLD else (-1 if signal < -THRESHOLD else 0)
        if new != position:
            capital *= 1.0 - COST
        capital *= 1.0 + position * (price[i + 1] / price[i] - 1.0)
        recorded.append(capital)
        position = new
    return np.array(recorded)


def predictions(bars: BarBlock, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    n = len(bars)
    return pd.DataFrame(
        {
            "timestamp": bars.open_time,
            "symbol": "BTCUSDT",
            "return": 0.004 * random.standard_normal(n),
            "p_up": random.uniform(0.2, 0.9, n),
        }
    )


@pytest.fixture(scope="session", params=["synthetic", "recorded", "real"])
def candles(
    request: pytest.FixtureRequest,
    write_market: CandleWriter,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[str]:
    """Settings that name some thousands of hours of one symbol."""
    if request.param == "recorded":
        return [f"data.root={FIXTURES}"]
    if request.param == "real":
        root = request.getfixturevalue("real_root")
        return [f"data.root={root}", "data.history_start=2025-02-01", "data.end=2025-06-05"]
    bars = synthetic_bars(Synthetic(symbols=1, bars=3000, seed=3), HOUR_MS)
    root = write_market(tmp_path_factory.mktemp("market"), "bybit_linear", ["BTCUSDT"], bars, "1h")
    return [f"data.root={root}"]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_reference_backtest_is_the_documents_recurrence(
    candles: list[str], cli: Cli, tmp_path: Path, suffix: str
) -> None:
    settings = [*REFERENCE, *candles]
    bars = load_history(load_config(None, settings, {})).bars
    table = predictions(bars, 5)
    path = tmp_path / f"forecasts.{suffix}"
    if suffix == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    run = tmp_path / "run"
    said = cli(
        "backtest", *(a for item in settings for a in ("--set", item)),
        "--forecasts", path, "--run-dir", run, "--block", 997, "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    price = bars.close[:, 0]
    expected = reference_equity(
        price, table["return"].to_numpy(), table["p_up"].to_numpy(), 100_000.0
    )
    said_rows = cli("export", run, "--symbol", "BTCUSDT", "--out", tmp_path / "rows.parquet")
    assert said_rows.code == 0, said_rows.err
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    np.testing.assert_allclose(rows["capital"].to_numpy(), expected, rtol=1e-9)
    np.testing.assert_array_equal(rows["price"].to_numpy(), price[:-1])
    np.testing.assert_allclose(
        rows["signal"].to_numpy(), (table["return"] * table["p_up"]).to_numpy()[:-1], rtol=1e-12
    )
    assert said.json["metrics"]["total_return"] == pytest.approx(expected[-1] / 1e5 - 1, abs=1e-9)
    assert said.json["skill"] == {}
    assert said.json["models"] == []
    assert len(np.unique(np.round(rows["position"], 6))) == 3


def test_funding_is_charged_whatever_a_venue_calls_its_perpetuals(
    run_it: RunIt, write_market: CandleWriter, tmp_path: Path
) -> None:
    """Short by a quarter of equity over three settlements, of 10, 20 and 40 basis points."""
    bars = synthetic_bars(Synthetic(symbols=1, bars=100, seed=3), HOUR_MS)
    path = tmp_path / "short.csv"
    table = predictions(bars, 2).assign(p_up=0.0)
    table["return"] = -0.01
    table.to_csv(path, index=False)
    due = np.flatnonzero(bars.open_time % (8 * HOUR_MS) == 0)
    due = due[due > 2][:3]
    rates = pd.DataFrame({"timestamp": bars.open_time[due], "funding_rate": [0.001, 0.002, 0.004]})
    paid = {}
    for venue in ("binance_linear", "binance_usdm", "binance_spot"):
        root = write_market(tmp_path / venue, venue, ["BTCUSDT"], bars, "1h")
        (tmp_path / venue / "funding").mkdir(exist_ok=True)
        rates.to_csv(tmp_path / venue / "funding" / f"{venue}_BTCUSDT_funding.csv", index=False)
        ran = run_it(
            "market.symbols=BTCUSDT", f"market.venue={venue}", f"data.root={root}",
            "sizing.fraction=0.25", quick=["policy.kind=threshold"], forecasts=str(path),
        )  # fmt: skip
        reader = ran.reader()
        times, ledger = reader.ledger()
        held = reader.positions(times)[:, 0]
        reader.close()
        paid[venue] = ledger["funding"][due]
        charged = held[due] * bars.open[due, 0] * rates["funding_rate"].to_numpy()
        np.testing.assert_allclose(paid[venue], charged, rtol=1e-12)
    assert (paid["binance_linear"] < -20.0).all()
    assert (paid["binance_usdm"] == paid["binance_linear"]).all()
    assert (paid["binance_spot"] == 0.0).all()


def test_bars_without_a_forecast_decide_nothing(
    run_it: RunIt, write_market: CandleWriter, tmp_path: Path
) -> None:
    bars = synthetic_bars(Synthetic(symbols=1, bars=300, seed=3), HOUR_MS)
    root = write_market(tmp_path, "bybit_linear", ["BTCUSDT"], bars, "1h")
    table = predictions(bars, 2).iloc[100:200]
    path = tmp_path / "some.csv"
    table.to_csv(path, index=False)
    ran = run_it(
        "market.symbols=BTCUSDT",
        f"data.root={root}",
        quick=["policy.kind=threshold", "execution.max_participation=0"],
        forecasts=str(path),
    )
    reader = ran.reader()
    times, _ = reader.ledger()
    held = reader.positions(times)[:, 0]
    value, model = reader.forecasts(times)
    reader.close()
    assert (held[:101] == 0.0).all()
    assert (held[101:200] != 0.0).any()
    assert (np.isfinite(value[:, 0, 0]) == ((np.arange(300) >= 100) & (np.arange(300) < 200))).all()
    assert (model == 0).all()
    orders = np.flatnonzero(np.diff(held))
    assert orders.max() <= 200


def test_a_file_of_another_market_is_refused(run_it: RunIt, tmp_path: Path) -> None:
    path = tmp_path / "foreign.csv"
    path.write_text("timestamp,symbol,return,p_up\n1672531200000,DOGE,0.1,0.5\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"foreign\.csv: line 2: DOGE"):
        run_it(forecasts=str(path))
    with pytest.raises(DataError, match=r"nowhere\.parquet"):
        run_it(forecasts=str(tmp_path / "nowhere.parquet"))
    with pytest.raises(ConfigError, match="exclude one another"):
        run_it(forecasts=str(path), schedule="x")


def test_a_file_that_is_not_there_leaves_no_run_behind(tmp_path: Path) -> None:
    config = load_config(None, ["data.source=synthetic", "synthetic.bars=300"], {})
    folder = tmp_path / "run"
    with pytest.raises(BotError, match=r"none\.csv"):
        backtest_command(
            config, str(folder), str(tmp_path / "none.csv"), None, lambda d, of: None, quiet=True
        )
    assert not folder.exists()
