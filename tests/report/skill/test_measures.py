"""Measures against independent calculations: ranks, pairs, losses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bot.report.skill import measures, verdicts

SAMPLES = 200


def test_a_symbol_with_one_forecast_for_all_bars_has_no_rank_ic() -> None:
    random = np.random.default_rng(12)
    f, y = random.standard_normal((2, 300, 3))
    y += 0.3 * f
    f[:, 1] = 0.25
    rows = np.ones(f.shape, dtype=bool)
    each = [stats.spearmanr(f[:, s], y[:, s]).statistic for s in (0, 2)]
    got = verdicts.judged(measures.mean_rank_ic(f, y, rows), 1, SAMPLES)
    assert got["value"] == pytest.approx(np.mean(each))
    assert got["verdict"] == verdicts.SHOWN
    nothing = verdicts.judged(measures.mean_rank_ic(np.full_like(f, 0.25), y, rows), 1, SAMPLES)
    assert nothing["value"] is nothing["low"] is nothing["high"] is None
    assert nothing["verdict"] == verdicts.UNKNOWN


def test_few_rows_of_a_symbol_count_like_many() -> None:
    f = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    y = np.array([[3.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    rows = np.ones(f.shape, dtype=bool)
    got = verdicts.judged(measures.mean_rank_ic(f, y, rows), 1, SAMPLES)
    assert got["value"] == pytest.approx(stats.spearmanr(f[:, 0], y[:, 0]).statistic)
    both = verdicts.judged(
        measures.mean_rank_ic(np.column_stack((f[:, 0], -y[:, 1])), y, rows), 1, SAMPLES
    )
    assert both["value"] == pytest.approx((got["value"] - 1.0) / 2.0)


def test_ranks_are_centred_and_of_the_size_of_one() -> None:
    np.testing.assert_allclose(
        measures.centred_ranks(np.array([5.0, 1.0, 3.0])), [2 / 3, -2 / 3, 0]
    )
    np.testing.assert_allclose(
        measures.centred_ranks(np.array([7.0, 7.0, 1.0, 9.0])), [0, 0, -0.75, 0.75]
    )
    assert measures.centred_ranks(np.array([4.0])).tolist() == [0.0]
    assert measures.centred_ranks(np.empty(0)).tolist() == []


def test_correlation_is_that_of_values_around_any_mean() -> None:
    a, b = np.random.default_rng(4).standard_normal((2, 50))
    a, b = a + 3.0, 0.5 * a - 2.0 * b - 7.0
    sums = np.array([50.0, a.sum(), b.sum(), (a * a).sum(), (b * b).sum(), (a * b).sum()])
    assert float(measures.correlation(sums)) == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_one_row_has_a_value_and_no_interval() -> None:
    rows = np.zeros((5, 2), dtype=bool)
    rows[3, 1] = True
    loss, naive = np.full((5, 2), 0.25), np.full((5, 2), 0.5)
    got = verdicts.judged(measures.loss_skill(loss, naive, rows), 1, SAMPLES)
    assert (got["value"], got["score"], got["baseline_score"]) == (0.5, 0.25, 0.5)
    assert got["low"] is got["high"] is None
    assert got["verdict"] == verdicts.UNKNOWN


def test_the_baseline_itself_shows_no_skill_and_is_no_worse() -> None:
    loss = np.random.default_rng(2).random((200, 2)) + 0.5
    got = verdicts.judged(
        measures.loss_skill(loss, loss, np.ones(loss.shape, dtype=bool)), 1, SAMPLES
    )
    assert (got["value"], got["low"], got["high"]) == (0.0, 0.0, 0.0)
    assert got["verdict"] == verdicts.NONE_SHOWN


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_auc_is_a_count_of_pairs(drawn: list[tuple[int, bool]]) -> None:
    score = np.array([[float(p)] for p, _ in drawn])
    rose = np.array([[float(y)] for _, y in drawn])
    ups, downs = score[rose > 0.5], score[rose < 0.5]
    measure = verdicts.judged(measures.auc(score, rose, np.ones(score.shape, dtype=bool)), 1, 20)
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
    one, other = (
        verdicts.judged(measures.auc(p, y, rows), 2, SAMPLES),
        verdicts.judged(measures.auc(-p, 1.0 - y, rows), 2, SAMPLES),
    )
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
        both = (
            verdicts.judged(measures.rank_ic(f, y, rows), horizon, SAMPLES),
            verdicts.judged(measures.auc(f, up, rows), horizon, SAMPLES),
        )
        covered += sum(m["low"] <= m["null"] <= m["high"] for m in both)
    assert covered / (2 * histories) >= 0.85
