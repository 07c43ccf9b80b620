"""The two examples of the document, as they stand in configs/: on real files, and on made ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.config import load_config
from bot.config.schema import Synthetic
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import CandleWriter, Cli

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

ROOT = Path(__file__).resolve().parents[3]
SMALL = [
    "policy.kind=threshold",
    "model.hidden=[16]", "model.head_hidden=8", "training.epochs=1", "training.min_rows=300",
    "report.bootstrap_samples=100",
]  # fmt: skip
STOCKS = ["AAPL", "MSFT", "GOOGL"]
COINS = ["BTC-USD", "ETH-USD"]
SPOT = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "AVAXUSDT", "DOTUSDT"]


@pytest.fixture(scope="session", params=["made", "real"])
def root(
    request: pytest.FixtureRequest,
    write_market: CandleWriter,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with both examples' candles; made ones have the weekends and holes of real ones."""
    if request.param == "real":
        real: Path = request.getfixturevalue("real_root")
        return real
    folder = tmp_path_factory.mktemp("examples")
    days = made(5, DAY_MS, "2021-09-01", 500)
    weekday = ((days.open_time // DAY_MS + 3) % 7) < 5
    holiday = np.arange(len(days)) % 61 == 9
    write_market(folder, "us", STOCKS, take(days, weekday & ~holiday, slice(0, 3)), "1d")
    write_market(folder, "yahoo", COINS, take(days, np.ones(500, bool), slice(3, 5)), "1d")
    hours = made(5, HOUR_MS, "2022-11-15", 2500)
    write_market(folder, "binance_spot", SPOT, hours, "1h")
    return folder


def made(symbols: int, interval_ms: int, start: str, n: int) -> BarBlock:
    first = int(np.datetime64(start, "ms").astype(np.int64))
    spec = Synthetic(symbols=symbols, bars=n, missing=0.002, volatility=0.01)
    return synthetic_bars(spec, interval_ms, first)


def take(bars: BarBlock, rows: Any, symbols: slice) -> BarBlock:
    kept = {
        name: getattr(bars, name)[rows][:, symbols]
        for name in ("open", "high", "low", "close", "volume")
    }
    return BarBlock.of_candles(bars.open_time[rows], **kept)


def backtest(cli: Cli, root: Path, run: Path, config: str, span: list[str], *sets: str) -> Any:
    said = cli(
        "backtest", "--config", ROOT / "configs" / config, "--data", root, *span, "--json",
        *(a for item in (*SMALL, *sets) for a in ("--set", item)), "--run-dir", run,
    )  # fmt: skip
    assert said.code == 0, said.err
    return said.json


def test_stocks_and_coins_on_daily_bars(cli: Cli, root: Path, tmp_path: Path) -> None:
    span = ["--from", "2022-06-01", "--to", "2022-12-31"]
    done = backtest(cli, root, tmp_path / "run", "stocks_and_crypto_daily.toml", span,
                    "data.history_start=2021-09-01")  # fmt: skip
    assert done["facts"]["periods_per_year"] == 365
    rows = {row["symbol"]: row for row in done["symbols"]}
    assert list(rows) == [*STOCKS, *(f"yahoo:{name}" for name in COINS)]
    assert rows["yahoo:BTC-USD"]["bars"] > 200
    assert rows["AAPL"]["bars"] < 155
    assert rows["AAPL"]["missing"] <= 2
    assert all(row["position"] >= 0.0 for row in rows.values())
    assert len(done["models"]) >= 2
    assert done["metrics"]["fills"] >= 5


def test_stocks_alone_have_252_periods_a_year(cli: Cli, root: Path, tmp_path: Path) -> None:
    span = ["--from", "2022-06-01", "--to", "2022-12-31", "--symbols", ",".join(STOCKS)]
    done = backtest(cli, root, tmp_path / "run", "stocks_and_crypto_daily.toml", span,
                    "data.history_start=2021-09-01", "training.min_rows=150")  # fmt: skip
    assert done["facts"]["periods_per_year"] == 252
    metrics, bars = done["metrics"], done["metrics"]["bars"]
    assert 140 <= bars <= 153
    grown = (1 + metrics["total_return"]) ** (252 / bars) - 1
    assert metrics["annualized_return"] == pytest.approx(grown)
    assert done["costs"]["funding"] == 0.0


def test_spot_pairs_on_hourly_bars(cli: Cli, root: Path, tmp_path: Path) -> None:
    span = ["--from", "2023-01-10", "--to", "2023-02-20"]
    done = backtest(cli, root, tmp_path / "run", "spot_hourly.toml", span,
                    "market.venue=binance_spot", "data.history_start=2022-11-15",
                    "signal.threshold=0.0001")  # fmt: skip
    assert done["facts"]["periods_per_year"] == 8760
    assert [row["symbol"] for row in done["symbols"]] == SPOT
    assert all(row["position"] >= 0.0 for row in done["symbols"])
    assert done["costs"]["funding"] == 0.0
    assert len(done["models"]) == 2
    notional = sum(row["turnover"] for row in done["symbols"])
    assert done["metrics"]["turnover"] == pytest.approx(notional)


@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "configs").glob("*.toml")))
def test_every_config_is_valid(cli: Cli, name: str) -> None:
    path = ROOT / "configs" / name
    said = cli("config", "check", "--config", path)
    assert said.code == 0, said.err
    assert load_config(path, environ={}).training.window_bars > 0
