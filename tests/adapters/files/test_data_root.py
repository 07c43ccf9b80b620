from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.files.data_root import DataRoot, Series
from bot.errors import DataError
from bot.timegrid import INTERVAL_MS

BTC = Series("bybit_linear", "BTCUSDT", "1h")


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@given(
    st.from_regex(r"[a-z0-9]+(_[a-z0-9]+)*", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9.\-]+", fullmatch=True),
    st.sampled_from(sorted(INTERVAL_MS)),
)
def test_a_name_is_read_back(venue: str, symbol: str, interval: str) -> None:
    series = Series(venue, symbol, interval)
    assert Series.parse(series.stem) == series


@pytest.mark.parametrize(
    "stem", ["bybit_linear_ADAUSDT_5m_earlier", "BTCUSDT_1h", "bybit_BTCUSDT_7h", "notes"]
)
def test_other_files_are_left_alone(stem: str) -> None:
    assert Series.parse(stem) is None


@pytest.mark.parametrize("folder", ["candles", ".", "stocks"])
def test_a_root_is_found_from_above(tmp_path: Path, folder: str) -> None:
    path = touch(tmp_path / folder / f"{BTC.stem}.parquet")
    assert DataRoot.at(tmp_path).find_candles(BTC).resolve() == path.resolve()


def test_the_others_lie_beside_the_candles_folder(tmp_path: Path) -> None:
    candles = touch(tmp_path / "candles" / f"{BTC.stem}.parquet").parent
    mark = touch(tmp_path / "mark" / f"{BTC.stem}_mark.csv")
    funding = touch(tmp_path / "funding" / "bybit_linear_BTCUSDT_funding.parquet")
    for root in (tmp_path, candles):
        where = DataRoot.at(root)
        assert where.find_mark(BTC) == (mark, "1h")
        assert where.find_funding("bybit_linear", "BTCUSDT") == funding
        assert where.instruments("bybit_linear").parent == tmp_path / "instruments"
        assert where.find_mark(Series("bybit_linear", "BTCUSDT", "15m")) == (mark, "1h")
        assert where.find_mark(Series("bybit_linear", "ETHUSDT", "1h")) is None
        assert where.find_funding("bybit_spot", "BTCUSDT") is None


def test_new_files_go_where_they_will_be_found(tmp_path: Path) -> None:
    eth = Series("bybit_linear", "ETHUSDT", "1h")
    fresh = tmp_path / "data"
    assert DataRoot.at(fresh).candles_to_write(eth) == fresh / "candles" / f"{eth.stem}.parquet"
    flat = touch(tmp_path / "flat" / f"{BTC.stem}.csv").parent
    assert DataRoot.at(flat).candles_to_write(eth) == flat / f"{eth.stem}.parquet"
    assert DataRoot.at(flat).candles_to_write(BTC) == flat / f"{BTC.stem}.csv"


def test_the_same_candles_twice_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "candles" / f"{BTC.stem}.parquet")
    touch(tmp_path / "backup" / f"{BTC.stem}.csv")
    with pytest.raises(DataError, match=r"hold the same candles; remove one"):
        DataRoot.at(tmp_path).find_candles(BTC)
    for suffix in (".csv", ".parquet"):
        touch(tmp_path / "mark" / f"{BTC.stem}_mark{suffix}")
    with pytest.raises(DataError, match="hold the same series"):
        DataRoot.at(tmp_path).find_mark(BTC)


def test_a_missing_file_is_answered_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        DataRoot.at(tmp_path / "nowhere").find_candles(BTC)
    with pytest.raises(DataError, match="'bot fetch' downloads them"):
        DataRoot.at(tmp_path).find_candles(BTC)
    touch(tmp_path / "candles" / f"{BTC.stem}.parquet")
    touch(tmp_path / "candles" / "bybit_linear_ETHUSDT_1d.parquet")
    with pytest.raises(
        DataError, match=r"did you mean bybit_linear_BTCUSDT_1h.*There is .*BTCUSDT"
    ):
        DataRoot.at(tmp_path).find_candles(Series("bybit_linear", "BTCUSD", "1h"))
    with pytest.raises(DataError, match="of this symbol there is bybit_linear 1d"):
        DataRoot.at(tmp_path).find_candles(Series("bybit_linear", "ETHUSDT", "1h"))
