"""A small market with a ledger kept bar by bar in plain Python, to be reported on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from bot.blocks import F64, FILL, BarBlock, Forecast, Task
from bot.config.schema import Report
from bot.report.inputs import ModelInfo, RunData
from bot.report.skill.baselines import Head
from bot.report.skill.rivals import Rivals

HOUR_MS = 3_600_000
START_MS = 1_672_531_200_000
HORIZON = 3
KINDS = ("return", "direction", "volatility", "volume")


@dataclass
class Market:
    """Closes, opens and what is known of them."""

    bars: BarBlock
    close: F64


def market(n: int, n_symbols: int, seed: int, missing: float = 0.02) -> Market:
    random = np.random.default_rng(seed)
    moves = 0.01 * random.standard_normal((n, n_symbols))
    close = 100.0 * np.exp(np.cumsum(moves, axis=0))
    opened = np.vstack((close[:1], close[:-1])) * (
        1.0 + 0.0005 * random.standard_normal(close.shape)
    )
    valid = random.random(close.shape) >= missing
    valid[0] = True
    volume = np.exp(random.standard_normal(close.shape))
    rate = np.zeros(close.shape)
    rate[::8] = 0.0003 * random.standard_normal(rate[::8].shape)

    def known(values: F64) -> F64:
        return np.where(valid, values, np.nan)

    bars = BarBlock.of_candles(
        START_MS + HOUR_MS * np.arange(n, dtype=np.int64),
        known(opened),
        known(np.maximum(opened, close)),
        known(np.minimum(opened, close)),
        known(close),
        known(volume),
        valid=valid,
        funding_rate=rate,
    )
    return Market(bars, close)


def make_run(
    n: int = 400,
    n_symbols: int = 3,
    seed: int = 1,
    start: int = 100,
    *,
    fixed: bool = False,
    **changes: Any,
) -> RunData:
    """Trade random sides at the next open, and book everything bar by bar.

    With `fixed` nothing is missing, and a position keeps its quantity until its side changes.
    """
    made = market(n, n_symbols, seed, missing=0.0 if fixed else 0.02)
    random = np.random.default_rng(seed + 1)
    fee, half_spread, slippage, capital = 0.001, 0.0002, 0.0001, 10_000.0
    quantity = np.zeros((n, n_symbols))
    books = {k: np.zeros(n) for k in ("equity", "cash", "fees", "funding", "spread", "slippage")}
    weights, held, cash = np.zeros((n, n_symbols)), np.zeros(n_symbols), capital
    mark = np.array(made.bars.open[0])
    fills: list[tuple[float, ...]] = []
    wanted = held.copy()
    for i in range(n):
        for s in range(n_symbols):
            valid = bool(made.bars.valid[i, s])
            opened = float(made.bars.open[i, s]) if valid else float(mark[s])
            paid = held[s] * opened * float(made.bars.funding_rate[i, s])
            cash -= paid
            books["funding"][i] += paid
            if not valid:
                continue
            size = float(wanted[s] - held[s])
            if size != 0.0:
                price = opened * (1.0 + np.sign(size) * (half_spread + slippage))
                costs = [abs(size) * price * fee]
                costs += [abs(size) * opened * part for part in (half_spread, slippage)]
                cash -= size * price + costs[0]
                held[s] = wanted[s]
                for name, cost in zip(("fees", "spread", "slippage"), costs, strict=True):
                    books[name][i] += cost
                fills.append((made.bars.open_time[i], s, size, price, *costs, 0))
            mark[s] = made.bars.close[i, s]
        quantity[i] = held
        books["cash"][i] = cash
        books["equity"][i] = cash + float(held @ mark)
        if i >= start - 1:
            move = random.random(n_symbols) < 0.3
            side = random.integers(-1, 2, n_symbols)
            if fixed:
                move &= side != np.sign(held)
            target = side * books["equity"][i] / n_symbols / mark
            wanted = np.where(move, target, held)
            weights[i] = wanted * mark / books["equity"][i]
    forecast, labels, models = _heads(made, start, seed)
    fields: dict[str, Any] = {
        "name": "small",
        "symbols": tuple(f"S{s}USDT" for s in range(n_symbols)),
        "venues": ("bybit_linear",) * n_symbols,
        "interval": "1h",
        "interval_ms": HOUR_MS,
        "periods_per_year": 8760.0,
        "volume_window": 20,
        "initial_capital": capital,
        "fill": "next_open",
        "taker_fee": np.full(n_symbols, fee),
        "pays_funding": np.ones(n_symbols, dtype=np.bool_),
        "allow_short": np.ones(n_symbols, dtype=np.bool_),
        "fraction": 1.0 / n_symbols,
        "horizon": HORIZON,
        "seed": 7,
        "half_spread_bps": 2.0,
        "slippage_bps": 1.0,
        "bars": made.bars,
        "start_index": start,
        "quantity": quantity,
        "weights": weights,
        "signal": np.sign(weights) * 0.001,
        "fills": np.array(fills, dtype=FILL),
        "fill_reasons": {0: "signal"},
        "forecast": forecast,
        "labels": labels,
        "models": models,
        "facts": {"seconds": 1.5},
    }
    return RunData(**{**fields, **books, **changes})


def _heads(made: Market, start: int, seed: int) -> tuple[Forecast, F64, tuple[ModelInfo, ...]]:
    """Two models from before the start on; forecasts are labels in a lot of noise."""
    random = np.random.default_rng(seed + 4)
    close, time = made.close, made.bars.open_time
    n, n_symbols = close.shape
    labels = np.full((n, n_symbols, 4), np.nan)
    returns = np.zeros_like(close)
    returns[1:] = close[1:] / close[:-1] - 1.0
    for t in range(n - HORIZON):
        ahead = slice(t + 1, t + HORIZON + 1)
        labels[t, :, 0] = close[t + HORIZON] / close[t] - 1.0
        labels[t, :, 2] = returns[ahead].std(axis=0, ddof=1)
        labels[t, :, 3] = 0.3 * random.standard_normal(n_symbols) + np.sin(t % 24)
    labels[:, :, 1] = np.where(np.isnan(labels[:, :, 0]), np.nan, labels[:, :, 0] > 0.0)
    labels[~made.bars.valid] = np.nan
    noise = random.standard_normal(labels.shape)
    value = np.nan_to_num(labels) * 0.3 + 0.01 * noise
    value[:, :, 1] = np.clip(0.5 + 0.1 * noise[:, :, 1], 0.01, 0.99)
    value[:, :, 2] = np.abs(value[:, :, 2]) + 0.004
    dues = (start - 10, start + (n - start) // 2)
    model = np.full(n, -1, dtype=np.int64)
    models = []
    for m, due in enumerate(dues):
        model[due + 1 :] = m
        models.append(
            ModelInfo(
                f"m{m}",
                due_ms=int(time[due]),
                effective_from_ms=int(time[due + 1]),
                rows=due,
                train_from_ms=int(time[0]),
                train_to_ms=int(time[due]),
                metrics={"loss": 1.0},
            )
        )
    value[model < 0] = np.nan
    value[~made.bars.valid] = np.nan
    tasks = tuple(Task(kind, HORIZON) for kind in KINDS)
    return Forecast(tasks, value, model), labels, tuple(models)


EVERY = Report().baselines
"""The baselines that are the default."""


@dataclass
class PlainVolatility:
    """What EWMA says as a deviation and as a variance, and the model's variances."""

    deviation: F64
    variance: F64
    model_variance: F64


def plain_volatility(run: RunData, head: Head) -> PlainVolatility:
    """Return what a volatility head is held against where no other baseline is named."""
    against = Rivals(()).of(run, head)
    return PlainVolatility(against.deviation, against.plain, against.model_variance(run, head))


@pytest.fixture(scope="session")
def run() -> RunData:
    return make_run()


@pytest.fixture(scope="session")
def run_maker() -> Any:
    return make_run
