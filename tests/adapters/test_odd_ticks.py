"""Prices of any tick, and off it, however they are written: read to the very number, in files and answers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.bybit.answers import page_of_candles
from bot.adapters.bybit.frames import FrameReader, Reading, ticker_fields
from bot.adapters.bybit.instruments import instrument_of
from bot.adapters.exchange import Candle
from bot.adapters.files.candle_files import read_candles, write_candles
from bot.adapters.files.candles import Candles
from bot.adapters.files.tables import read_table
from bot.errors import DataError
from bot.timegrid import HOUR_MS

START = 1_735_689_600_000
TICKS = ["0.5", "1", "1e-8", "2.5e-6", "5"]
WRITTEN: list[Callable[[Decimal], str]] = [
    lambda d: f"{d:f}", lambda d: f"{d:E}", lambda d: f"{d:e}", lambda d: f"{d:.12f}",
    lambda d: f"+{d:E}", lambda d: f"{d:E}".replace("E-", "e-0"),
]  # fmt: skip


def prices_at(tick: str, off: bool) -> list[list[Decimal]]:
    """Return open, high, low and close of ten bars; off the tick by a third of it."""
    step = Decimal(tick)
    of = step / 4 if off else Decimal(0)
    return [
        [k * step + of for k in (n + 20, n + 23, n + 17, n + 21)]
        for n in (7 * i % 5 for i in range(10))
    ]


def as_rows(prices: list[list[Decimal]], form: Callable[[Decimal], str]) -> list[list[str]]:
    volume = Decimal("1234.5")
    return [
        [str(START + i * HOUR_MS), *map(form, row), form(volume)] for i, row in enumerate(prices)
    ]


NAMES = ["timestamp", "open", "high", "low", "close", "volume"]


def put(root: Path, ending: str, rows: list[list[str]]) -> Path:
    path = root / f"bybit_linear_AUSDT_1h{ending}"
    text = "\n".join(",".join(row) for row in [NAMES, *rows])
    objects = [dict(zip(NAMES, row, strict=True)) for row in rows]
    numbers = [[int(r[0]), *map(float, r[1:])] for r in rows]
    frame = pd.DataFrame(objects)
    if ending == ".csv":
        path.write_text(text)
    elif ending == ".csv.gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif ending == ".json":
        path.write_text(json.dumps(objects))
    elif ending == ".json.gz":
        path.write_bytes(gzip.compress(json.dumps(numbers).encode()))
    elif ending == ".parquet":
        frame.apply(pd.to_numeric).to_parquet(path)
    else:
        frame.to_feather(path)
    return path


@pytest.mark.parametrize("off", [False, True])
@pytest.mark.parametrize("tick", TICKS)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".json", ".json.gz", ".parquet", ".feather"])
def test_files_are_read_to_the_very_number(
    tmp_path: Path, ending: str, tick: str, *, off: bool
) -> None:
    prices = prices_at(tick, off)
    expected = np.array([[float(p) for p in row] for row in prices])
    for form in WRITTEN:
        path = put(tmp_path, ending, as_rows(prices, form))
        read = read_candles(path, "1h")
        np.testing.assert_array_equal(read.values[:, :4], expected)
        again = tmp_path / "again_bybit_linear_AUSDT_1h.parquet"
        frame = pd.DataFrame(read.values[:, :5], columns=NAMES[1:]).assign(timestamp=read.time)
        write_candles(again, frame)
        np.testing.assert_array_equal(read_candles(again, "1h").values[:, :4], expected)


@pytest.mark.parametrize("tick", TICKS)
@pytest.mark.parametrize("kind", [str, Decimal])
def test_texts_and_decimals_in_parquet_are_for_the_import(
    tmp_path: Path, tick: str, kind: Callable[[Decimal], object]
) -> None:
    prices = prices_at(tick, off=True)
    path = tmp_path / "bybit_linear_AUSDT_1h.parquet"
    frame = pd.DataFrame(prices, columns=NAMES[1:5]).map(kind).assign(volume=1.0)
    frame.assign(timestamp=START + HOUR_MS * np.arange(len(prices))).to_parquet(path)
    with pytest.raises(DataError, match=r"open is .*'bot import' makes numbers"):
        read_candles(path, "1h")
    found = read_table(path).numbers("open").tolist()
    assert found == [float(row[0]) for row in prices]


@settings(max_examples=200, deadline=None)
@given(
    tick=st.sampled_from(TICKS), count=st.integers(1, 10**7), off=st.booleans(),
    form=st.sampled_from(WRITTEN[:-1]),
)  # fmt: skip
def test_answers_are_read_to_the_very_number(
    tick: str, count: int, form: Callable[[Decimal], str], *, off: bool
) -> None:
    price = Decimal(tick) * count + (Decimal(tick) / 4 if off else 0)
    text, value = form(price), float(price)
    row = [str(START), *[text] * 4, "1e3", text]
    page = page_of_candles([row], 7, START, START, "here")
    assert isinstance(page, Candles)
    assert page.values[0].tolist() == [*[value] * 4, 1000.0, value]
    quote = {"bid1Price": text, "ask1Price": text, "markPrice": text, "fundingRate": "-1.25E-5"}
    assert ticker_fields(quote) == {
        "bid": value, "ask": value, "mark": value, "funding_rate": -1.25e-5,
    }  # fmt: skip
    candle = {
        "start": START, "end": START + HOUR_MS - 1, "interval": "60", "confirm": True,
        **dict.fromkeys(("open", "high", "low", "close", "turnover"), text), "volume": "1E+3",
    }  # fmt: skip
    frame = json.dumps({"topic": "kline.60.A", "ts": START + HOUR_MS, "data": [candle]})
    reading = FrameReader({"A": "A"}, "60", HOUR_MS).read(frame, START + HOUR_MS)
    assert isinstance(reading, Reading)
    (told,) = reading.events
    assert isinstance(told, Candle)
    assert (told.open, told.high, told.low, told.close, told.volume) == (*[value] * 4, 1000.0)


@pytest.mark.parametrize("tick", TICKS)
@pytest.mark.parametrize("form", WRITTEN[:-1])
def test_steps_of_quantity_are_read_to_the_very_number(
    tick: str, form: Callable[[Decimal], str]
) -> None:
    text = form(Decimal(tick))
    entry = {
        "symbol": "A", "priceFilter": {"tickSize": text},
        "lotSizeFilter": {"qtyStep": text, "minOrderQty": text, "minNotionalValue": text},
    }  # fmt: skip
    known = instrument_of(entry)
    assert {known.quantity_step, known.min_quantity, known.min_notional} == {float(tick)}
