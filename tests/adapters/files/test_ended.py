"""Data that end: where a symbol settles, at what, and that a hole is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.adapters.files.candle_files import write_candles
from bot.adapters.files.ended import settles_at
from bot.adapters.files.history import load_history, stream_history
from bot.blocks import BarBlock
from bot.config import Config, load_config
from bot.timegrid import DAY_MS, HOUR_MS

START = 1_704_067_200_000  # 2024-01-01


def put(root: Path, stem: str, bars: list[int], step: int = HOUR_MS) -> None:
    close = 100.0 + np.array(bars, float)
    frame = pd.DataFrame({"timestamp": START + np.array(bars, np.int64) * step})
    frame = frame.assign(open=close, high=close + 1, low=close - 1, close=close, volume=1.0)
    write_candles(root / "candles" / f"{stem}.parquet", frame)


def settings_of(root: Path, *sets: str) -> Config:
    return load_config(None, [f"data.root={root}", *sets], {})


def settled(bars: BarBlock, step: int = HOUR_MS) -> list[tuple[int, int, float]]:
    """Return bar, symbol and price of each settlement."""
    return [
        (int(bars.open_time[i] - START) // step, int(s), float(bars.settlement_price[i, s]))
        for i, s in zip(*np.nonzero(np.isfinite(bars.settlement_price)), strict=True)
    ]


def test_data_that_end_settle_at_the_last_close_once_so_many_bars_are_missing(
    tmp_path: Path,
) -> None:
    """The second has a hole of five bars and ends at bar 12; the third ends too late to be stale."""
    put(tmp_path, "bybit_spot_A_1h", list(range(20)))
    put(tmp_path, "bybit_spot_B_1h", [*range(3), *range(8, 13)])
    put(tmp_path, "bybit_spot_C_1h", list(range(18)))
    names = ("market.venue=bybit_spot", "market.symbols=A,B,C", "risk.max_stale_bars=3")
    config = settings_of(tmp_path, *names)
    bars = load_history(config).bars
    assert settled(bars) == [(15, 1, 112.0)]
    for rows in (1, 4, 16):
        cut = BarBlock.concat(list(stream_history(config, rows)))
        assert cut.settlement_price.tobytes() == bars.settlement_price.tobytes()
    assert (
        settled(load_history(settings_of(tmp_path, *names[:2], "risk.max_stale_bars=0")).bars) == []
    )


def test_where_the_block_ends_nothing_has_ended(tmp_path: Path) -> None:
    """Cut by data.end before B's last bar, nothing says that its data end."""
    put(tmp_path, "bybit_spot_A_1h", list(range(30)))
    put(tmp_path, "bybit_spot_B_1h", list(range(10)))
    names = ("market.venue=bybit_spot", "market.symbols=A,B", "risk.max_stale_bars=3")
    assert settled(load_history(settings_of(tmp_path, *names)).bars) == [(12, 1, 109.0)]
    early = settings_of(tmp_path, *names, "data.end=2024-01-01T08:00")
    assert settled(load_history(early).bars) == []


def test_bars_are_counted_in_session(tmp_path: Path) -> None:
    put(tmp_path, "us_A_1d", [0, 1, 4, 5, 6, 9], DAY_MS)
    put(tmp_path, "us_B_1d", [0, 1], DAY_MS)
    put(tmp_path, "yahoo_C-USD_1d", list(range(10)), DAY_MS)
    config = settings_of(
        tmp_path, "market.venue=us", "market.interval=1d", "market.symbols=A,B,yahoo:C-USD",
        "risk.max_stale_bars=2",
    )  # fmt: skip
    assert settled(load_history(config).bars, DAY_MS) == [(5, 1, 101.0)]


@pytest.mark.parametrize(
    ("stop", "stale", "expected"), [(24, 4, 14), (14, 4, None), (24, 0, None), (15, 4, 14)]
)
def test_the_bar_in_which_a_symbol_settles(stop: int, stale: int, expected: int | None) -> None:
    assert settles_at(10, stop, stale, 1, None) == expected
