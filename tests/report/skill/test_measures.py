"""Skill against independent calculations, and honest where there is none."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bot.blocks import F64, Bool, Forecast, Task
from bot.report.inputs import RunData
from bot.report.skill import baselines
from bot.report.skill import measures as skills
from bot.report.study.endpoints import endpoints

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


def test_few_rows_of_a_symbol_count_like_many() -> None:
    f = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    y = np.array([[3.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    rows = np.ones(f.shape, dtype=bool)
    got = skills.mean_rank_ic(f, y, rows, 1, SAMPLES)
    assert got["value"] == pytest.approx(stats.spearmanr(f[:, 0], y[:, 0]).statistic)
    both = skills.mean_rank_ic(np.column_stack((f[:, 0], -y[:, 1])), y, rows, 1, SAMPLES)
    assert both["value"] == pytest.approx((got["value"] - 1.0) / 2.0)


@pytest.mark.parametrize("symbols", [1, 2])
def test_rank_ic_by_symbol_needs_two_symbols(run_maker: Any, symbols: int) -> None:
    judged = run_maker(n_symbols=symbols)
    got = skills.skill(judged, SAMPLES)["return_3"]
    assert ("rank_ic_by_symbol" in got["measures"]) == (symbols > 1)
    c = cells_of(judged, 0, least=200)
    assert (got["rows"], got["dates"]) == (c.at.sum(), len({int(t) for t, _ in np.argwhere(c.at)}))


def test_ranks_are_centred_and_of_the_size_of_one() -> None:
    np.testing.assert_allclose(skills.centred_ranks(np.array([5.0, 1.0, 3.0])), [2 / 3, -2 / 3, 0])
    np.testing.assert_allclose(
        skills.centred_ranks(np.array([7.0, 7.0, 1.0, 9.0])), [0, 0, -0.75, 0.75]
    )
    assert skills.centred_ranks(np.array([4.0])).tolist() == [0.0]
    assert skills.centred_ranks(np.empty(0)).tolist() == []


def test_correlation_is_that_of_values_around_any_mean() -> None:
    a, b = np.random.default_rng(4).standard_normal((2, 50))
    a, b = a + 3.0, 0.5 * a - 2.0 * b - 7.0
    sums = np.array([50.0, a.sum(), b.sum(), (a * a).sum(), (b * b).sum(), (a * b).sum()])
    assert float(skills.correlation(sums)) == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_one_row_has_a_value_and_no_interval() -> None:
    rows = np.zeros((5, 2), dtype=bool)
    rows[3, 1] = True
    loss, naive = np.full((5, 2), 0.25), np.full((5, 2), 0.5)
    got = skills.loss_skill(loss, naive, rows, 1, SAMPLES)
    assert (got["value"], got["score"], got["baseline_score"]) == (0.5, 0.25, 0.5)
    assert got["low"] is got["high"] is None
    assert got["verdict"] == skills.UNKNOWN


def test_the_baseline_itself_shows_no_skill_and_is_no_worse() -> None:
    loss = np.random.default_rng(2).random((200, 2)) + 0.5
    got = skills.loss_skill(loss, loss, np.ones(loss.shape, dtype=bool), 1, SAMPLES)
    assert (got["value"], got["low"], got["high"]) == (0.0, 0.0, 0.0)
    assert got["verdict"] == skills.NONE_SHOWN


def test_a_probability_of_a_half_says_fall(run: RunData) -> None:
    assert run.forecast is not None
    value = run.forecast.value.copy()
    value[np.isfinite(value[:, :, 1]), 1] = 0.5
    even = dataclasses.replace(run, forecast=dataclasses.replace(run.forecast, value=value))
    c = cells_of(even, 1)
    measures = skills.skill(even, SAMPLES)["direction_3"]["measures"]
    assert measures["hit_rate_gain"]["score"] == pytest.approx((c.y < 0.5).mean())
    assert measures["auc"]["value"] == pytest.approx(0.5)


def test_direction_scores(run: RunData, result: dict[str, dict[str, Any]]) -> None:
    p, y = rows_of(run, 1)
    measures = result["direction_3"]["measures"]
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert measures["log_loss_skill"]["score"] == pytest.approx(loss)
    assert measures["brier_skill"]["score"] == pytest.approx(np.mean((p - y) ** 2))
    assert measures["hit_rate_gain"]["score"] == pytest.approx(np.mean((p > 0.5) == (y > 0.5)))
    assert measures["auc"]["verdict"] == skills.NONE_SHOWN
    assert measures["auc"]["null"] == 0.5


@dataclasses.dataclass
class Cells:
    """A head, and where it is judged its forecasts and labels, flat."""

    head: baselines.Head
    f: F64
    y: F64
    at: Bool


def cells_of(run: RunData, k: int, least: int = 500) -> Cells:
    """Return the cells of a head from the start on."""
    head = baselines.heads(run)[k]
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
    rate = baselines.base_rate(run, c.head)[c.at]
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
    measures = skills.skill(certain, SAMPLES)["direction_3"]["measures"]
    assert measures["log_loss_skill"]["score"] == pytest.approx(costs, rel=1e-9)
    brier = np.where(wrong, (1 - 1e-6) ** 2, 1e-12).mean()
    assert measures["brier_skill"]["score"] == pytest.approx(brier, rel=1e-9)
    here = np.ones(run.quantity.shape, dtype=bool)
    flat = np.zeros(len(run.equity))
    listed = {e.name: e for e in endpoints(certain, flat, flat, here)}
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
    naive = baselines.volatility_forecasts(run, c.head)
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
    naive = baselines.volatility_forecasts(still, c.head)
    measures = skills.skill(still, SAMPLES)["volatility_3"]["measures"]
    held(measures["mse_skill"], (c.y - c.f) ** 2, (c.y - naive.deviation[c.at]) ** 2)
    moved = c.y > 0.0
    assert 0 < (~moved).sum() <= 3
    ratios = (c.y[moved] ** 2 / v[c.at][moved] for v in (naive.model_variance, naive.variance))
    held(measures["qlike_skill"], *(r - np.log(r) - 1.0 for r in ratios))


def test_volume_is_held_against_the_hour_of_the_week(
    run: RunData, result: dict[str, dict[str, Any]]
) -> None:
    c = cells_of(run, 3)
    naive = baselines.hour_of_week_mean(run, c.head)[c.at]
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
    got = skills.skill(other, SAMPLES)[f"{kind}_3"]
    measures = got["measures"]
    if kind == "regime":
        assert got["baseline"] == "base rate of the training rows"
        assert set(measures) == {"auc", "log_loss_skill", "brier_skill", "hit_rate_gain"}
        return
    assert got["baseline"] == "mean of the training rows"
    naive = baselines.training_mean(other, c.head)[c.at]
    held(measures["mse_skill"], (c.y - c.f) ** 2, (c.y - naive) ** 2)
    assert measures["rank_ic"]["value"] == pytest.approx(stats.spearmanr(c.f, c.y).statistic)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_auc_is_a_count_of_pairs(drawn: list[tuple[int, bool]]) -> None:
    score = np.array([[float(p)] for p, _ in drawn])
    rose = np.array([[float(y)] for _, y in drawn])
    ups, downs = score[rose > 0.5], score[rose < 0.5]
    measure = skills.auc(score, rose, np.ones(score.shape, dtype=bool), 1, 20)
    got = measure["value"]
    assert measure["null"] == 0.5
    if len(ups) == 0 or len(downs) == 0:
        assert got is None
        return
    pairs = [(a > b) + 0.5 * (a == b) for a in ups for b in downs]
    assert got == pytest.approx(np.mean(pairs))


def test_auc_is_the_same_seen_from_the_falls() -> None:
    """Falls given a lower score than rises: the same pairs, and the same interval."""
    random = np.random.default_rng(3)
    p = random.random((300, 2))
    y = (random.random(p.shape) < 0.1 + 0.3 * p).astype(np.float64)
    rows = np.ones(p.shape, dtype=bool)
    one, other = skills.auc(p, y, rows, 2, SAMPLES), skills.auc(-p, 1.0 - y, rows, 2, SAMPLES)
    for name in ("value", "low", "high"):
        assert one[name] == pytest.approx(other[name], rel=1e-9), name
    assert 2 * y.sum() < y.size, "more falls than rises"


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
    for forecast, labels in ((None, None), (None, run.labels), (run.forecast, None)):
        bare = dataclasses.replace(run, forecast=forecast, labels=labels)
        assert skills.skill(bare, SAMPLES) == {}


def test_forecasts_without_a_label_have_no_value(run: RunData) -> None:
    assert run.labels is not None
    unknown = np.full_like(run.labels, np.nan)
    got = skills.skill(dataclasses.replace(run, labels=unknown), SAMPLES)
    for head in got.values():
        assert head["rows"] == 0
        for measure in head["measures"].values():
            assert measure["value"] is None
            assert measure["verdict"] == skills.UNKNOWN
