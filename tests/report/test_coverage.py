"""Coverage: shares counted by hand, and a sentence for whatever falls short."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bot.config.schema import Report
from bot.report.coverage import LEAST_SHARE, coverage
from bot.report.inputs import CalibrationProgress
from bot.report.page import html, tables
from bot.report.page.sheets import coverage_sheet
from bot.report.summary import build
from bot.report.tear.sheet import tear_sheet
from tests.report.conftest import HOUR_MS, START_MS, make_run


def whole(**changes: Any) -> Any:
    """Return a run of 300 bars of 3 symbols from bar 100 on, all of them there, all forecast."""
    run = make_run()
    valid = np.ones_like(run.bars.valid)
    return replace(run, bars=replace(run.bars, valid=valid), **changes)


def test_a_run_that_covers_all_is_not_warned_of() -> None:
    found = coverage(whole(trainings_due=np.array([m.due_ms for m in make_run().models])))
    assert found["warnings"] == []
    assert found["all"]["bars"] == found["all"]["forecasts"] == found["model"] == 1.0
    assert found["asked"] is None
    assert found["trainings"] == {"due": 2, "without_model": [],
        "rehearsed": 0, "rehearsed_from": None, "beyond": 0,
    }  # fmt: skip
    assert found["from_to"] == ["2023-01-05T04:00:00Z", "2023-01-17T15:00:00Z"]


def test_forecasts_of_three_percent_of_the_span() -> None:
    signal = np.full((400, 3), np.nan)
    signal[200:209] = 0.001
    found = coverage(whole(signal=signal))
    assert found["all"]["forecasts"] == 9 / 300
    (told,) = found["warnings"]
    assert told.startswith("Only 3.00 % of the bars had a forecast (2023-01-09 08:00 to ")
    assert "2023-01-09 16:00" in told


def test_no_forecast_at_all() -> None:
    found = coverage(whole(signal=np.full((400, 3), np.nan)))
    assert found["all"]["forecasts"] == 0.0
    assert "Only 0.00 % of the bars had a forecast;" in found["warnings"][0]


def test_a_symbol_with_half_the_bars_and_one_without_any() -> None:
    run = whole()
    valid = run.bars.valid.copy()
    valid[:250, 1] = False
    valid[:, 2] = False
    signal = np.where(valid, 0.001, np.nan)
    found = coverage(replace(run, bars=replace(run.bars, valid=valid), signal=signal))
    bars = {row["symbol"]: row["bars"] for row in found["symbols"]}
    assert bars == {"S0USDT": 1.0, "S1USDT": 0.5, "S2USDT": 0.0}
    assert found["all"]["bars"] == 0.5
    told = found["warnings"][0]
    assert "S1USDT has 50.00 % of them, 2023-01-11 10:00 to 2023-01-17 15:00" in told
    assert "S2USDT has none" in told
    assert "S0USDT" not in told


def test_a_closed_market_is_no_gap() -> None:
    run = whole()
    in_session = np.ones_like(run.bars.valid)
    in_session[::3] = False
    bars = replace(run.bars, in_session=in_session, valid=in_session)
    found = coverage(replace(run, bars=bars, signal=np.where(in_session, 0.1, np.nan)))
    assert found["all"]["bars"] == found["all"]["forecasts"] == 1.0
    assert found["warnings"] == []


def test_what_was_asked_for_and_is_not_there() -> None:
    first, last = START_MS + 100 * HOUR_MS, START_MS + 399 * HOUR_MS
    later = coverage(whole(asked_ms=(first, last + 900 * HOUR_MS)))
    assert later["asked"]["share"] == 300 / 1200
    assert "Asked for was 2023-01-05 04:00 to 2023-02-24 03:00" in later["warnings"][0]
    assert "25.00 % of it" in later["warnings"][0]
    assert coverage(whole(asked_ms=(first, last)))["warnings"] == []
    assert coverage(whole(asked_ms=(None, last)))["asked"]["share"] == 1.0
    earlier = coverage(whole(asked_ms=(first - 300 * HOUR_MS, None)))
    assert earlier["asked"]["share"] == 0.5


def test_trainings_that_gave_no_model_are_counted() -> None:
    run = whole()
    dues = np.array([run.models[0].due_ms, START_MS, START_MS + HOUR_MS])
    found = coverage(replace(run, trainings_due=dues))
    assert found["trainings"]["due"] == 3
    assert (
        "2 of 3 scheduled trainings gave no model (2023-01-01 00:00, 2023-01-01 01:00)"
        in (found["warnings"][0])
    )


def test_a_ledger_alone_tells_of_its_model() -> None:
    run = whole(signal=np.full((400, 3), np.nan), facts={"record": "ledger"}, forecast=None)
    found = coverage(run)
    assert found["all"]["forecasts"] is None
    assert found["warnings"] == []
    late = replace(run.models[0], effective_from_ms=START_MS + 250 * HOUR_MS)
    found = coverage(replace(run, models=(late,)))
    assert found["model"] == 0.5
    assert found["warnings"] == ["A model was in force in 50.00 % of the bars only."]


def test_what_decides_without_a_model_is_not_warned_of_one() -> None:
    run = whole(signal=np.full((400, 3), np.nan), facts={"needs_model": False}, models=())
    found = coverage(run)
    assert (found["model"], found["all"]["forecasts"], found["warnings"]) == (None, None, [])


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("share", [LEAST_SHARE, 0.5])
def test_it_stands_at_the_top_and_labels_the_figures(share: float) -> None:
    from io import StringIO

    from rich.console import Console

    signal = np.full((400, 3), np.nan)
    signal[400 - round(300 * share) :] = 0.001
    run = whole(signal=signal)
    summary = build(run, Report(bootstrap_samples=100))
    console = Console(file=StringIO(), width=160)
    console.print(tables.render(summary))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    page = html.render(run, summary, tear_sheet(run, 100))
    low = share < LEAST_SHARE
    assert printed.startswith("Only 50.00 % of the bars") == low
    assert printed.lstrip().startswith("A side traded") != low
    for text in (printed, page):
        assert ("(whole span; 50.00 % of it had a forecast)" in text) == low
        assert "Coverage" in text
    assert ("Only 50.00 % of the bars had a forecast" in page) == low


def test_what_was_rehearsed_stands_beside_what_was_scheduled() -> None:
    run = whole()
    first, last = run.models
    early = replace(first, model_id="early", due_ms=START_MS, effective_from_ms=START_MS + HOUR_MS)
    rehearsed = replace(run, models=(early, first, last), rehearsed=True,
                        trainings_due=np.array([first.due_ms, last.due_ms]))  # fmt: skip
    found = coverage(rehearsed)["trainings"]
    assert (found["due"], found["beyond"]) == (2, 1)
    assert found["rehearsed"] == sum(
        m.effective_from_ms < START_MS + 100 * HOUR_MS for m in rehearsed.models
    )
    assert found["rehearsed_from"] == "2023-01-01T01:00:00Z"
    note = coverage_sheet(build(rehearsed, Report(bootstrap_samples=100))).note
    assert "Scheduled trainings: 2; 2 gave a model." in note
    assert "to have a first model: 1." in note
    assert "Rehearsed: from 2023-01-01 01:00 to the start" in note
    plain = replace(rehearsed, rehearsed=False)
    assert coverage(plain)["trainings"]["rehearsed"] == 0


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(
    ("known", "text", "warned"),
    [
        (CalibrationProgress(41, 90, START_MS), "calibrating: 41 of 90 days", True),
        (CalibrationProgress(0, 90, None), "calibrating: 0 of 90 days", True),
        (CalibrationProgress(95, 90, START_MS + HOUR_MS),
         "Calibrating until 2023-01-01 01:00: 90 days of signals had to be scored.", False),
        (CalibrationProgress(150, 90, None), "Calibrated from the first bar on", False),
    ],
)  # fmt: skip
def test_how_far_signals_are_calibrated_is_said(
    known: CalibrationProgress, text: str, warned: bool
) -> None:
    run = whole(calibration=known)
    found = coverage(run)
    assert found["calibration"]["text"].startswith(text)
    assert any(text in line for line in found["warnings"]) == warned
    summary = build(run, Report(bootstrap_samples=100))
    assert (text in coverage_sheet(summary).note) != warned
    assert text in html.render(run, summary, tear_sheet(run, 100))
    console = Console(width=200, file=StringIO())
    console.print(tables.render(summary))
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert text in " ".join(told.split())
    assert coverage(whole())["calibration"] is None
