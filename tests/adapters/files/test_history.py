from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.files.candle_files import write_candles
from bot.adapters.files.funding import Funding, write_funding
from bot.adapters.files.history import load_history, stream_history
from bot.blocks import BarBlock
from bot.config import Config, load_config
from bot.errors import ConfigError, DataError
from bot.timegrid import DAY_MS, HOUR_MS

START = 1_704_067_200_000  # 2024-01-01


def put(root: Path, stem: str, bars: list[int], step: int = HOUR_MS, price: float = 100.0) -> None:
    """Write the candles of the named bars; each bar's prices tell which bar it is."""
    close = price + np.array(bars, float)
    frame = pd.DataFrame({"timestamp": START + np.array(bars, np.int64) * step})
    frame = frame.assign(open=close, high=close + 1, low=close - 1, close=close, volume=1.0)
    folder = "mark" if stem.endswith("_mark") else "candles"
    write_candles(root / folder / f"{stem}.parquet", frame)


def settings_of(root: Path, *sets: str) -> Config:
    return load_config(None, [f"data.root={root}", *sets], {})


def assert_same(a: BarBlock, b: BarBlock) -> None:
    for field in fields(BarBlock):
        left, right = getattr(a, field.name), getattr(b, field.name)
        assert left.dtype == right.dtype, field.name
        assert left.tobytes() == right.tobytes(), field.name


