"""Volumes and turnovers of inverse contracts: Bybit's are taken, those of a linear contract are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.adapters.files.candle_files import write_candles
from bot.app.backtest.contract_units import check_contract_units
from bot.app.backtest.preparing import read_market
from bot.blocks import BarBlock
from bot.config import load_config
from bot.config.schema import Synthetic
from bot.errors import DataError
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import HOUR_MS

BOTH = np.array([True, True])


@pytest.fixture
def bars() -> BarBlock:
    return synthetic_bars(Synthetic(symbols=2, bars=200, seed=3), HOUR_MS, inverse=True)


def test_contracts_and_coins_are_taken_and_unknown_turnovers_too(bars: BarBlock) -> None:
    check_contract_units(("A", "B"), bars, BOTH)
    unknown = np.full_like(bars.turnover, np.nan)
    check_contract_units(("A", "B"), replace(bars, volume=bars.turnover, turnover=unknown), BOTH)
    check_contract_units(("A", "B"), replace(bars, volume=bars.turnover), None)


def test_exchanged_columns_are_refused_by_name(bars: BarBlock) -> None:
    volume, turnover = bars.volume.copy(), bars.turnover.copy()
    volume[:, 1], turnover[:, 1] = bars.turnover[:, 1], bars.volume[:, 1]
    odd = replace(bars, volume=volume, turnover=turnover)
    with pytest.raises(DataError, match=r"^B: the volume of an inverse contract") as told:
        check_contract_units(("A", "B"), odd, BOTH)
    assert len(str(told.value).splitlines()) == 1
    check_contract_units(("A", "B"), odd, np.array([True, False]))


@pytest.mark.parametrize("exchanged", [False, True])
def test_a_backtest_reads_them_so(bars: BarBlock, tmp_path: Path, exchanged: bool) -> None:
    names = ("open", "high", "low", "close", "volume", "turnover")
    frame = pd.DataFrame({name: getattr(bars, name)[:, 0] for name in names})
    frame.insert(0, "timestamp", bars.open_time)
    if exchanged:
        frame[["volume", "turnover"]] = frame[["turnover", "volume"]].to_numpy()
    write_candles(tmp_path / "candles" / "bybit_inverse_BTCUSD_1h.parquet", frame)
    config = load_config(
        None, [f"data.root={tmp_path}", "market.venue=bybit_inverse", "market.symbols=BTCUSD"], {}
    )
    if exchanged:
        with pytest.raises(DataError, match="exchange the two columns"):
            read_market(config)
    else:
        assert len(read_market(config).bars) == 200
