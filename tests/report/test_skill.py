"""Skill against independent calculations, and honest where there is none."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bot.blocks import F64
from bot.report import skill as skills
from bot.report.inputs import RunData

SAMPLES = 200


@pytest.fixture(scope="module")
def result(run: RunData) -> dict[str, dict[str, Any]]:
    return skills.skill(run, SAMPLES)


def rows_of(run: RunData, k: int) -> tuple[F64, F64]:
    assert run.forecast is not None
    assert run.labels is not None
    f, y = run.forecast.value[run.start_index :, :, k], run.labels[run.start_index :, :, k]
    both = np.isfinite(f) & np.isfinite(y)
    return f[both], y[both]


def test_return_skill_and_rank_ic(run: RunData, result: dict[str, dict[str, Any]]) -> None:
    f, y = rows_of(run, 0)
    measures = result["return_3"]["measures"]
    assert result["return_3"]["rows"] == len(f)
    assert measures["mse_skill"]["value"] == pytest.approx(1 - ((y - f) ** 2).sum() / (y**2).sum())
    assert measures["rank_ic"]["value"] == pytest.approx(stats.spearmanr(f, y).statistic)
    assert measures["rank_ic"]["low"] < measures["rank_ic"]["value"] < measures["rank_ic"]["high"]
    assert measures["rank_ic"]["verdict"] == skills.SHOWN


def test_mean_rank_ic_by_symbol(run: RunData, result: dict[str, dict[str, Any]]) -> None:
    assert run.forecast is not None
    assert run.labels is not None
    each = []
    for s in range(run.n_symbols):
        f, y = run.forecast.value[run.start_index :, s, 0], run.labels[run.start_index :, s, 0]
        both = np.isfinite(f) & np.isfinite(y)
        each.append(stats.spearmanr(f[both], y[both]).statistic)
    got = result["return_3"]["measures"]["rank_ic_by_symbol"]["value"]
    assert got == pytest.approx(np.mean(each))


def test_a_symbol_with_one_forecast_for_all_bars_has_no_rank_ic() -> None:
    random = np.random.default_rng(12)
    f, y = random.standard_normal((2, 300, 3))
    y += 0.3 * f
    f[:, 1] = 0.25
    rows = np.ones(f.shape, dtype=bool)
    each = [stats.spearmanr(f[:, s], y[:, s]).statistic for s in (0, 2)]
    got = skills.mean_rank_ic(f, y, rows, 1, SAMPLES)
    assert got["value"] == pytest.approx(np.mean(each))
    assert got["verdict"] == skills.SHOWN
    nothing = skills.mean_rank_ic(np.full_like(f, 0.25), y, rows, 1, SAMPLES)
    assert nothing["value"] is nothing["low"] is nothing["high"] is None
    assert nothing["verdict"] == skills.UNKNOWN


def test_direction_scores(run: RunData, result: dict[str, dict[str, Any]]) -> None:
    p, y = rows_of(run, 1)
    measures = result["direction_3"]["measures"]
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert measures["log_loss_skill"]["score"] == pytest.approx(loss)
    assert measures["brier_skill"]["score"] == pytest.approx(np.mean((p - y) ** 2))
    assert measures["hit_rate_gain"]["score"] == pytest.approx(np.mean((p > 0.5) == (y > 0.5)))
    assert measures["auc"]["verdict"] == skills.NONE_SHOWN
    assert measures["auc"]["null"] == 0.5


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_auc_is_a_count_of_pairs(drawn: list[tuple[int, bool]]) -> None:
    score = np.array([[float(p)] for p, _ in drawn])
    rose = np.array([[float(y)] for _, y in drawn])
    ups, downs = score[rose > 0.5], score[rose < 0.5]
    got = skills.auc(score, rose, np.ones(score.shape, dtype=bool), 1, 20)["value"]
    if len(ups) == 0 or len(downs) == 0:
        assert got is None
        return
    pairs = [(a > b) + 0.5 * (a == b) for a in ups for b in downs]
    assert got == pytest.approx(np.mean(pairs))


def test_intervals_without_skill_cover_nothing_shown() -> None:
    """Forecasts of noise, labels that overlap and move together: few intervals may miss."""
    random, n, horizon, covered = np.random.default_rng(8), 500, 5, 0
    histories = 60
    for _ in range(histories):
        common = random.standard_normal((n + horizon, 1))
        noise = common + random.standard_normal((n + horizon, 3))
        y = np.lib.stride_tricks.sliding_window_view(noise, horizon, axis=0).sum(axis=2)[:n]
        f = np.cumsum(random.standard_normal((n, 1)), axis=0) + random.standard_normal((n, 3))
        rows = random.random((n, 3)) > 0.05
        up = (y > 0).astype(np.float64)
        measures = (
            skills.rank_ic(f, y, rows, horizon, SAMPLES),
            skills.auc(f, up, rows, horizon, SAMPLES),
        )
        covered += sum(m["low"] <= m["null"] <= m["high"] for m in measures)
    assert covered / (2 * histories) >= 0.85


def test_a_perfect_forecast_shows_skill_and_an_inverted_one_is_worse(run: RunData) -> None:
    assert run.forecast is not None
    assert run.labels is not None
    value = run.labels.copy()
    value[:, :, 0] *= -1.0
    changed = dataclasses.replace(run, forecast=dataclasses.replace(run.forecast, value=value))
    got = skills.skill(changed, SAMPLES)
    assert got["return_3"]["measures"]["rank_ic"]["value"] == pytest.approx(-1.0)
    assert got["return_3"]["measures"]["mse_skill"]["verdict"] == skills.WORSE
    assert got["direction_3"]["measures"]["auc"]["value"] == pytest.approx(1.0)
    assert got["volume_3"]["measures"]["mse_skill"]["value"] == pytest.approx(1.0)
    assert got["volatility_3"]["measures"]["mse_skill"]["value"] == pytest.approx(1.0)


def test_without_forecasts_there_is_nothing_to_judge(run: RunData) -> None:
    assert skills.skill(dataclasses.replace(run, forecast=None, labels=None), SAMPLES) == {}


def test_forecasts_without_a_label_have_no_value(run: RunData) -> None:
    assert run.labels is not None
    unknown = np.full_like(run.labels, np.nan)
    got = skills.skill(dataclasses.replace(run, labels=unknown), SAMPLES)
    for head in got.values():
        assert head["rows"] == 0
        for measure in head["measures"].values():
            assert measure["value"] is None
            assert measure["verdict"] == skills.UNKNOWN
