"""The same work by others: each takes a workload through all its bars and returns the last equity.

Rules: a rival runs in the quickest way its interface offers for these rules; none may skip a bar.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numba import njit

from bot.blocks import F64
from scripts.benchmarks.workload import Workload

Contestant = Callable[[Workload], float]
"""What takes a workload through all its bars and returns the last equity."""


def bare_loop(work: Workload) -> float:
    """Run a bare compiled loop for these very rules and nothing else, with equity a bar: the limit."""
    equity = np.empty(len(work))
    _loop(work.close, work.signal, work.threshold, work.weight, work.fee, work.capital, equity)
    return float(equity[-1])


@njit(cache=True)
def _loop(
    close: F64, signal: F64, threshold: float, weight: float, fee: float, cash: float, equity: F64
) -> None:
    quantity = 0.0
    position = 0
    for i in range(len(close)):
        wanted = 0
        if signal[i] > threshold:
            wanted = 1
        elif signal[i] < -threshold:
            wanted = -1
        worth = cash + quantity * close[i]
        if wanted != position:
            change = wanted * weight * worth / close[i] - quantity
            cost = fee * abs(change) * close[i]
            cash -= change * close[i] + cost
            quantity += change
            position = wanted
            worth -= cost
        equity[i] = worth


def python_loop(work: Workload) -> float:
    """Loop over lists in plain Python."""
    cash, quantity, position = work.capital, 0.0, 0
    equity = []
    for close, signal in zip(work.close.tolist(), work.signal.tolist(), strict=True):
        wanted = (signal > work.threshold) - (signal < -work.threshold)
        if wanted != position:
            target = wanted * work.weight * (cash + quantity * close) / close
            cash -= (target - quantity) * close + work.fee * abs(target - quantity) * close
            quantity, position = target, wanted
        equity.append(cash + quantity * close)
    return float(equity[-1])


def pandas_loop(work: Workload) -> float:
    """Loop over the rows of a DataFrame."""
    frame = pd.DataFrame({"close": work.close, "signal": work.signal})
    cash, quantity, position = work.capital, 0.0, 0
    equity = []
    for _, close, signal in frame.itertuples():
        wanted = (signal > work.threshold) - (signal < -work.threshold)
        if wanted != position:
            target = wanted * work.weight * (cash + quantity * close) / close
            cash -= (target - quantity) * close + work.fee * abs(target - quantity) * close
            quantity, position = target, wanted
        equity.append(cash + quantity * close)
    frame["equity"] = equity
    return float(frame["equity"].iloc[-1])


def vectorbt(work: Workload, engine: str, *, curve: bool) -> float:
    """Run vectorbt's Portfolio.from_orders, target percents where the position changes.

    Args:
        engine: "rust" or "numba".
        curve: ask for equity at every bar too, which our ledger has; else for the last only.
    """
    from vectorbt.portfolio.base import Portfolio

    portfolio: Any = Portfolio.from_orders(
        work.close,
        size=work.changed,
        size_type="targetpercent",
        fees=work.fee,
        init_cash=work.capital,
        freq="1h",
        engine=engine,
    )
    return float(np.asarray(portfolio.value())[-1] if curve else portfolio.final_value())


def backtesting_py(work: Workload) -> float:
    """Run backtesting.py, orders at the close; much cash makes its whole units small.

    It begins at its second bar and fills at the bar after, so the first and last bar stand twice.
    """
    from backtesting import Backtest, Strategy

    scale = 1e15 / work.capital  # whole units of an account of 1e15 are exact to about 1e-13
    position, weight = np.pad(work.position, 1, "edge"), work.weight

    class Follow(Strategy):
        def init(self) -> None:
            self.held = 0.0

        def next(self) -> None:
            wanted = position[len(self.data) - 1]
            if wanted != self.held:
                target = weight * wanted * self.equity / self.data.Close[-1]
                change = math.trunc(target) - self.position.size
                (self.buy if change > 0 else self.sell)(size=abs(change))
                self.held = wanted

    close = np.pad(work.close, 1, "edge")
    opened = np.concatenate([close[:1], close[:-1]])
    frame = pd.DataFrame(
        {
            "Open": opened,
            "High": np.maximum(opened, close),
            "Low": np.minimum(opened, close),
            "Close": close,
            "Volume": 1.0,
        },
        index=pd.date_range("2000-01-01", periods=len(close), freq="h"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the position that stays open at the end
        run = Backtest(
            frame, Follow, cash=work.capital * scale, commission=work.fee, trade_on_close=True
        )
        result: Any = run.run()
    return float(result["_equity_curve"]["Equity"].iloc[-1]) / scale