def test_symbols_that_start_later_end_earlier_and_miss_bars(tmp_path: Path) -> None:
    put(tmp_path, "bybit_spot_A_1h", [0, 1, 2, 3, 5, 8])
    put(tmp_path, "bybit_spot_B_1h", [2, 3, 4])
    config = settings_of(tmp_path, "market.venue=bybit_spot", "market.symbols=A,B")
    history = load_history(config)
    bars = history.bars
    assert ((bars.open_time - START) // HOUR_MS).tolist() == list(range(9))
    assert np.flatnonzero(bars.valid[:, 0]).tolist() == [0, 1, 2, 3, 5, 8]
    assert np.flatnonzero(bars.valid[:, 1]).tolist() == [2, 3, 4]
    assert bars.close[5].tolist()[0] == 105.0
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(np.isnan(getattr(bars, name)), ~bars.valid)
    assert bars.in_session.all()
    assert not bars.funding_rate.any()
    assert [history.notes[s].missing for s in ("A", "B")] == [3, 0]
    assert [history.notes[s].bars for s in ("A", "B")] == [6, 3]
    assert history.start_ms is None
    assert history.end_ms is None


def test_the_end_is_inclusive_and_the_past_can_be_cut(tmp_path: Path) -> None:
    put(tmp_path, "bybit_spot_A_1h", list(range(100)))
    put(tmp_path, "bybit_spot_B_1h", list(range(60, 100)))
    names = ("market.venue=bybit_spot", "market.symbols=A,B")

    def hours(*sets: str) -> tuple[int, int]:
        times = load_history(settings_of(tmp_path, *names, *sets)).bars.open_time
        return int(times[0] - START) // HOUR_MS, int(times[-1] - START) // HOUR_MS

    assert hours("data.end=2024-01-02") == (0, 47)
    assert hours("data.end=2024-01-02T05:00", "data.history_start=2024-01-01T03:00") == (3, 29)
    history = load_history(settings_of(tmp_path, *names, "data.start=2024-01-02"))
    assert history.start_ms == START + DAY_MS
    assert len(history.bars) == 100
    assert load_history(settings_of(tmp_path, *names, "data.end=2024-01-02")).notes["B"].bars == 0
    with pytest.raises(DataError, match="no bar of A, B lies between"):
        hours("data.end=2023-01-01")
    with pytest.raises(ConfigError, match=r"data\.start .* is after data\.end"):
        hours("data.start=2024-01-05", "data.end=2024-01-02")


def test_sessions_make_the_grid(tmp_path: Path) -> None:
    put(tmp_path, "us_A_1d", [0, 1, 4, 5], DAY_MS)
    put(tmp_path, "us_B_1d", [0, 4, 5], DAY_MS)
    put(tmp_path, "yahoo_C-USD_1d", [4, 5, 6, 8], DAY_MS)
    names = ("market.venue=us", "market.interval=1d")
    history = load_history(settings_of(tmp_path, *names, "market.symbols=A,B"))
    assert ((history.bars.open_time - START) // DAY_MS).tolist() == [0, 1, 4, 5]
    assert history.bars.in_session.all()
    assert history.notes["B"].missing == 1
    history = load_history(settings_of(tmp_path, *names, "market.symbols=A,B,yahoo:C-USD"))
    assert ((history.bars.open_time - START) // DAY_MS).tolist() == [0, 1, 4, 5, 6, 8]
    assert history.bars.in_session.T.tolist() == [
        [True, True, True, True, False, False],
        [True, True, True, True, False, False],
        [True] * 6,
    ]
    assert [n.missing for n in history.notes.values()] == [0, 1, 0]


def test_funding_and_mark_sit_on_their_bars(tmp_path: Path) -> None:
    put(tmp_path, "bybit_linear_A_1h", list(range(6, 50)))
    put(tmp_path, "bybit_linear_A_1h_mark", [8, 9, 24], price=200.0)
    rates = Funding(
        START + np.array([0, 16, 24, 40], np.int64) * HOUR_MS, np.array([1, 2, 3, 4]) / 1e4
    )
    write_funding(tmp_path / "funding" / "bybit_linear_A_funding.parquet", rates)
    put(tmp_path, "bybit_linear_B_1h", list(range(20)))
    config = settings_of(tmp_path, "market.symbols=A,B")
    history = load_history(config)
    funding, mark = history.bars.funding_rate, history.bars.mark
    assert np.flatnonzero(funding[:, 0] > 0).tolist() == [0, 16, 24, 40]
    assert np.flatnonzero(np.isnan(funding[:, 0])).tolist() == [8, 32, 48]
    assert np.flatnonzero(np.isnan(funding[:, 1])).tolist() == [0, 8, 16]
    assert history.notes["A"].funding_unknown == 3
    assert {i: mark[i, 0] for i in np.flatnonzero(~np.isnan(mark[:, 0]))} == {
        8: 208.0, 9: 209.0, 24: 224.0
    }  # fmt: skip
    assert np.isnan(mark[:, 1]).all()
    bars = history.bars  # the files' candles reach one above and one below their open
    np.testing.assert_array_equal(bars.mark_high[:, 0], mark[:, 0] + 1.0)
    np.testing.assert_array_equal(bars.mark_low[:, 0], mark[:, 0] - 1.0)
    assert np.isnan(bars.mark_high[:, 1]).all()


def daily(root: Path, mark: str = "") -> BarBlock:
    """Days 0, 1 and 3 of a contract of 100, 101 and 103, with seven settlements of i basis points."""
    put(root, "bybit_linear_A_1d", [0, 1, 3], DAY_MS)
    times = START + np.arange(0, 56, 8, dtype=np.int64) * HOUR_MS
    rates = Funding(times, np.arange(1, 8, dtype=np.float64) * 1e-4)
    write_funding(root / "funding" / "bybit_linear_A_funding.parquet", rates)
    if mark:
        step, hours = (HOUR_MS, [0, 8, 16, 24, 32]) if mark == "1h" else (DAY_MS, [0, 1, 2, 3])
        put(root, f"bybit_linear_A_{mark}_mark", hours, step, price=200.0)
    return load_history(settings_of(root, "market.symbols=A", "market.interval=1d")).bars


@pytest.mark.parametrize(
    ("mark", "inside"),
    [
        ("", [100 * 5e-4, 101 * 11e-4, 0.0]),
        ("1d", [200 * 5e-4, 201 * 11e-4, 0.0]),
        ("1h", [208 * 2e-4 + 216 * 3e-4, 232 * 5e-4 + 224 * 6e-4, 0.0]),
    ],
)
def test_settlements_inside_a_day_are_charged_by_themselves(
    tmp_path: Path, mark: str, inside: list[float]
) -> None:
    bars = daily(tmp_path, mark)
    np.testing.assert_allclose(bars.funding_rate[:3, 0], [1e-4, 4e-4, 7e-4], rtol=1e-12)
    np.testing.assert_allclose(bars.funding_inside[:3, 0], inside, rtol=1e-12)
    # the file ends at the third day's open: two settlements of it and three of the fourth are due
    assert bars.funding_inside_unknown[:, 0].tolist() == [0.0, 0.0, 2.0, 2.0]
    assert np.isnan(bars.funding_rate[3, 0])
    known = {"": [], "1d": [0, 1, 2, 3], "1h": []}[mark]  # hours lack of every day
    assert np.flatnonzero(np.isfinite(bars.mark_high[:, 0])).tolist() == known


def test_on_a_missing_day_the_last_close_is_what_settlements_inside_know(tmp_path: Path) -> None:
    daily(tmp_path)
    times = START + np.arange(0, 96, 8, dtype=np.int64) * HOUR_MS
    write_funding(
        tmp_path / "funding" / "bybit_linear_A_funding.parquet", Funding(times, np.full(12, 1e-4))
    )
    config = settings_of(tmp_path, "market.symbols=A", "market.interval=1d")
    for bars in (
        load_history(config).bars,
        BarBlock.concat(list(stream_history(config, 1))),
    ):
        assert bars.valid[:, 0].tolist() == [True, True, False, True]
        np.testing.assert_allclose(
            bars.funding_inside[:, 0], [200e-4, 202e-4, 202e-4, 206e-4], rtol=1e-12
        )


@settings(max_examples=25, deadline=None)
@given(
    bars=st.lists(
        st.lists(st.integers(0, 60), min_size=1, unique=True).map(sorted), min_size=1, max_size=3
    ),
    venue=st.sampled_from(["bybit_linear", "us"]),
    rows=st.integers(1, 80),
    cut=st.sampled_from(["", "data.history_start=2024-01-01T07:00", "data.end=2024-01-02T09:00"]),
)
def test_streamed_is_bit_for_bit_what_is_loaded(
    tmp_path_factory: pytest.TempPathFactory,
    bars: list[list[int]],
    venue: str,
    rows: int,
    cut: str,
) -> None:
    root = tmp_path_factory.mktemp("streamed")
    for i, own in enumerate(bars):
        put(root, f"{venue}_S{i}_1h", own)
        put(root, f"{venue}_S{i}_1h_mark", own[::2])
    names = ",".join(f"S{i}" for i in range(len(bars)))
    sets = [f"market.venue={venue}", f"market.symbols={names}", *([cut] if cut else [])]
    config = settings_of(root, *sets)
    try:
        whole = load_history(config).bars
    except DataError:
        assert cut
        return
    blocks = list(stream_history(config, rows))
    assert all(len(block) <= rows for block in blocks)
    assert_same(BarBlock.concat(blocks), whole)


def test_bars_after_the_end_change_nothing_before_it(tmp_path: Path) -> None:
    put(tmp_path, "bybit_linear_A_1h", list(range(30)))
    put(tmp_path, "bybit_linear_B_1h", list(range(10, 40)))
    sets = ("market.symbols=A,B", "data.end=2024-01-01T20:00")
    before = load_history(settings_of(tmp_path, *sets)).bars
    put(tmp_path, "bybit_linear_A_1h", list(range(500)))
    put(tmp_path, "bybit_linear_B_1h", list(range(10, 21)))
    assert_same(load_history(settings_of(tmp_path, *sets)).bars, before)


def test_a_faulty_row_stops_the_stream_where_it_stands(tmp_path: Path) -> None:
    put(tmp_path, "bybit_spot_A_1h", list(range(10)))
    path = tmp_path / "candles" / "bybit_spot_A_1h.parquet"
    frame = pd.read_parquet(path)
    frame.loc[7, "low"] = 1e9
    frame.to_parquet(path)
    config = settings_of(tmp_path, "market.venue=bybit_spot", "market.symbols=A")
    with pytest.raises(DataError, match="row 8: low"):
        load_history(config)


@pytest.mark.parametrize(
    ("sets", "recorded", "real"),
    [
        (
            ["market.symbols=BTCUSDT,ETHUSDT,SOLUSDT", "data.end=2025-12-31"],
            (1700, [0, 27, 0]),
            (50_582, [0, 0, 0]),
        ),
        (
            ["market.venue=us", "market.interval=1d", "market.symbols=AAPL,MSFT,GOOGL"],
            (283, [0, 0, 0]),
            (3020, [0, 0, 0]),
        ),
    ],
)
def test_files_as_they_are_had_load_and_stream_alike(
    data_root: Path, sets: list[str], recorded: tuple[int, list[int]], real: tuple[int, list[int]]
) -> None:
    config = settings_of(data_root, *sets)
    history = load_history(config)
    counts = len(history.bars), [note.missing for note in history.notes.values()]
    assert counts == (recorded if data_root.parent.name == "fixtures" else real)
    assert_same(BarBlock.concat(list(stream_history(config, 700))), history.bars)
