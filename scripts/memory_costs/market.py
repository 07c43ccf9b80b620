"""Candle files of a synthetic market, written a chunk of bars at a time."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bot.adapters.files.candle_files import GROUP_ROWS
from bot.app.backtest.bar_source import begun_anew
from bot.config.schema import Synthetic
from bot.practice.synthetic import SyntheticMarket, column
from bot.timegrid import INTERVAL_MS

HELD = 2**20
"""Symbol-bars that are held while files are written in groups of rows, as the bot writes them."""

PRICES = ("open", "high", "low", "close", "volume", "turnover")


def write_market(root: Path, n_symbols: int, n_bars: int, interval: str) -> tuple[str, ...]:
    """Write a file for each symbol into root/candles, and return the symbols."""
    calm = 0.006 if INTERVAL_MS[interval] >= INTERVAL_MS["1h"] else 0.0005
    spec = Synthetic(symbols=n_symbols, bars=n_bars, volatility=calm)
    market = SyntheticMarket(spec, INTERVAL_MS[interval])
    schema = pa.schema([("timestamp", pa.int64()), *((name, pa.float64()) for name in PRICES)])
    folder = root / "candles"
    folder.mkdir(parents=True)
    names = [f"bybit_linear_{symbol}_{interval}.parquet" for symbol in market.symbols]
    writers = [pq.ParquetWriter(folder / name, schema) for name in names]
    rows = min(GROUP_ROWS, HELD // n_symbols)
    for block in begun_anew(market.blocks(), rows, 0):
        for s, writer in enumerate(writers):
            one = column(block, s)
            columns = {name: getattr(one, name)[:, 0] for name in PRICES}
            writer.write_table(pa.table({"timestamp": one.open_time, **columns}, schema=schema))
    for writer in writers:
        writer.close()
    return market.symbols
