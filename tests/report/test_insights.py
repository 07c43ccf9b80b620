"""What the models look at, in tables and pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bot.config.schema import Report
from bot.report.inputs import GateWeights, Insight, RunData
from bot.report.page import html
from bot.report.page.sheets import sheets
from bot.report.summary import build
from bot.report.tear.sheet import tear_sheet

CONFIG = Report(bootstrap_samples=100)
TASKS = ("return_3", "direction_3")


def insight(shift: float) -> Insight:
    cosines = np.tile(np.eye(2), (3, 1, 1))
    cosines[:, 0, 1] = cosines[:, 1, 0] = [0.5, -0.25 + shift, 0.1]
    return Insight(
        tasks=TASKS,
        features=("a", "b"),
        importance=np.array([[0.01 + shift, np.nan], [0.2, 0.0]]),
        cosines=cosines,
        best_epoch=2,
        gates=(
            GateWeights(1, "return_3", {"return_3 1": 0.5, "shared 1": 0.5}),
            GateWeights(1, "direction_3", {"direction_3 1": 1.0 - shift, "shared 1": shift}),
        ),
    )


@pytest.fixture
def looked_into(run: RunData) -> RunData:
    first = run.models[0]
    models = (
        dataclasses.replace(first, insight=insight(0.0)),
        dataclasses.replace(first, insight=insight(0.1)),
    )
    return dataclasses.replace(run, models=models)


def test_rows_are_means_and_deviations_over_the_models(looked_into: RunData) -> None:
    rows = build(looked_into, CONFIG)["insights"]
    best, other = rows["importance"]
    assert (best["feature"], other["feature"]) == ("b", "a")
    head = other["heads"]["return_3"]
    assert head["mean"] == pytest.approx(0.06)
    assert head["deviation"] == pytest.approx(np.std([0.01, 0.11], ddof=1))
    assert other["heads"]["direction_3"] == {"mean": None, "deviation": None}
    (pair,) = rows["cosines"]
    assert pair["tasks"] == list(TASKS)
    assert pair["mean"] == pytest.approx(-0.2)
    assert pair["conflicts"] == 1.0
    even, own = rows["gates"]
    assert (even["used"], even["shared_part"]) == (pytest.approx(2.0), pytest.approx(0.5))
    assert 1.0 < own["used"] < 2.0


def test_the_page_and_the_tables_show_them(looked_into: RunData, run: RunData) -> None:
    summary = build(looked_into, CONFIG)
    keys = [sheet.key for sheet in sheets(summary)]
    assert keys[-3:] == ["importance", "cosines", "gates"]
    page = html.render(looked_into, summary, tear_sheet(looked_into, 100))
    assert page == html.render(looked_into, summary, tear_sheet(looked_into, 100))
    for words in ("Which features each head needs", "Do the tasks pull", "Which experts"):
        assert words in page
    assert (
        page.count("<svg")
        == html.render(run, build(run, CONFIG), tear_sheet(run, 100)).count("<svg") + 3
    )


def test_a_model_without_shared_parameters_or_gates_has_importance_alone(run: RunData) -> None:
    lone = dataclasses.replace(insight(0.0), cosines=np.zeros((0, 2, 2)), gates=())
    models = (dataclasses.replace(run.models[0], insight=lone),)
    bare = dataclasses.replace(run, models=models)
    assert len(html.insights(bare)) == 1
    assert build(bare, CONFIG)["insights"]["cosines"] == []
