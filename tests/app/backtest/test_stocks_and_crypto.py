"""A stock beside a coin on daily bars: one model, each in its own sessions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from bot.app.runs.results import read_run
from bot.app.verify.proof import verify
from bot.blocks import I64
from bot.features.targets import compute_targets
from bot.timegrid import DAY_MS

if TYPE_CHECKING:
    from tests.conftest import Ran, RunIt

FIRST = "2021-01-01"
DAYS = 900
HOLIDAYS = ("2022-05-30", "2022-07-04", "2022-12-26", "2023-01-02")
STOCK, COIN = 0, 1


def in_ms(day: str) -> int:
    return int(np.datetime64(day, "ms").astype(np.int64))


def weekday_of(time_ms: I64) -> I64:
    """Monday is 0; 1970-01-01 was a Thursday."""
    return (time_ms // DAY_MS + 3) % 7


def write_candles(path: Path, times: I64, seed: int) -> None:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(0.02 * rng.normal(size=len(times))))
    opened = np.concatenate(([100.0], close[:-1])) * np.exp(0.002 * rng.normal(size=len(times)))
    high = np.maximum(opened, close) * 1.002
    frame = pd.DataFrame({
        "timestamp": times, "open": opened, "high": high, "low": np.minimum(opened, close) * 0.998, "close": close,
        "volume": np.exp(rng.normal(size=len(times))),
    })  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)


@pytest.fixture(scope="module", params=["shared", "per_symbol"])
def mixed(
    request: pytest.FixtureRequest, run_it: RunIt, tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    root = tmp_path_factory.mktemp("data")
    days = np.arange(DAYS, dtype=np.int64) * DAY_MS + in_ms(FIRST)
    closed = [in_ms(day) for day in HOLIDAYS]
    open_days = days[(weekday_of(days) < 5) & ~np.isin(days, closed)]
    write_candles(root / "us_AAPL_1d.parquet", open_days, 1)
    write_candles(root / "bybit_linear_BTCUSDT_1d.parquet", days, 2)
    quick = [
        "data.source=files", f"data.root={root}", "market.interval=1d", "data.start=2022-01-01",
        "execution.max_participation=0",
        'market.symbols=["us:AAPL", "bybit_linear:BTCUSDT"]', "costs.funding=false",
        'features.names=["return_1", "sma_ratio", "volatility", "volume_ratio", "weekday_sin"]',
        "model.hidden=[8]", "model.head_hidden=4", "training.min_rows=200", "training.epochs=2",
        "training.window=expanding", "retrain.trigger=every_bars", "retrain.every_bars=200",
        "signal.threshold=0.0", "policy.kind=threshold", "training.return_loss=mse",
        "training.weights={}", "training.log_targets=false", "model.members=1", "model.dropout=0.1",
    ]  # fmt: skip
    return run_it(f"model.heads={request.param}", quick=quick)


def test_one_model_learns_from_both(mixed: Ran) -> None:
    manifests = mixed.manifests()
    assert len(manifests) >= 2
    bars = mixed.market.bars
    for manifest in manifests:
        assert manifest["symbols"] == ["us:AAPL", "bybit_linear:BTCUSDT"]
        due = int(np.searchsorted(bars.open_time, manifest["due_ms"]))
        coin_alone = int(bars.valid[: due + 1, COIN].sum())
        assert coin_alone < manifest["rows"] < coin_alone + int(bars.valid[: due + 1, STOCK].sum())


def test_the_stock_is_decided_on_and_filled_in_its_sessions_alone(mixed: Ran) -> None:
    run = read_run(mixed.folder)
    open_days = run.bars.valid[:, STOCK]
    assert not run.bars.in_session[~open_days, STOCK].any()
    assert run.bars.valid[:, COIN].all()
    assert run.forecast is not None
    assert np.isnan(run.forecast.value[~open_days, STOCK]).all()
    fills = run.fills[run.fills["symbol"] == STOCK]
    at = np.searchsorted(run.open_time, fills["open_time"])
    assert open_days[at].all()
    weekday = weekday_of(run.open_time)
    assert set(weekday[at].tolist()) <= {0, 1, 2, 3, 4}
    coin = run.fills[run.fills["symbol"] == COIN]
    filled = np.searchsorted(run.open_time, coin["open_time"])
    assert {5, 6} & set(weekday[filled].tolist())


def test_an_order_of_a_friday_is_filled_when_the_exchange_opens_again(mixed: Ran) -> None:
    run = read_run(mixed.folder)
    open_days = np.flatnonzero(run.bars.valid[:, STOCK])
    fills = run.fills[run.fills["symbol"] == STOCK]
    at = np.searchsorted(run.open_time, fills["open_time"])
    before = open_days[np.searchsorted(open_days, at) - 1]
    assert (at - before >= 3).any()  # over a weekend at least
    wanted = np.flatnonzero(np.diff(np.nan_to_num(run.weights[open_days, STOCK])) != 0.0) + 1
    follows = open_days[wanted[wanted + 1 < len(open_days)] + 1]
    assert np.isin(follows, at).all()


def test_horizons_count_the_sessions_of_the_symbol(mixed: Ran) -> None:
    bars = mixed.market.bars
    run = read_run(mixed.folder)
    assert run.forecast is not None
    tasks = run.forecast.tasks
    k = next(i for i, task in enumerate(tasks) if task.kind == "return")
    y, known = compute_targets(bars, tasks, mixed.config.features.window)
    horizon = tasks[k].horizon
    for symbol in (STOCK, COIN):
        own = np.flatnonzero(bars.valid[:, symbol])
        close = bars.close[own, symbol]
        expected = close[horizon:] / close[:-horizon] - 1.0
        assert np.allclose(y[own[:-horizon], symbol, k], expected)
        assert (known[own[:-horizon], symbol, k] == own[horizon:]).all()


def test_the_year_has_the_days_of_the_grid_and_the_run_is_proved(mixed: Ran) -> None:
    assert read_run(mixed.folder).periods_per_year == 365
    verdict = verify(mixed.folder)
    assert verdict.identical, verdict.difference
