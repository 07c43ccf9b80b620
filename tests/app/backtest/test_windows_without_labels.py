"""A window without labels for a head: the run goes on, in a backtest and live alike, and it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.app.backtest.bar_source import HeldBars
from bot.app.backtest.command import write_report
from bot.app.backtest.job import run_backtest
from bot.app.backtest.preparing import prepare, read_market
from bot.app.live.retraining import RecordedRows
from bot.app.runs.folder import new_run
from bot.config import load_config
from bot.errors import DataError
from bot.log import open_log
from tests.conftest import QUICK, Ran

if TYPE_CHECKING:
    from tests.conftest import RunIt

FEATURES = "features.names=return_1,return_5,volatility,momentum"


def silent_run(folder: Path, *sets: str, until: int) -> Ran:
    """Run a backtest of a market whose first bars have no volume."""
    config = load_config(None, [*QUICK, FEATURES, *sets], {})
    market = read_market(config)
    volume = market.bars.volume.copy()
    volume[:until] = 0.0
    market = replace(market, source=HeldBars(replace(market.bars, volume=volume)))
    made = new_run(config, str(folder), "test")
    with open_log(made.log, config.log.level) as log:
        job = prepare(config, market, made, log, lambda done, total: None)
        return Ran(config, market, made, run_backtest(job))


def test_a_head_that_only_helps_is_left_out_until_it_has_labels(
    tmp_path: Path, inline_training: None
) -> None:
    ran = silent_run(tmp_path / "run", until=800)
    told = ran.events("heads_untrained")
    models = ran.models()
    assert 0 < len(told) < len(models)
    assert all(event["heads"] == ["volume_5"] for event in told)
    reader = ran.reader()
    times = ran.market.bars.open_time
    value, _ = reader.forecasts(times)
    reader.close()
    first = int(np.searchsorted(times, models[0][1]))
    later = int(np.searchsorted(times, models[len(told)][1]))
    assert np.isnan(value[first:later, :, 3]).all()
    assert np.isfinite(value[first:later, :, 0]).any()
    assert np.isfinite(value[later:, :, 3]).any()
    write_report(ran.folder)


def test_a_window_without_a_needed_head_keeps_the_model_before(
    tmp_path: Path, inline_training: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Volume stands for a head of the account's: no base head alone can lose its labels."""
    from bot.app.backtest import read_ahead
    from bot.app.training import request as training
    from bot.blocks import Task

    needed = (Task("return", 5), Task("direction", 5), Task("volume", 5))
    for module in (read_ahead, training):
        monkeypatch.setattr(module, "needed_tasks", lambda config: needed)
    ran = silent_run(tmp_path / "run", until=800)
    skipped = ran.events("training_skipped")
    assert len(skipped) >= 2
    assert all("no training row has a label for volume_5" in event["reason"] for event in skipped)
    assert all(event["level"] == "warning" for event in skipped)
    assert not ran.events("heads_untrained")
    assert len(ran.models()) >= 1
    assert ran.done.bars == len(ran.market.bars) - ran.market.start_index


def test_what_a_worker_refuses_keeps_the_model_before(
    tmp_path: Path, run_it: RunIt, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.app.training import request as training

    calls: list[int] = []
    real = training.check_trained

    def refuse_second(trained: object, config: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise DataError("direction_5 had no weight in any epoch")
        real(trained, config)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "check_trained", refuse_second)
    ran = run_it()
    assert len(ran.models()) == len(calls) - 1
    (skipped,) = ran.events("training_skipped")
    assert "direction_5 had no weight" in skipped["reason"]
    assert skipped["due"] not in [due for _, _, due in ran.models()]


def test_live_and_backtest_refuse_the_same_rows_in_the_same_words(
    run_it: RunIt, short: Ran
) -> None:
    barren = run_it("training.min_rows=1400")
    told = {event["due"]: event["reason"] for event in barren.events("training_skipped")}
    assert len(told) == 5
    for due, reason in told.items():
        rows = RecordedRows(barren.folder, due, barren.config, barren.market.symbols)
        with pytest.raises(DataError) as caught:
            rows.load()
        assert str(caught.value) == reason
    manifest = json.loads(next(short.folder.models.glob("*.json")).read_text("utf-8"))
    assert manifest["untrained"] == []
