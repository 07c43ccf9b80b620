"""Runs at the edge of what the settings allow: each ends well and can be reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.app.backtest.command import as_json, as_tables, write_report
from bot.config.schema import Synthetic
from bot.errors import DataError
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import CandleWriter, RunIt

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached


@pytest.mark.parametrize(
    "sets",
    [
        ["synthetic.symbols=1"],
        ["targets.kinds=return,direction", "targets.horizons=1", "model.batch_norm=false"],
        ["sizing.method=proportional", "training.weighting=uncertainty", "sizing.scale=5"],
        ["risk.max_daily_loss=0.001", "risk.max_drawdown=0.02", "portfolio.initial_capital=50"],
        ["data.start=2023-02-19T23:00"],
        ["execution.late_policy=flatten", "execution.fill=next_close", "synthetic.missing=0.4"],
        ["costs.taker_fee=0.1", "signal.threshold=0", "risk.max_gross=20", "sizing.fraction=6",
         "risk.max_symbol_weight=10"],
        ["signal.threshold=1"],
    ],
)  # fmt: skip
def test_it_runs_and_reports(run_it: RunIt, sets: list[str]) -> None:
    ran = run_it(*sets)
    summary = write_report(ran.folder)
    text = json.dumps(as_json(ran.folder, summary), allow_nan=False)
    assert ran.done.ledger_sha256 in text
    assert as_tables(summary) is not None
    assert "<html" in ran.folder.report.read_text(encoding="utf-8")


def test_of_the_synthetic_market_some_symbols_are_traded(run_it: RunIt) -> None:
    named = "market.symbols=SYN2USDT,SYN0USDT"
    ran = run_it("synthetic.symbols=3", named)
    assert ran.market.symbols == ("SYN2USDT", "SYN0USDT")
    reader = ran.reader()
    assert reader.symbols == ran.market.symbols
    got = reader.bars().close
    reader.close()
    whole = run_it("synthetic.symbols=3").market.bars
    np.testing.assert_array_equal(got, whole.close[:, [2, 0]])


def test_a_bar_without_trades_is_forecast_as_any_other(
    run_it: RunIt, write_market: CandleWriter, tmp_path: Path
) -> None:
    bars = synthetic_bars(Synthetic(symbols=1, bars=900, seed=5), HOUR_MS)
    bars.volume[[700, 701, 720], 0] = 0.0
    root = write_market(tmp_path, "bybit_linear", ["BTCUSDT"], bars, "1h")
    ran = run_it("data.source=files", "market.symbols=BTCUSDT", f"data.root={root}")
    reader = ran.reader()
    value, _ = reader.forecasts(bars.open_time)
    reader.close()
    assert np.isfinite(value[690:760]).all()


def test_features_of_what_no_file_has_are_refused_by_name(
    run_it: RunIt, write_market: CandleWriter, tmp_path: Path
) -> None:
    bars = synthetic_bars(Synthetic(symbols=1, bars=300, seed=5), HOUR_MS)
    root = write_market(tmp_path, "bybit_linear", ["BTCUSDT"], bars, "1h")
    sets = [
        "data.source=files",
        "market.symbols=BTCUSDT",
        f"data.root={root}",
        "costs.funding=false",
    ]
    for name, told in (
        ("funding_mean_3d", r"^BTCUSDT: no funding rate is known.*'funding_mean_3d' out of"),
        ("basis_24", r"^BTCUSDT: no mark price is known.*'basis_24' out of features\.names"),
    ):
        with pytest.raises(DataError, match=told):
            run_it(*sets, f"features.names=return_1,{name}")


def test_candles_without_any_volume_are_refused_with_the_cause(
    run_it: RunIt, write_market: CandleWriter, tmp_path: Path
) -> None:
    bars = synthetic_bars(Synthetic(symbols=2, bars=900, seed=5), HOUR_MS)
    bars.volume[:, 1] = 0.0
    root = write_market(tmp_path, "bybit_linear", ["BTCUSDT", "ETHUSDT"], bars, "1h")
    sets = ["data.source=files", "market.symbols=BTCUSDT,ETHUSDT", f"data.root={root}"]
    with pytest.raises(DataError, match=r"^ETHUSDT: the volume of every bar is 0.*'volume_ratio'"):
        run_it(*sets)
    ran = run_it(
        *sets, "targets.kinds=return,direction,volatility", "features.names=return_1,rsi,range"
    )
    assert len(ran.models()) > 1
