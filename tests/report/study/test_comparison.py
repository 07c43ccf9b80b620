"""Contenders held against one another: corrections, pairs, and verdicts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bot.blocks import F64
from bot.report.inputs import RunData
from bot.report.skill.baselines import eras, heads
from bot.report.skill.bootstrap import widening
from bot.report.skill.measures import rank_ic
from bot.report.skill.rivals import Rivals
from bot.report.study import comparison
from bot.report.study import text as comparison_text
from bot.report.study.comparison import (
    BETTER,
    NONE_SHOWN,
    WORSE,
    Comparison,
    EndpointFigure,
    PairedDifference,
    compare,
    holm,
)
from bot.report.study.endpoints import Endpoint, endpoints
from bot.report.study.overfitting import overfitting_differences, student
from bot.report.study.text import to_markdown


def endpoint(values: F64, *, primary: bool = True) -> Endpoint:
    sums = np.column_stack((np.ones(len(values)), values))
    return Endpoint("mean", primary, True, sums, lambda s: s[..., 1] / s[..., 0], 1)


def of(measured: dict[str, F64], *, primary: bool = True) -> Comparison:
    return compare(
        {name: [endpoint(values, primary=primary)] for name, values in measured.items()},
        {}, {name: {} for name in measured}, 2000,
    )  # fmt: skip


def bounds(found: EndpointFigure | PairedDifference) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def covers_zero(found: EndpointFigure | PairedDifference) -> bool:
    low, high = bounds(found)
    return low <= 0.0 <= high


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
def test_holm_rejects_what_the_step_down_procedure_rejects(p: list[float]) -> None:
    adjusted = holm(p)
    for level in (0.01, 0.05, 0.3):
        rejected, order = set(), sorted(range(len(p)), key=lambda k: p[k])
        for place, k in enumerate(
            order
        ):  # the procedure as in the paper: stop at the first failure
            if (len(p) - place) * p[k] > level:
                break
            rejected.add(k)
        assert {k for k in range(len(p)) if adjusted[k] <= level} == rejected


def test_a_pair_is_tested_on_its_difference() -> None:
    rng = np.random.default_rng(5)
    common = 10.0 * rng.standard_normal(1500)
    a, b = common + 0.1, common + 0.05 * rng.standard_normal(1500)
    c = of({"a": a, "b": b, "c": common + 0.1})
    ab, ac, bc = c.differences
    assert (ab.verdict, ac.verdict, bc.verdict) == (BETTER, NONE_SHOWN, WORSE)
    assert ab.value == pytest.approx(float((a - b).mean()))
    error = float((a - b).std(ddof=1)) / np.sqrt(1500)
    low, high = bounds(ab)
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1.0, abs=0.2)
    assert ac.p == 1.0
    assert covers_zero(c.figure("mean", "a")), "alone it shows nothing"


def test_nothing_is_found_where_nothing_is() -> None:
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(60):
        x, y = rng.standard_normal((2, 400))
        d = of({"x": x, "y": y}).differences[0]
        covered += covers_zero(d)
    assert covered >= 51  # 95 % of 60 is 57; 51 or fewer has a chance of about 1 in 100


def test_the_luck_of_the_seeds_is_part_of_an_interval() -> None:
    """Two contenders that differ by their seeds only, on the same dates: nothing is to be found."""
    rng = np.random.default_rng(7)
    covered, blind = 0, 0
    for _ in range(100):
        dates = rng.standard_normal(300)
        seeds = {name: 0.3 * rng.standard_normal(10) for name in ("x", "y")}
        measured = {
            name: [endpoint(dates + own.mean() + 0.01 * rng.standard_normal(300))]
            for name, own in seeds.items()
        }
        without = {
            name: {"mean": [float(dates.mean() + np.delete(own, r).mean()) for r in range(10)]}
            for name, own in seeds.items()
        }
        facts: dict[str, dict[str, object]] = {name: {} for name in seeds}
        d = compare(measured, without, facts, 500).differences[0]
        covered += covers_zero(d)
        d = compare(measured, {}, facts, 500).differences[0]
        blind += covers_zero(d)
    assert covered >= 88  # of 95
    assert blind < 40


def test_the_seeds_error_is_the_jackknifes() -> None:
    own = np.array([0.3, -0.1, 0.4, 0.2, -0.5])
    without = {"x": {"mean": [float(np.delete(own, r).mean()) for r in range(5)]}}
    zero = np.zeros(50)
    c = compare({"x": [endpoint(zero)]}, without, {"x": {}}, 20_000)
    error = c.figure("mean", "x").seed_error
    assert error == pytest.approx(own.std(ddof=1) / np.sqrt(5))  # of a mean it is the plain one
    moves = comparison.seed_moves(own - own.mean(), 50_000)
    assert moves.std() == pytest.approx(own.std() / np.sqrt(5) * widening(5), rel=0.02)


def test_the_least_p_is_stated() -> None:
    apart = {"a": np.tile([1.0, 1.1], 200), "b": np.tile([0.0, 0.1], 200)}
    measured = {name: [endpoint(values)] for name, values in apart.items()}
    c = compare(measured, {}, {"a": {}, "b": {}}, 999)
    assert c.differences[0].p == c.p_floor == 1 / 1000
    assert c.as_json()["p_floor"] == 1 / 1000
    note = comparison_text.floor_note(c)
    assert "999 resamples: none is below 1/1,000 = 0.0010, nor below 0.0010 after" in note
    assert note in comparison_text.to_markdown(c, "title", "setting")
    few = compare(measured, {}, {"a": {}, "b": {}}, 9)
    assert "nothing can be shown" in comparison_text.floor_note(few)


def test_a_secondary_endpoint_gets_no_verdict() -> None:
    zigzag: F64 = np.array([0.0, 1.0] * 50)
    c = of({"a": 1.0 + zigzag, "b": zigzag}, primary=False)
    assert c.primary == ()
    assert c.differences[0].p_holm is None
    assert c.differences[0].verdict == ""


def test_endpoints_agree_with_the_report(run: RunData) -> None:
    assert run.forecast is not None
    assert run.labels is not None
    returns = run.equity[run.start_index :] / run.equity[run.start_index - 1 : -1] - 1.0
    everywhere = np.ones(run.quantity.shape, dtype=np.bool_)
    listed = endpoints(run, returns, returns, everywhere, Rivals(()))
    found = {e.name: float(e.statistic(e.sums.sum(axis=0))) for e in listed}
    rows = np.isfinite(run.forecast.value[:, :, 0]) & np.isfinite(run.labels[:, :, 0])
    rows[: run.start_index] = False
    direct = rank_ic(run.forecast.value[:, :, 0], run.labels[:, :, 0], rows)
    assert found["return rank IC"] == pytest.approx(
        float(direct.statistic(direct.sums.sum(axis=0)))
    )
    sharpe = returns.mean() / returns.std() * np.sqrt(365 * 24)
    assert found["Sharpe after costs"] == pytest.approx(sharpe)
    assert 0.0 <= found["direction calibration error"] <= 1.0


def test_har_is_least_squares_on_three_spans(run_maker: Callable[..., RunData]) -> None:
    run = run_maker(n=1500, start=1000)
    head = next(h for h in heads(run) if h.task.kind == "volatility")
    era = next(iter(eras(run, head)))
    price = run.price.copy()
    moves = price[1:] / price[:-1] - 1.0
    moves[~run.bars.valid[1:]] = np.nan
    moves = np.vstack((np.full((1, price.shape[1]), np.nan), moves))

    def regressors(t: int, s: int) -> list[float]:
        out = [1.0]
        for span in (24, 168, 720):
            seen = moves[max(0, t - span + 1) : t + 1, s]
            seen = seen[np.isfinite(seen)]
            out.append(float(np.sqrt(np.mean(seen**2))) if len(seen) >= span // 2 else np.nan)
        return out

    trained = [(era.first + t, s) for t, s in zip(*np.nonzero(era.trained), strict=True)]
    rows = [(t, s) for t, s in trained if np.isfinite(regressors(t, s)).all()]
    assert len(rows) > 50
    x = np.array([regressors(t, s) for t, s in rows])
    y = np.array([head.label[t, s] for t, s in rows])
    fit = x @ np.linalg.solve(x.T @ x, x.T @ y)
    scale = np.mean((y / fit) ** 2)
    t = int(era.bars[-1])
    expected = scale * (np.array(regressors(t, 0)) @ np.linalg.solve(x.T @ x, x.T @ y)) ** 2
    assert Rivals(("har",)).of(run, head).forecasts["har"][t, 0] == pytest.approx(
        expected, rel=1e-6
    )


def test_excess_losses_are_paired_over_folds() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.standard_normal((2, 6, 2))
    found = overfitting_differences({"a": a, "b": b}, ["x", "y"])
    assert [(g.task, g.first, g.second) for g in found] == [("x", "a", "b"), ("y", "a", "b")]
    test = stats.ttest_rel(a[:, 1], b[:, 1]).confidence_interval(0.95)
    assert found[1].low == pytest.approx(test.low, rel=0.02)
    assert found[1].high == pytest.approx(test.high, rel=0.02)
    for freedom in (1, 2, 3, 5, 30):
        exact = float(stats.t.ppf(0.975, freedom))
        assert student(0.975, freedom) == pytest.approx(exact, rel=0.015)


def test_tables_say_everything() -> None:
    rng = np.random.default_rng(7)
    c = of({"a": rng.standard_normal(300), "b": rng.standard_normal(300)})
    text = to_markdown(c, "title", "setting")
    assert "no difference shown" in text
    assert "| mean | a |" in text


def test_what_is_not_defined_is_no_figure_and_shows_nothing() -> None:
    """A ratio over a denominator that is nothing everywhere, or on all dates but one."""
    dates = np.ones(100)
    one, never = np.zeros(100), np.zeros(100)
    one[50] = 1.0

    def ratio(weight: F64) -> Endpoint:
        def statistic(s: F64) -> F64:
            return np.where(s[..., 1] > 0.0, 1.0, np.nan)

        return Endpoint("ratio", True, True, np.column_stack((dates, weight)), statistic, 1)

    measured = {"all": [ratio(dates)], "one": [ratio(one)], "never": [ratio(never)]}
    c = compare(measured, {}, {name: {} for name in measured}, 500)
    assert [(f.value, f.low) for f in c.figures] == [(1.0, 1.0), (1.0, None), (None, None)]
    assert [d.value for d in c.differences] == [0.0, None, None]
    assert [(d.p, d.p_holm, d.verdict) for d in c.differences] == [(None, 1.0, NONE_SHOWN)] * 3
    assert "| ratio | never | – | – | – |" in to_markdown(c, "test", "none")
