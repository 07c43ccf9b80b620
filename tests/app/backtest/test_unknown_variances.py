"""Shorter candles that lack, or are of another price: told, and refused where there are no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot.adapters.files.candle_files import write_candles
from bot.app.backtest.preparing import check_known, read_market
from bot.app.runs.sentences import sentence
from bot.app.runs.unknown_variances import tell_unknown_variances
from bot.config import Config, load_config
from bot.errors import DataError
from bot.timegrid import HOUR_MS

START = 1_704_067_200_000
HOURS, STEP = 30, HOUR_MS // 4


def market(folder: Path, *, scale: float = 1.0, first: int = 0) -> Config:
    """Write candles of an hour, and of 15 minutes times `scale` from an hour on."""
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 2e-3, 4 * HOURS)))
    opened = np.concatenate([[100.0], close[:-1]])
    finer = pd.DataFrame({
        "timestamp": START + STEP * np.arange(4 * HOURS), "open": opened,
        "high": np.maximum(opened, close), "low": np.minimum(opened, close), "close": close,
        "volume": 1.0,
    })  # fmt: skip
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    bars = finer.groupby(finer.timestamp // HOUR_MS * HOUR_MS).agg(how)
    prices = ["open", "high", "low", "close"]
    finer[prices] *= scale
    write_candles(
        folder / "candles" / "bybit_spot_A_1h.parquet", bars.rename_axis("timestamp").reset_index()
    )
    write_candles(folder / "candles" / "bybit_spot_A_15m.parquet", finer[4 * first :])
    return load_config(
        None,
        [f"data.root={folder}", "market.venue=bybit_spot", "market.symbols=A", "market.quote=USDT",
         "market.finer_interval=15m"],
        {},
    )  # fmt: skip


class Heard:
    """A log that keeps its warnings."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.events.append({"event": event, "level": "warning"} | fields)


def told(config: Config) -> list[dict[str, Any]]:
    found, log = read_market(config), Heard()
    check_known(config, found)
    tell_unknown_variances(log, config, found.symbols, found.bars)
    return log.events


def test_bars_before_the_first_shorter_candle_are_told(tmp_path: Path) -> None:
    (event,) = told(market(tmp_path, first=7))
    assert [event["event"], event["bars"], event["unknown"]] == ["variance_unknown", 30, {"A": 7}]
    assert "A 7 bars" in sentence(event)


def test_where_all_are_known_nothing_is_told(tmp_path: Path) -> None:
    assert told(market(tmp_path)) == []


def test_candles_of_another_price_alone_are_refused(tmp_path: Path) -> None:
    config = market(tmp_path, scale=100.0)
    with pytest.raises(DataError, match=r"^A: no bar has 15m candles inside it at its prices"):
        check_known(config, read_market(config))
