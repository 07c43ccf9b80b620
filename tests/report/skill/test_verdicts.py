"""Skill against independent calculations, and honest where there is none."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bot.blocks import F64, Bool, Forecast, Task
from bot.config.schema import Report
from bot.report.inputs import RunData
from bot.report.skill import verdicts
from bot.report.skill.baselines import Head, baseline_forecast, heads
from bot.report.skill.baselines.base_rate import base_rate
from bot.report.skill.baselines.hour_of_week import hour_of_week_mean
from bot.report.skill.baselines.training_mean import training_mean
from bot.report.skill.rivals import Rivals
from bot.report.study.endpoints import endpoints
from tests.report.conftest import EVERY, plain_volatility

REPORT = Report(bootstrap_samples=200)


@pytest.fixture(scope="module")
def result(run: RunData) -> dict[str, dict[str, Any]]:
    return verdicts.skill(run, REPORT)


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
    assert measures["rank_ic"]["verdict"] == verdicts.SHOWN


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


@pytest.mark.parametrize("symbols", [1, 2])
def test_rank_ic_by_symbol_needs_two_symbols(run_maker: Any, symbols: int) -> None:
    judged = run_maker(n_symbols=symbols)
    got = verdicts.skill(judged, REPORT)["return_3"]
    assert ("rank_ic_by_symbol" in got["measures"]) == (symbols > 1)
    c = cells_of(judged, 0, least=200)
    assert (got["rows"], got["dates"]) == (c.at.sum(), len({int(t) for t, _ in np.argwhere(c.at)}))


def test_a_probability_of_a_half_says_fall(run: RunData) -> None:
    assert run.forecast is not None
    value = run.forecast.value.copy()
    value[np.isfinite(value[:, :, 1]), 1] = 0.5
    even = dataclasses.replace(run, forecast=dataclasses.replace(run.forecast, value=value))
    c = cells_of(even, 1)
    measures = verdicts.skill(even, REPORT)["direction_3"]["measures"]
    assert measures["hit_rate_gain"]["score"] == pytest.approx((c.y < 0.5).mean())
    assert measures["auc"]["value"] == pytest.approx(0.5)


def test_direction_scores(run: RunData, result: dict[str, dict[str, Any]]) -> None:
    p, y = rows_of(run, 1)
    measures = result["direction_3"]["measures"]
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert measures["log_loss_skill"]["score"] == pytest.approx(loss)
    assert measures["brier_skill"]["score"] == pytest.approx(np.mean((p - y) ** 2))
    assert measures["hit_rate_gain"]["score"] == pytest.approx(np.mean((p > 0.5) == (y > 0.5)))
    assert measures["auc"]["verdict"] == verdicts.NONE_SHOWN
    assert measures["auc"]["null"] == 0.5


@dataclasses.dataclass
class Cells:
    """A head, and where it is judged its forecasts and labels, flat."""

    head: Head
    f: F64
    y: F64
    at: Bool


def cells_of(run: RunData, k: int, least: int = 500) -> Cells:
    """Return the cells of a head from the start on."""
    head = heads(run)[k]
    at = head.rows
    assert at.sum() > least
    return Cells(head, head.forecast[at], head.label[at], at)


def held(measure: dict[str, Any], loss: F64, naive: F64) -> None:
    """Compare a skill and both its scores with means over rows."""
    assert measure["score"] == pytest.approx(loss.mean(), rel=1e-9)
    assert measure["baseline_score"] == pytest.approx(naive.mean(), rel=1e-9)
    assert measure["value"] == pytest.approx(1.0 - loss.mean() / naive.mean(), abs=1e-9)
    assert measure["null"] == 0.0
    assert measure["low"] <= measure["value"] <= measure["high"]


def test_direction_is_held_against_the_base_rate(
    run: RunData, result: dict[str, dict[str, Any]]
) -> None:
    c = cells_of(run, 1)
    rate = baseline_forecast(run, c.head, base_rate)[c.at]
    assert np.isfinite(rate).all()
    up = c.y > 0.5
    measures = result["direction_3"]["measures"]
    held(measures["brier_skill"], (c.f - c.y) ** 2, (rate - c.y) ** 2)
    held(
        measures["log_loss_skill"],
        -np.log(np.where(up, c.f, 1 - c.f)), -np.log(np.where(up, rate, 1 - rate)),
    )  # fmt: skip
    gain = measures["hit_rate_gain"]
    right, naive = (c.f > 0.5) == up, (rate > 0.5) == up
    assert gain["score"] == pytest.approx(right.mean())
    assert gain["baseline_score"] == pytest.approx(naive.mean())
    assert gain["value"] == pytest.approx(right.mean() - naive.mean())
    assert gain["null"] == 0.0
    assert 0.2 < naive.mean() != right.mean()


@pytest.mark.parametrize("sure", [0.0, 1.0])
def test_a_probability_of_nothing_or_all_costs_that_of_a_millionth(
    run: RunData, sure: float
) -> None:
    assert run.forecast is not None
    value = run.forecast.value.copy()
    value[np.isfinite(value[:, :, 1]), 1] = sure
    certain = dataclasses.replace(run, forecast=dataclasses.replace(run.forecast, value=value))
    c = cells_of(certain, 1)
    wrong = (c.y > 0.5) != (sure > 0.5)
    costs = np.where(wrong, -np.log(1e-6), -np.log(1.0 - 1e-6)).mean()
    measures = verdicts.skill(certain, REPORT)["direction_3"]["measures"]
    assert measures["log_loss_skill"]["score"] == pytest.approx(costs, rel=1e-9)
    brier = np.where(wrong, (1 - 1e-6) ** 2, 1e-12).mean()
    assert measures["brier_skill"]["score"] == pytest.approx(brier, rel=1e-9)
    here = np.ones(run.quantity.shape, dtype=bool)
    flat = np.zeros(len(run.equity))
    listed = {e.name: e for e in endpoints(certain, flat, flat, here, Rivals(EVERY))}
    for name, measure in (("log-loss", "log_loss_skill"), ("Brier", "brier_skill")):
        found = listed[f"direction {name} skill"]
        total = float(found.statistic(found.sums.sum(axis=0)))
        assert total == pytest.approx(measures[measure]["value"], rel=1e-9)


def test_volatility_is_held_against_the_scaled_ewma(
    run: RunData, result: dict[str, dict[str, Any]]
) -> None:
    """QLIKE on variances, the squared error on deviations: each its own power."""
    c = cells_of(run, 2)
    assert (c.y > 0.0).all()
    naive = plain_volatility(run, c.head)
    deviation, variance, own = (
        a[c.at] for a in (naive.deviation, naive.variance, naive.model_variance)
    )
    measures = result["volatility_3"]["measures"]
    held(measures["mse_skill"], (c.y - c.f) ** 2, (c.y - deviation) ** 2)
    ratios = (c.y**2 / own, c.y**2 / variance)
    held(measures["qlike_skill"], *(r - np.log(r) - 1.0 for r in ratios))


def test_a_label_without_movement_has_no_qlike_and_counts_for_the_squared_error(
    run: RunData,
) -> None:
    assert run.labels is not None
    labels = run.labels.copy()
    labels[run.start_index + 7, :, 2] = 0.0
    still = dataclasses.replace(run, labels=labels)
    c = cells_of(still, 2)
    naive = plain_volatility(still, c.head)
    measures = verdicts.skill(still, REPORT)["volatility_3"]["measures"]
    held(measures["mse_skill"], (c.y - c.f) ** 2, (c.y - naive.deviation[c.at]) ** 2)
    moved = c.y > 0.0
    assert 0 < (~moved).sum() <= 3
    ratios = (c.y[moved] ** 2 / v[c.at][moved] for v in (naive.model_variance, naive.variance))
    held(measures["qlike_skill"], *(r - np.log(r) - 1.0 for r in ratios))


def test_volume_is_held_against_the_hour_of_the_week(
    run: RunData, result: dict[str, dict[str, Any]]
) -> None:
    c = cells_of(run, 3)
    naive = baseline_forecast(run, c.head, hour_of_week_mean)[c.at]
    held(result["volume_3"]["measures"]["mse_skill"], (c.y - c.f) ** 2, (c.y - naive) ** 2)


@pytest.mark.parametrize("kind", ["range", "decision", "regime"])
def test_further_heads_are_held_against_their_training_mean(run: RunData, kind: str) -> None:
    assert run.forecast is not None
    tasks = (Task(kind, 3), *run.forecast.tasks[1:])
    value = run.forecast.value.copy()
    labels = run.labels.copy() if run.labels is not None else None
    if kind == "regime":
        value[:, :, 0] = value[:, :, 1]
        assert labels is not None
        labels[:, :, 0] = labels[:, :, 1]
    other = dataclasses.replace(
        run, labels=labels, forecast=Forecast(tasks, value, run.forecast.model)
    )
    c = cells_of(other, 0)
    got = verdicts.skill(other, REPORT)[f"{kind}_3"]
    measures = got["measures"]
    if kind == "regime":
        assert got["baseline"] == "base rate of the training rows"
        assert set(measures) == {"auc", "log_loss_skill", "brier_skill", "hit_rate_gain"}
        return
    assert got["baseline"] == "mean of the training rows"
    naive = baseline_forecast(other, c.head, training_mean)[c.at]
    held(measures["mse_skill"], (c.y - c.f) ** 2, (c.y - naive) ** 2)
    assert measures["rank_ic"]["value"] == pytest.approx(stats.spearmanr(c.f, c.y).statistic)


def test_a_perfect_forecast_shows_skill_and_an_inverted_one_is_worse(run: RunData) -> None:
    assert run.forecast is not None
    assert run.labels is not None
    value = run.labels.copy()
    value[:, :, 0] *= -1.0
    changed = dataclasses.replace(run, forecast=dataclasses.replace(run.forecast, value=value))
    got = verdicts.skill(changed, REPORT)
    assert got["return_3"]["measures"]["rank_ic"]["value"] == pytest.approx(-1.0)
    assert got["return_3"]["measures"]["mse_skill"]["verdict"] == verdicts.WORSE
    assert got["direction_3"]["measures"]["auc"]["value"] == pytest.approx(1.0)
    assert got["volume_3"]["measures"]["mse_skill"]["value"] == pytest.approx(1.0)
    assert got["volatility_3"]["measures"]["mse_skill"]["value"] == pytest.approx(1.0)


def test_without_forecasts_there_is_nothing_to_judge(run: RunData) -> None:
    for forecast, labels in ((None, None), (None, run.labels), (run.forecast, None)):
        bare = dataclasses.replace(run, forecast=forecast, labels=labels)
        assert verdicts.skill(bare, REPORT) == {}


def test_forecasts_without_a_label_have_no_value(run: RunData) -> None:
    assert run.labels is not None
    unknown = np.full_like(run.labels, np.nan)
    got = verdicts.skill(dataclasses.replace(run, labels=unknown), REPORT)
    for head in got.values():
        assert head["rows"] == 0
        for measure in head["measures"].values():
            assert measure["value"] is None
            assert measure["verdict"] == verdicts.UNKNOWN


def test_a_study_and_a_report_give_the_same_figures(
    run: RunData, result: dict[str, dict[str, Any]]
) -> None:
    flat, here = np.zeros(len(run.equity)), np.ones(run.quantity.shape, dtype=bool)
    listed = {e.name: e for e in endpoints(run, flat, flat, here, Rivals(EVERY))}
    for name, task, measure in (
        ("return rank IC", "return_3", "rank_ic"),
        ("return MSE skill", "return_3", "mse_skill"),
        ("direction Brier skill", "direction_3", "brier_skill"),
        ("direction log-loss skill", "direction_3", "log_loss_skill"),
        ("volatility QLIKE skill", "volatility_3", "qlike_skill"),
        ("volume MSE skill", "volume_3", "mse_skill"),
    ):
        studied = float(listed[name].statistic(listed[name].sums.sum(axis=0)))
        assert studied == result[task]["measures"][measure]["value"], name
