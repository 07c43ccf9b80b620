from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.files.data_root import DataRoot
from bot.adapters.files.instruments import load_instruments, write_instruments
from bot.errors import DataError
from bot.portfolio.rules import Instrument


def test_instruments_are_read_back(tmp_path: Path) -> None:
    assert load_instruments(tmp_path, "bybit_spot") == {}
    wanted = {
        "BTCUSDT": Instrument(
            0.001, 0.001, 5.0, "BTC", "USDT", "USDT", "LinearPerpetual", "Trading"
        ),
        "ADAUSDT": Instrument(1.0, 1.0, 5.0),
    }
    write_instruments(DataRoot.at(tmp_path).instruments("bybit_spot"), wanted)
    assert load_instruments(tmp_path, "bybit_spot") == wanted


def test_a_file_of_the_first_version_has_no_currencies(tmp_path: Path) -> None:
    path = DataRoot.at(tmp_path).instruments("bybit_linear")
    path.parent.mkdir()
    path.write_text('{"A": {"quantity_step": 0.1, "min_quantity": 1.0, "min_notional": 5.0}}')
    assert load_instruments(tmp_path, "bybit_linear") == {"A": Instrument(0.1, 1.0, 5.0)}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"BTCUSDT": 1}',
        '{"BTCUSDT": {"quantity_step": 1, "min_quantity": 1, "min_notional": "x"}}',
        '{"BTCUSDT": {"quantity_step": 1}}',
        '{"BTCUSDT": {"quantity_step": -1, "min_quantity": 1, "min_notional": 1}}',
        '{"BTCUSDT": {"quantity_step": 1, "min_quantity": NaN, "min_notional": 1}}',
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = DataRoot.at(tmp_path).instruments("bybit_spot")
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DataError, match=r"bybit_spot\.json"):
        load_instruments(tmp_path, "bybit_spot")
