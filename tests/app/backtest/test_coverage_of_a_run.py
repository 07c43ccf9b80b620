"""What a result says of its span: through the command, from candle files and a file of forecasts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from bot.config.schema import Synthetic
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import CandleWriter, Cli, Ran, RunIt

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

N = 1000
SETTINGS = ["market.symbols=AAAUSDT,BBBUSDT", "report.bootstrap_samples=100"]


def test_a_small_file_of_forecasts_a_late_end_and_half_a_symbol(
    write_market: CandleWriter, cli: Cli, tmp_path: Path
) -> None:
    bars = synthetic_bars(Synthetic(symbols=2, bars=N, seed=3), HOUR_MS)
    valid = bars.valid.copy()
    valid[: N // 2, 1] = False
    bars = replace(bars, valid=valid)
    names = ["AAAUSDT", "BBBUSDT"]
    root = write_market(tmp_path, "bybit_linear", names, bars, "1h")
    rows = bars.open_time[600:630]
    table = pd.DataFrame(
        {
            "timestamp": np.repeat(rows, 2),
            "symbol": names * len(rows),
            "return": 0.01,
            "p_up": 0.9,
        }
    )
    table.to_csv(tmp_path / "forecasts.csv", index=False)
    settings = [a for item in [*SETTINGS, f"data.root={root}"] for a in ("--set", item)]
    command = [
        "backtest",
        *settings,
        "--forecasts",
        tmp_path / "forecasts.csv",
        "--to",
        "2033-01-01",
    ]
    said = cli(*command, "--run-dir", tmp_path / "run", "--json")
    assert said.code == 0, said.err
    found = said.json["coverage"]
    assert found["all"]["forecasts"] == pytest.approx(0.03)
    assert [row["bars"] for row in found["symbols"]] == [1.0, 0.5]
    assert found["asked"]["share"] < 0.02
    assert found["trainings"] is None
    told = found["warnings"]
    assert [line.split()[0] for line in told] == ["Asked", "Bars", "Only", "calibrating:"]
    brief = cli("report", tmp_path / "run").out
    assert brief.index("Beware") < brief.index("Asked for was") < brief.index("Earned")
    assert "(and 3 more: --full)" in " ".join(brief.split())
    shown = cli("report", tmp_path / "run", "--full")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("Asked for was")
    assert "(whole span; 3.00 % of it had a forecast)" in shown.out
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "Only 3.00 % of the bars had a forecast" in page
    assert page.index("Only 3.00 %") < page.index("Total return")


def test_trainings_without_enough_rows_are_counted(
    run_it: RunIt, short: Ran, cli: Cli, tmp_path: Path
) -> None:
    patient = run_it("training.min_rows=1200", "report.bootstrap_samples=100")
    skipped = len(patient.events("training_skipped"))
    said = cli("report", patient.folder.path, "--json")
    assert said.code == 0, said.err
    found = said.json["coverage"]
    assert len(found["trainings"]["without_model"]) == skipped > 0
    assert found["trainings"]["due"] == skipped + len(patient.models())
    assert any("scheduled trainings gave no model" in line for line in found["warnings"])
    whole = cli("report", short.folder.path, "--json").json["coverage"]
    assert whole["trainings"]["due"] == len(short.models())
    assert whole["trainings"]["without_model"] == []
