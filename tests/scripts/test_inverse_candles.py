"""Linear candles under inverse names: the prices stay, what is traded is told the other way round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from scripts.inverse_candles import make_inverse
from tests.conftest import FIXTURES


def test_prices_stay_and_what_is_traded_is_in_dollars(tmp_path: Path) -> None:
    data = FIXTURES / "data"
    symbols = [
        path.name.split("_")[2] for path in (data / "candles").glob("bybit_linear_*_1h.parquet")
    ]
    assert symbols
    make_inverse(data, tmp_path, symbols, "1h")
    for symbol in symbols:
        before = pd.read_parquet(data / "candles" / f"bybit_linear_{symbol}_1h.parquet")
        name = f"bybit_inverse_{symbol.removesuffix('T')}"
        after = pd.read_parquet(tmp_path / "candles" / f"{name}_1h.parquet")
        prices = ["timestamp", "open", "high", "low", "close"]
        pd.testing.assert_frame_equal(after[prices], before[prices])
        np.testing.assert_array_equal(after["turnover"], before["volume"])
        at_mean = after["volume"] / after["turnover"]
        traded = (before["volume"] > 0).to_numpy()
        assert (at_mean[traded] <= before["high"][traded] * 1.01).all()
        assert (at_mean[traded] >= before["low"][traded] * 0.99).all()
    assert [path.name for path in sorted((tmp_path / "funding").iterdir())] == sorted(
        path.name.replace("linear", "inverse").replace("USDT", "USD")
        for path in (data / "funding").glob("bybit_linear_*")
        if path.name.split("_")[2] in symbols
    )
