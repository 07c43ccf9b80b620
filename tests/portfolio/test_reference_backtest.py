"""The reference backtest: the engine in that setting is the recurrence of the document."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bot.blocks import F64, I64, BarBlock
from bot.config import load_config
from bot.config.schema import Synthetic
from bot.portfolio.book import new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.conviction import signal_from
from bot.portfolio.ledger import check_books
from bot.portfolio.reasons import FillReason
from bot.portfolio.rules import Rules, rules_from
from bot.portfolio.trace import Phase, Trace
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import HOUR_MS

FEE = 0.001
CAPITAL = 10_000.0


def reference_rules() -> Rules:
    sets = [
        "costs.reference=true",
        "execution.fill=next_close",
        "signal.factor=probability",
        "market.venue=bybit_spot",
        "market.symbols=BTCUSDT",
        f"costs.taker_fee={FEE}",
    ]
    return rules_from(load_config(None, sets, {}), ["BTCUSDT"])


def recurrence(price: F64, signal: F64, threshold: float) -> list[float]:
    """Return C after each bar, from the formulas of the document."""
    capital, position, path = CAPITAL, 0, [CAPITAL]
    for i in range(len(price) - 1):
        new = 1 if signal[i] > threshold else -1 if signal[i] < -threshold else 0
        if new != position:
            capital *= 1 - FEE
        capital *= 1 + position * (price[i + 1] / price[i] - 1)
        path.append(capital)
        position = new
    return path


def run_reference(open_time: I64, price: F64, signal: F64) -> Trace:
    column = price[:, None]
    bars = BarBlock.of_candles(open_time, column, column, column, column, np.ones_like(column))
    book = new_book(1, CAPITAL)
    told = signal[:, None], np.full_like(column, np.nan)
    _, trace = run_bars(book, reference_rules(), bars, *told, Phase.BOTH)
    check_books(book, bars, trace)
    return trace


def signals(n: int, seed: int) -> F64:
    """Return forecasts of a made-up model that changes its mind every few bars."""
    rng = np.random.default_rng(seed)
    stay = np.maximum.accumulate(np.where(rng.random(n) < 0.05, np.arange(n), 0))
    expected = 0.01 * rng.standard_normal(n)[stay][:, None]
    p_up = rng.random(n)[stay][:, None]
    return signal_from(expected, p_up, "probability")[:, 0]


@pytest.fixture(params=["synthetic", "real"])
def long_history(request: pytest.FixtureRequest) -> tuple[I64, F64]:
    """Open times and closes of 50,000 hours."""
    if request.param == "synthetic":
        bars = synthetic_bars(Synthetic(symbols=1, bars=50_000), HOUR_MS)
        return bars.open_time, bars.close[:, 0].copy()
    path = request.getfixturevalue("real_root") / "candles" / "bybit_linear_BTCUSDT_1h.parquet"
    frame = pd.read_parquet(path, columns=["timestamp", "close"])[:50_000]
    return frame["timestamp"].to_numpy(np.int64).copy(), frame["close"].to_numpy(np.float64).copy()


def test_fifty_thousand_bars(long_history: tuple[I64, F64]) -> None:
    open_time, price = long_history
    assert len(price) == 50_000
    signal = signals(len(price), 3)
    trace = run_reference(open_time, price, signal)
    np.testing.assert_allclose(trace.equity, recurrence(price, signal, 0.001), rtol=1e-9)
    assert np.count_nonzero(trace.fees) > 1000


@pytest.mark.parametrize("seed", range(5))
def test_made_up_bars(seed: int) -> None:
    rng = np.random.default_rng(seed)
    price = 100.0 * np.exp(np.cumsum(0.02 * rng.standard_normal(2000)))
    signal = signals(2000, seed)
    trace = run_reference(np.arange(2000) * HOUR_MS, price, signal)
    np.testing.assert_allclose(trace.equity, recurrence(price, signal, 0.001), rtol=1e-9)


def test_a_flip_is_charged_once_and_a_rescale_is_free() -> None:
    price = np.array([100.0, 100.0, 80.0, 80.0])
    trace = run_reference(np.arange(4) * HOUR_MS, price, np.array([-0.01, -0.01, 0.01, 0.0]))
    reasons = trace.fills["reason"].tolist()
    assert reasons == [FillReason.SIGNAL, FillReason.RESCALE, FillReason.SIGNAL]
    c1 = CAPITAL * (1 - FEE)
    c2 = c1 * 1.2
    assert trace.equity.tolist() == pytest.approx([CAPITAL, c1, c2, c2 * (1 - FEE)], rel=1e-12)
    assert trace.fees.tolist() == pytest.approx([0.0, CAPITAL * FEE, 0.0, c2 * FEE], rel=1e-12)
    assert trace.fills["quantity"].sum() == pytest.approx(c2 * (1 - FEE) / 80.0)
    assert not trace.fills["spread"].any()
    assert not trace.fills["slippage"].any()


def test_a_short_ruined_by_a_doubling_stops() -> None:
    price = np.array([100.0, 100.0, 250.0, 100.0])
    trace = run_reference(np.arange(4) * HOUR_MS, price, np.full(4, -0.01))
    assert trace.equity[2] < 0.0
    assert trace.equity[3] == trace.equity[2]
    assert trace.quantity[2:].tolist() == [[0.0], [0.0]]
