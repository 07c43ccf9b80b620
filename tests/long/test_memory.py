"""The memory of a training and of a whole backtest: as much for five million symbol-bars as for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.memory_costs.__main__ import SYMBOLS, backtest, training

LIMIT_MB = 768
"""Of the process that trains, by RLIMIT_DATA, which counts all but pages of files and shared ones."""

TOLERANCE_MB = 150.0
"""By which the peaks may differ: five times as many validation rows judge an epoch at once, and a report holds
some hundred bytes a bar of all symbols."""


@pytest.mark.long
def test_a_training_holds_as_much_for_five_million_rows_as_for_one(tmp_path: Path) -> None:
    peaks = []
    for millions in (1, 5):
        bars = millions * 10**6 // SYMBOLS
        done = training(tmp_path, bars, tmp_path, [f"training.memory_limit_mb={LIMIT_MB}"])
        run = tmp_path / f"training-{bars}"
        assert list((run / "models").glob("*.json")), "the training was not done"
        assert all(path.suffix in {".json", ".safetensors"} for path in (run / "models").iterdir())
        peaks.append(done.below.anonymous)
    assert peaks[0] > 100.0, "no process that trains was seen"
    assert peaks[1] < peaks[0] + TOLERANCE_MB, f"{peaks[0]:.0f} and {peaks[1]:.0f} MB"


@pytest.mark.long
def test_a_backtest_with_its_report_holds_as_much_for_five_million_as_for_one(
    tmp_path: Path,
) -> None:
    peaks = []
    for millions in (1, 5):
        bars = millions * 10**6 // SYMBOLS
        done = backtest(tmp_path, bars, tmp_path, [])
        run = tmp_path / f"backtest-{bars}"
        assert (run / "report.html").is_file()
        peaks.append(done.itself.anonymous)
    assert peaks[0] > 100.0, "the command was not seen"
    assert peaks[1] < peaks[0] + TOLERANCE_MB, f"{peaks[0]:.0f} and {peaks[1]:.0f} MB"
