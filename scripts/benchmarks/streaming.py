"""Streaming from files: time and memory as the number of bars grows.

Rules: the files are written by a process of their own, read by another that holds one batch at a
time; what is timed includes the reading.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from bot.adapters.files.history import stream_history
from bot.app.symbols import traded_symbols
from bot.blocks import F64, BarBlock
from bot.config import load_config
from bot.model.threads import single_thread
from bot.practice.synthetic import SyntheticMarket
from bot.timegrid import INTERVAL_MS
from scripts.benchmarks.measuring import Row, peak_mib, run_case
from scripts.benchmarks.trained import SETTINGS, Trained

N_SYMBOLS = 5
PRICES = ("open", "high", "low", "close", "volume", "turnover")


def streamed(quick: bool) -> list[Row]:
    """Measure 10⁵, 10⁶ and 10⁷ symbol-bars from Parquet files."""
    sizes = (10**5,) if quick else (10**5, 10**6, 10**7)
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        run_case("streaming:write", {"folder": folder, "n_bars": sizes[-1] // N_SYMBOLS})
        for size in sizes:
            rows += run_case("streaming:read", {"folder": folder, "n_bars": size // N_SYMBOLS})
    return rows


def write(folder: str, n_bars: int) -> list[Row]:
    """Write a synthetic market as candle files, a batch at a time."""
    run = Trained(N_SYMBOLS, n_bars)
    interval = run.config.market.interval
    market = SyntheticMarket(run.config.synthetic, INTERVAL_MS[interval])
    schema = pa.schema([("timestamp", pa.int64()), *((name, pa.float64()) for name in PRICES)])
    names = [f"bybit_linear_{s}_{interval}.parquet" for s in traded_symbols(run.config)]
    root = Path(folder) / "candles"
    root.mkdir()
    writers = [pq.ParquetWriter(root / name, schema) for name in names]
    for block in market.blocks():
        for s, writer in enumerate(writers):
            writer.write_table(pa.table(_columns(block, s), schema=schema))
    for writer in writers:
        writer.close()
    return []


def read(folder: str, n_bars: int) -> list[Row]:
    """Stream the first bars of the files through features, model and ledger."""
    single_thread()
    run = Trained(N_SYMBOLS, n_bars)
    Trained(N_SYMBOLS, 2 * run.config.run.block_bars).run()  # loads what is compiled
    runner = run.runner()
    sets = [
        *(s for s in SETTINGS if not s.startswith("data.")),
        f"data.root={folder}",
        f"market.symbols={','.join(traded_symbols(run.config))}",
    ]
    config = load_config(None, sets, environ={})
    started, seen = time.perf_counter(), 0
    for block in stream_history(config, config.run.block_bars):
        part = block.rows(0, min(len(block), n_bars - seen))
        runner.step(part)
        seen += len(part)
        if seen == n_bars:
            break
    seconds, cells = time.perf_counter() - started, n_bars * N_SYMBOLS
    case = f"all, streamed from files, {cells:,} symbol-bars"
    note = f"{1e6 * seconds / cells:.2f} µs a symbol-bar"
    return [
        Row(case, cells / seconds, "symbol-bars/s", note=note),
        Row(f"{case}: peak memory", peak_mib(), "MiB", 1024, False, "flat: one batch is held"),
    ]


def _columns(block: BarBlock, symbol: int) -> dict[str, F64]:
    columns = {name: getattr(block, name)[:, symbol] for name in PRICES}
    return {"timestamp": block.open_time, **columns}
