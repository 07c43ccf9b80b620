from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.files.data_root import DataRoot
from bot.adapters.files.instruments import (
    instruments_text,
    load_instruments,
    write_instruments,
)
from bot.errors import DataError
from bot.portfolio.instruments import Instrument, Tier
from bot.portfolio.margin_tiers import BTCUSDT


def with_more(field: str) -> str:
    least = '"quantity_step": 1, "min_quantity": 1, "min_notional": 1'
    return f'{{"BTCUSDT": {{{least}, {field}}}}}'


def test_instruments_are_read_back(tmp_path: Path) -> None:
    assert load_instruments(tmp_path, "bybit_spot") == {}
    wanted = {
        "BTCUSDT": Instrument(
            0.001, 0.001, 5.0, "BTC", "USDT", "USDT", "LinearPerpetual", "Trading"
        ),
        "ADAUSDT": Instrument(1.0, 1.0, 5.0),
        "ETHUSDT": Instrument(
            0.01,
            0.01,
            5.0,
            tick_size=0.01,
            max_market_quantity=724.0,
            max_limit_quantity=7240.0,
            max_leverage=100.0,
            funding_interval_min=480,
            max_funding_rate=0.00375,
            min_funding_rate=-0.00375,
            launch_ms=1_615_766_400_000,
            delivery_ms=1_900_000_000_000,
            tiers=BTCUSDT,
        ),
    }
    write_instruments(DataRoot.at(tmp_path).instruments("bybit_spot"), wanted)
    found = load_instruments(tmp_path, "bybit_spot")
    assert found == wanted
    assert all(isinstance(tier, Tier) for tier in found["ETHUSDT"].tiers)
    assert instruments_text(found) == instruments_text(wanted)


def test_a_file_of_the_first_version_has_no_currencies(tmp_path: Path) -> None:
    path = DataRoot.at(tmp_path).instruments("bybit_linear")
    path.parent.mkdir()
    path.write_text('{"A": {"quantity_step": 0.1, "min_quantity": 1.0, "min_notional": 5.0}}')
    assert load_instruments(tmp_path, "bybit_linear") == {"A": Instrument(0.1, 1.0, 5.0)}


def test_a_file_of_the_second_version_has_no_margin(tmp_path: Path) -> None:
    path = DataRoot.at(tmp_path).instruments("bybit_linear")
    path.parent.mkdir()
    path.write_text(
        '{"A": {"quantity_step": 0.1, "min_quantity": 1, "min_notional": 5, "base": "A", "quote": '
        '"USDT", "settle": "USDT", "contract_type": "LinearPerpetual", "status": "Trading"}}'
    )
    assert load_instruments(tmp_path, "bybit_linear") == {
        "A": Instrument(0.1, 1.0, 5.0, "A", "USDT", "USDT", "LinearPerpetual", "Trading")
    }


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
        with_more('"tick_size": -1'),
        with_more('"tick_size": null'),
        with_more('"launch_ms": Infinity'),
        with_more('"launch_ms": 1.5'),
        with_more('"max_funding_rate": NaN'),
        with_more('"tiers": 5'),
        with_more('"tiers": [[1, 0.1, 0]]'),
        with_more('"tiers": [[1, 0.1, 0, 5], [1, 0.2, 0, 4]]'),
        with_more('"tiers": [[1, 0.1, 0, 0.5]]'),
        with_more('"of_a_newer_version": 1'),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = DataRoot.at(tmp_path).instruments("bybit_spot")
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DataError, match=r"bybit_spot\.json"):
        load_instruments(tmp_path, "bybit_spot")
