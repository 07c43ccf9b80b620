"""The same job as it is often written: features by pandas, one torch batch, a loop over rows.

Rules: the features, network, decisions and costs are those of the default settings, one symbol; the
code takes nothing from the engine but the trained weights and the bars.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch

from scripts.benchmarks.trained import Trained


def equity_after(run: Trained) -> float:
    """Return the last equity after all bars."""
    frame = features(run)[list(run.pipeline.names)]
    ready = np.isfinite(frame.to_numpy()).all(axis=1)
    scaler, network = run.model.scaler, run.model.network()
    x = np.clip((frame.to_numpy() - scaler.feature_mean) / scaler.feature_std, -10.0, 10.0)
    with torch.inference_mode():
        out = network(torch.from_numpy(np.where(ready[:, None], x, 0.0)).float()).numpy()
    kinds = [task.kind for task in run.model.tasks]
    k, up = kinds.index("return"), kinds.index("direction")
    expected = out[:, k].astype(np.float64) * scaler.target_std[k] + scaler.target_mean[k]
    chance = 1.0 / (1.0 + np.exp(-out[:, up].astype(np.float64)))
    signal = expected * np.where(expected < 0.0, 1.0 - chance, chance)
    return _trade(run, np.where(ready, signal, np.nan))


def features(run: Trained) -> pd.DataFrame:
    """Return the default features of the one symbol, a column each."""
    bars, c = run.bars, run.config.features
    close, high, low, volume = (
        pd.Series(a[:, 0]) for a in (bars.close, bars.high, bars.low, bars.volume)
    )
    change, returns, mean = close.diff(), close.pct_change(), close.rolling(c.window).mean()
    gain = change.clip(lower=0.0).rolling(c.window).mean()
    loss = (-change).clip(lower=0.0).rolling(c.window).mean()
    times = pd.Series(pd.to_datetime(bars.open_time, unit="ms"))
    hour, weekday = times.dt.hour * (math.tau / 24), times.dt.weekday * (math.tau / 7)
    return pd.DataFrame({
        "return_1": returns,
        "return_5": close.pct_change(5),
        "return_10": close.pct_change(10),
        "sma_ratio": close / mean,
        "ema_ratio": close / close.ewm(span=c.window).mean(),
        "volatility": returns.rolling(c.window).std(),
        "momentum": close.pct_change(c.window),
        "rsi": 100.0 - 100.0 / (1.0 + gain / (loss + 1e-10)),
        "macd": (close.ewm(span=12).mean() - close.ewm(span=26).mean()) / close,
        "bb_position": (close - mean) / (2.0 * close.rolling(c.window).std() + 1e-10),
        "volume_ratio": np.log(volume / volume.rolling(c.window).mean()),
        "volume_change": np.log(volume / volume.shift()),
        "range": (high - low) / close,
        "close_location": ((close - low) / (high - low)).where(high > low, 0.5),
        "volatility_medium": returns.rolling(c.medium_window).std(),
        "volatility_long": returns.rolling(c.long_window).std(),
        "hour_sin": np.sin(hour),
        "hour_cos": np.cos(hour),
        "weekday_sin": np.sin(weekday),
        "weekday_cos": np.cos(weekday),
    })  # fmt: skip


def _trade(run: Trained, signal: np.ndarray) -> float:
    """Decide at each close, fill at the next open with half spread, slippage, fee and funding."""
    costs, threshold = run.config.costs, run.config.signal.threshold
    fee = float(run.engine.rules.taker_fee[0])
    cash, held, ordered = run.config.portfolio.initial_capital, 0.0, 0.0
    equity = cash
    bars = run.bars
    frame = pd.DataFrame({
        "open": bars.open[:, 0], "close": bars.close[:, 0], "mark": bars.mark[:, 0],
        "rate": bars.funding_rate[:, 0], "signal": signal,
    })  # fmt: skip
    for row in frame.itertuples():
        opened, close, mark, rate, wish = (float(v) for v in row[1:])
        cash -= held * mark * rate
        if ordered != 0.0:
            side = math.copysign(1.0, ordered)
            price = opened * (1.0 + side * costs.half_spread_bps * 1e-4)
            price *= 1.0 + side * costs.slippage_bps * 1e-4
            cash -= ordered * price + fee * abs(ordered) * price
            held, ordered = held + ordered, 0.0
        equity = cash + held * close
        if not math.isnan(wish):
            wanted = (wish > threshold) - (wish < -threshold)
            if wanted != (held > 0.0) - (held < 0.0):
                ordered = wanted * equity / close - held
    return equity
