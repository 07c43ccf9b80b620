"""Intervals that hold as often as they say, and probabilities beside how often they came true."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.blocks import F64, I64, Bool
from bot.config.schema import Report
from bot.features.targets import known_at
from bot.report.page.calibration_sheets import intervals_sheet, reliability_sheet
from bot.report.skill.baselines import heads
from bot.report.skill.calibration import calibration, coverage, reliability
from bot.report.skill.conformal import LEAST, WINDOW, intervals
from bot.report.skill.slopes import slopes
from bot.report.summary import build

if TYPE_CHECKING:
    from bot.report.inputs import RunData

LATE = 5


def known_late(n: int, n_symbols: int) -> I64:
    """Return the bars at which labels over LATE bars are known."""
    known = np.repeat(np.arange(n)[:, None] + LATE, n_symbols, axis=1)
    return np.where(known < n, known, -1)


def held(f: F64, y: F64, *, positive: bool = False) -> tuple[Bool, Bool]:
    """Return where an interval was issued and where it held."""
    known = known_late(*f.shape)
    found = intervals(f, y, np.ones(f.shape, dtype=np.bool_), known, positive=positive)
    return found.issued, (y >= found.low) & (y <= found.high)


def by_hand(score: F64, known: I64) -> list[float]:
    """Return the reach of each bar of one stream, as the paper writes it, without a sorted window.

    A tenth is to be missed, γ is 0.005; quantiles are of the last 500 scores, from 50 on.
    """
    missed, reach, scores = 0.1, [float("nan")] * len(score), []
    for t in range(len(score)):
        for u in range(max(t - 3 * LATE, 0), t):
            if known[u] == t and not math.isnan(score[u]):
                if not math.isnan(reach[u]):
                    missed = missed + 0.005 * (0.1 - float(score[u] > reach[u]))
                scores.append(float(score[u]))
        last = sorted(scores[-500:])
        if len(last) < 50 or math.isnan(score[t]):
            continue
        rank = math.ceil((1.0 - missed) * (len(last) + 1))
        if missed >= 1.0:
            reach[t] = -1.0
        else:
            reach[t] = last[rank - 1] if missed > 0.0 and rank <= len(last) else math.inf
    return reach


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("grows", [2.0, 24.0, -600.0])
def test_intervals_are_those_of_the_papers_recursion(grows: float, together: int) -> None:
    """Of noise that grows a little, or without end, so that no interval is wide enough; or shrinks until
    none is narrow enough. Labels become known one by one, or at once those of three bars."""
    random = np.random.default_rng(1)
    n = 2600
    y = random.standard_normal((n, 1)) * np.exp(np.linspace(0.0, grows, n))[:, None]
    f, rows = np.zeros((n, 1)), random.random((n, 1)) < 0.9
    known = known_late(n, 1)
    known = np.where(known >= 0, np.minimum(-(-known // together) * together, n), -1)
    known[known == n] = -1
    found = intervals(f, y, rows, known, positive=False)
    score = np.where(rows, np.abs(y), np.nan)[:, 0]
    expected = np.array(by_hand(score, known[:, 0]))
    issued = ~np.isnan(expected)
    np.testing.assert_array_equal(found.issued[:, 0], issued)
    for bound, sign in ((found.high, 1.0), (found.low, -1.0)):
        reach = sign * np.where(expected < 0.0, -np.inf, expected)
        np.testing.assert_array_equal(bound[issued, 0], reach[issued])
    assert (expected[issued] == np.inf).any() is np.bool_(grows > 2.0)
    assert (expected[issued] < 0.0).any() is np.bool_(grows < 0.0)


def test_a_score_as_large_as_the_reach_is_held() -> None:
    """Of scores in steps of a half, of which many are equal."""
    random = np.random.default_rng(8)
    y = np.round(2.0 * random.standard_normal((700, 1))) / 2.0
    known = known_late(700, 1)
    found = intervals(np.zeros_like(y), y, np.ones(y.shape, dtype=np.bool_), known, positive=False)
    expected = np.array(by_hand(np.abs(y[:, 0]), known[:, 0]))
    np.testing.assert_array_equal(found.high[LEAST + LATE :, 0], expected[LEAST + LATE :])


def test_coverage_is_counted_as_in_a_loop(run: RunData) -> None:
    """From some bar on the label grows with each, so that none is held and at last intervals have no bound."""
    head = next(h for h in heads(run) if h.task.kind == "return")
    t = np.arange(len(run.open_time))[:, None]
    sign = np.where(np.random.default_rng(9).random(head.label.shape) < 0.5, 1.0, -1.0)
    grows = 1e-3 * sign * np.exp(0.02 * np.maximum(t - 250, 0)) * (1.0 + 1e-3 * (t % 7))
    loud = dataclasses.replace(
        head, forecast=np.where(head.rows, 0.0, np.nan), label=np.where(head.rows, grows, np.nan)
    )
    got = coverage(run, loud, 200, positive=False)
    known = known_at(run.bars.in_session, head.task.horizon)
    said = intervals(loud.forecast, loud.label, loud.rows, known, positive=False)
    issued = held = unbounded = 0
    widths = []
    for i, s in np.argwhere(said.issued).tolist():
        low, high, y = said.low[i, s], said.high[i, s], loud.label[i, s]
        issued += 1
        held += low <= y <= high
        unbounded += math.isinf(high)
        if not math.isinf(high):
            widths.append(high - low)
    assert 0 < unbounded < issued
    assert 0.0 < np.mean(widths) < 0.5
    assert got["rows"] == issued
    assert got["value"] == pytest.approx(held / issued)
    assert got["unbounded"] == pytest.approx(unbounded / issued)
    assert got["mean_width"] == pytest.approx(np.mean(widths))
    bare = dataclasses.replace(head, rows=np.zeros_like(head.rows))
    none = coverage(run, bare, 200, positive=False)
    assert (none.pop("nominal"), none.pop("rows")) == (0.9, 0)
    assert set(none.values()) == {None}


def test_of_a_positive_number_only_forecasts_above_zero_are_scored() -> None:
    random = np.random.default_rng(7)
    f = np.exp(random.standard_normal((300, 1)))
    y = f * np.exp(0.3 * random.standard_normal((300, 1)))
    f[::7], f[3::11] = 0.0, -1.0
    rows = random.random((300, 1)) < 0.8
    found = intervals(f, y, rows, known_late(300, 1), positive=True)
    scored = rows & (f > 0.0)
    score = np.where(scored, np.abs(np.log(y / np.where(f > 0.0, f, 1.0))), np.nan)[:, 0]
    expected = np.array(by_hand(score, known_late(300, 1)[:, 0]))
    issued = ~np.isnan(expected)
    np.testing.assert_array_equal(found.issued[:, 0], issued)
    np.testing.assert_allclose(found.high[issued], f[issued] * np.exp(expected[issued])[:, None])


def test_coverage_is_nominal_where_nothing_changes() -> None:
    random = np.random.default_rng(2)
    issued, inside = held(np.zeros((20_000, 2)), random.standard_normal((20_000, 2)))
    assert issued[: LEAST + LATE - 1].sum() == 0
    assert issued[LEAST + LATE :].all()
    assert inside[issued].mean() == pytest.approx(0.9, abs=0.01)


def test_coverage_is_kept_where_the_world_drifts() -> None:
    """The noise grows without end; a quantile of the past alone falls behind."""
    random = np.random.default_rng(3)
    n = 12_000
    scale = np.exp(np.linspace(0.0, 24.0, n))[:, None]
    f, y = np.zeros((n, 1)), scale * random.standard_normal((n, 1))
    issued, inside = held(f, y)
    assert inside[issued].mean() == pytest.approx(0.9, abs=0.01)
    past = np.array([np.quantile(np.abs(y[max(0, t - WINDOW) : t, 0]), 0.9) for t in range(100, n)])
    assert (np.abs(y[100:, 0]) <= past).mean() < 0.8


def test_a_jump_in_noise_is_made_good() -> None:
    random = np.random.default_rng(4)
    y = random.standard_normal((8000, 1))
    y[4000:] *= 5.0
    issued, inside = held(np.zeros_like(y), y)
    assert inside[issued].mean() == pytest.approx(0.9, abs=0.015)
    assert inside[6000:].mean() == pytest.approx(0.9, abs=0.02)


def test_intervals_of_a_positive_number_are_ratios() -> None:
    random = np.random.default_rng(5)
    f = np.exp(random.standard_normal((6000, 1)))
    y = f * np.exp(0.3 * random.standard_normal((6000, 1)))
    y[100] = 0.0
    found = intervals(f, y, np.ones(f.shape, dtype=np.bool_), known_late(6000, 1), positive=True)
    some = found.issued & np.isfinite(found.high)
    np.testing.assert_allclose((found.low * found.high)[some], f[some] ** 2)
    assert (found.low[some] > 0.0).all()
    inside = (y >= found.low) & (y <= found.high)
    assert inside[found.issued].mean() == pytest.approx(0.9, abs=0.01)
    assert not inside[100, 0]


def test_what_is_not_known_yet_changes_nothing() -> None:
    """Neither later bars, nor labels of earlier bars that come later; nor where a history is cut."""
    random = np.random.default_rng(6)
    y, f = random.standard_normal((1000, 2)), 0.1 * random.standard_normal((1000, 2))
    rows, known = np.ones(y.shape, dtype=np.bool_), known_late(1000, 2)
    whole = intervals(f, y, rows, known, positive=False)
    at = 600
    other = y.copy()
    other[at - LATE + 1 :] *= 7.0
    poisoned = intervals(f, other, rows, known, positive=False)
    np.testing.assert_array_equal(whole.high[: at + 1], poisoned.high[: at + 1])
    assert not np.array_equal(whole.high[at + 1 :], poisoned.high[at + 1 :])
    cut = intervals(f[:at], y[:at], rows[:at], known_late(at, 2), positive=False)
    np.testing.assert_array_equal(whole.high[:at], cut.high)


def test_reliability_is_counted_by_tenths(run: RunData) -> None:
    head = next(h for h in heads(run) if h.task.kind == "direction")
    p, y = head.forecast[head.rows], head.label[head.rows]
    found = reliability(head, 200)
    assert [row["tenth"] for row in found] == list(range(1, 11))
    edges = np.quantile(p, np.linspace(0.0, 1.0, 11)[1:-1])
    tenth = np.digitize(p, edges)
    for k, row in enumerate(found):
        here = tenth == k
        assert row["count"] == here.sum()
        assert row["said"] == pytest.approx(p[here].mean())
        assert row["rose"] == pytest.approx(y[here].mean())
        assert row["low"] <= row["rose"] <= row["high"]
    even = dataclasses.replace(head, forecast=np.where(head.rows, 0.5, np.nan))
    (one,) = reliability(even, 200)
    assert (one["count"], one["said"]) == (len(p), 0.5)
    assert reliability(dataclasses.replace(head, rows=np.zeros_like(head.rows)), 200) == []


def test_each_kind_of_head_has_what_it_can_have(run: RunData) -> None:
    loud = slopes(run, 200)
    found = calibration(run, 200, loud)
    assert set(found["direction_3"]) == {"kind", "slope", "reliability"}
    assert set(found["return_3"]) == {"kind", "slope", "coverage"}
    assert set(found["volatility_3"]) == set(found["volume_3"]) == {"kind", "coverage"}
    assert found["return_3"]["slope"]["value"] == loud["return_3"]["value"]
    for task in ("return_3", "volatility_3", "volume_3"):
        c = found[task]["coverage"]
        assert c["nominal"] == 0.9
        assert c["low"] <= c["value"] <= c["high"]
        assert c["value"] == pytest.approx(0.9, abs=0.05)
        assert c["mean_width"] > 0.0
        assert c["rows"] > 400


def test_the_tables_read_an_interval_beside_what_was_said(run: RunData) -> None:
    summary = build(run, Report(bootstrap_samples=100))
    rows = intervals_sheet(summary).rows
    assert [row.cells[0] for row in rows] == ["return_3", "volatility_3", "volume_3"]
    assert {row.cells[1] for row in rows} == {"90.00 %"}
    assert len(reliability_sheet(summary).rows) == 10
    c = summary["calibration"]["return_3"]["coverage"]
    for low, high, reads in (
        (0.85, 0.95, "as said"), (0.5, 0.8, "held too seldom"), (0.95, 0.99, "held too often"),
        (None, None, "too few dates to tell"),
    ):  # fmt: skip
        c |= {"low": low, "high": high}
        assert intervals_sheet(summary).rows[0].cells[-1] == reads
    bare = build(
        dataclasses.replace(run, forecast=None, labels=None), Report(bootstrap_samples=100)
    )
    assert bare["calibration"] == {}
    assert intervals_sheet(bare).rows == reliability_sheet(bare).rows == ()
