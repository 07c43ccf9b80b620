"""Naive forecasts: by loops, and blind to what came after the training was due."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bot.blocks import F64
from bot.report.inputs import RunData
from bot.report.skill.baselines import Head, baseline_forecast, eras, heads
from bot.report.skill.baselines.base_rate import base_rate
from bot.report.skill.baselines.ewma import ewma_deviation
from bot.report.skill.baselines.hour_of_week import hour_of_week_mean
from bot.report.skill.baselines.training_mean import training_mean
from tests.report.conftest import plain_volatility


def head_of(run: RunData, kind: str) -> Head:
    return next(h for h in heads(run) if h.task.kind == kind)


def training_cells(run: RunData, head: Head, model: int) -> list[tuple[int, int]]:
    """Return bar and symbol of each labelled row known at the due bar, one by one."""
    info = run.models[model]
    return [
        (t, s)
        for t, time in enumerate(run.open_time.tolist())
        for s in range(run.n_symbols)
        if info.train_from_ms <= time <= info.train_to_ms
        and time + head.task.horizon * run.interval_ms <= info.due_ms
        and np.isfinite(head.label[t, s])
    ]


@pytest.mark.parametrize("model", [0, 1])
def test_base_rate_counts_known_rises(run: RunData, model: int) -> None:
    head = head_of(run, "direction")
    rises = [head.label[cell] for cell in training_cells(run, head, model)]
    assert run.forecast is not None
    got = baseline_forecast(run, head, base_rate)[run.forecast.model == model]
    np.testing.assert_allclose(got, (sum(rises) + 1) / (len(rises) + 2))


@pytest.mark.parametrize("model", [0, 1])
def test_hour_of_week_is_the_mean_of_its_rows(run: RunData, model: int) -> None:
    """The first model has seen half a week; some hours have one row, or none."""
    assert run.labels is not None
    labels = run.labels.copy()
    labels[:80:3, 1:, 3] = np.nan
    run = dataclasses.replace(run, labels=labels)
    head = head_of(run, "volume")
    cells = training_cells(run, head, model)
    hour = run.open_time // run.interval_ms % 168
    got = baseline_forecast(run, head, hour_of_week_mean)
    assert run.forecast is not None
    every = np.mean([head.label[cell] for cell in cells])
    for t in np.flatnonzero(run.forecast.model == model):
        same = [head.label[c] for c in cells if hour[c[0]] == hour[t]]
        np.testing.assert_allclose(got[t], np.mean(same) if same else every)


def test_ewma_is_that_of_a_loop(run: RunData) -> None:
    got = ewma_deviation(run)
    top = bottom = 0.0
    last = float("nan")
    for t in range(len(run.equity)):
        if run.bars.valid[t, 0]:
            close = float(run.bars.close[t, 0])
            if not np.isnan(last):
                top = 0.94 * top + 0.06 * (close / last - 1.0) ** 2
                bottom = 0.94 * bottom + 0.06
            last = close
        if bottom:
            assert got[t, 0] == pytest.approx(np.sqrt(top / bottom))


def test_variances_are_scaled_best_for_qlike_on_the_training_rows(run: RunData) -> None:
    head = head_of(run, "volatility")
    naive = plain_volatility(run, head)
    e = ewma_deviation(run)
    assert run.forecast is not None
    cells = [c for c in training_cells(run, head, 1) if np.isfinite(e[c])]
    y = np.array([head.label[c] for c in cells])
    x = np.array([e[c] for c in cells])
    bars = run.forecast.model == 1
    np.testing.assert_allclose(naive.deviation[bars], y.sum() / x.sum() * e[bars])
    np.testing.assert_allclose(naive.variance[bars], np.mean((y / x) ** 2) * e[bars] ** 2)


def test_a_recorded_scale_is_the_models_own(run: RunData) -> None:
    scaled = tuple(
        dataclasses.replace(m, variance_scales={"volatility_3": 1.5}) for m in run.models
    )
    changed = dataclasses.replace(run, models=scaled)
    head = head_of(changed, "volatility")
    naive = plain_volatility(changed, head)
    rows = head.rows
    np.testing.assert_allclose(naive.model_variance[rows], 1.5 * head.forecast[rows] ** 2)


def test_a_small_recorded_scale_is_the_models_own_as_well(run: RunData) -> None:
    scaled = tuple(
        dataclasses.replace(m, variance_scales={"volatility_3": 0.5}) for m in run.models
    )
    changed = dataclasses.replace(run, models=scaled)
    head = head_of(changed, "volatility")
    naive = plain_volatility(changed, head)
    rows = head.rows
    np.testing.assert_allclose(naive.model_variance[rows], 0.5 * head.forecast[rows] ** 2)


@pytest.mark.parametrize("recorded", [0.0, -1.0, float("nan"), float("inf")])
def test_without_a_recorded_scale_the_models_is_the_baselines(
    run: RunData, recorded: float
) -> None:
    scaled = tuple(
        dataclasses.replace(m, variance_scales={"volatility_3": recorded}) for m in run.models
    )
    changed = dataclasses.replace(run, models=scaled)
    head = head_of(changed, "volatility")
    naive = plain_volatility(changed, head)
    scale = naive.variance[head.rows] / naive.deviation[head.rows] ** 2
    own = naive.model_variance[head.rows] / head.forecast[head.rows] ** 2
    np.testing.assert_allclose(own, scale)


def test_a_forecast_near_zero_is_lifted_to_a_twentieth_of_the_mean_target(run: RunData) -> None:
    head = head_of(run, "volatility")
    head = dataclasses.replace(head, forecast=head.forecast.copy())
    head.forecast[run.start_index + 5 :: 7] = 1e-12
    naive = plain_volatility(run, head)
    for model in (0, 1):
        cells = training_cells(run, head, model)
        e = ewma_deviation(run)
        mean = np.mean([head.label[c] for c in cells if np.isfinite(e[c])])
        assert run.forecast is not None
        at = (run.forecast.model == model)[:, None] & (head.forecast == 1e-12)
        scale = naive.variance[at] / naive.deviation[at] ** 2
        np.testing.assert_allclose(naive.model_variance[at] / scale, (0.05 * mean) ** 2)


def test_training_mean_is_that_of_known_rows(run: RunData) -> None:
    assert run.forecast is not None
    for kind in ("volume", "return"):
        head = head_of(run, kind)
        for model in (0, 1):
            cells = training_cells(run, head, model)
            got = baseline_forecast(run, head, training_mean)[run.forecast.model == model]
            np.testing.assert_allclose(got, np.mean([head.label[c] for c in cells]), rtol=1e-9)


def test_the_last_training_row_counts(run: RunData) -> None:
    head = head_of(run, "volume")
    last = int(np.flatnonzero(np.isfinite(head.label[:60]).all(axis=1))[-1])
    model = dataclasses.replace(run.models[0], train_to_ms=int(run.open_time[last]))
    changed = dataclasses.replace(run, models=(model, run.models[1]))
    assert run.forecast is not None
    got = baseline_forecast(changed, head, training_mean)[run.forecast.model == 0]
    rows = head.label[: last + 1]
    np.testing.assert_allclose(got, rows[np.isfinite(rows)].mean(), rtol=1e-9)


def test_a_model_without_training_rows_has_no_baseline(run: RunData) -> None:
    early = dataclasses.replace(run.models[0], train_from_ms=run.models[0].train_to_ms)
    changed = dataclasses.replace(run, models=(early, run.models[1]))
    assert run.forecast is not None
    model = run.forecast.model
    for kind, of in (("direction", base_rate), ("volume", training_mean)):
        got = baseline_forecast(changed, head_of(changed, kind), of)
        assert np.isnan(got[model == 0]).all()
        assert np.isfinite(got[model == 1]).all()
    naive = plain_volatility(changed, head_of(changed, "volatility"))
    assert np.isnan(naive.variance[model == 0]).all()
    assert np.isfinite(naive.variance[model == 1]).all()


def test_a_training_without_movement_has_no_volatility_baseline(run: RunData) -> None:
    """Of the first model alone; the second has seen movement."""
    head = head_of(run, "volatility")
    assert run.forecast is not None
    model = run.forecast.model
    still = head.label.copy()
    still[: run.start_index] = 0.0
    quiet = run.bars.close.copy()
    quiet[: run.start_index] = 100.0
    bars = dataclasses.replace(run.bars, close=np.where(run.bars.valid, quiet, np.nan))
    for other, label in (
        (run, still), (dataclasses.replace(run, bars=bars), head.label),
    ):  # fmt: skip
        naive = plain_volatility(other, dataclasses.replace(head, label=label))
        assert np.isnan(naive.variance[model == 0]).all()
        assert np.isfinite(naive.variance[model == 1]).all()


def test_a_short_training_on_small_moves_has_a_volatility_baseline(run: RunData) -> None:
    """Ten rows whose targets and deviations sum to far less than one."""
    first = dataclasses.replace(
        run.models[0], train_from_ms=int(run.open_time[run.start_index - 22])
    )
    changed = dataclasses.replace(run, models=(first, run.models[1]))
    head = head_of(changed, "volatility")
    cells = training_cells(changed, head, 0)
    e = ewma_deviation(changed)
    y, x = (np.array([a[c] for c in cells]) for a in (head.label, e))
    assert 0.0 < y.sum() < 1.0
    assert run.forecast is not None
    bars = run.forecast.model == 0
    naive = plain_volatility(changed, head)
    np.testing.assert_allclose(naive.deviation[bars], y.sum() / x.sum() * e[bars])


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_a_label_counts_from_the_bar_at_which_it_is_known(run: RunData, shift: int) -> None:
    """The label of t is known at the close of t + 3: at a due bar of t + 3, and not a bar before."""
    head = head_of(run, "volume")
    t = int(np.flatnonzero(np.isfinite(head.label[:80]).all(axis=1))[-1])
    due = t + 3 + shift
    model = dataclasses.replace(run.models[1], due_ms=int(run.open_time[due]))
    changed = dataclasses.replace(run, models=(run.models[0], model))
    era = next(e for e in eras(changed, head) if e.model == 1)
    assert era.trained[t - era.first].all() == (shift >= 0)


def _poisoned(run: RunData, from_bar: int) -> RunData:
    """Change every label that was not known, and every close, from a bar on."""
    assert run.labels is not None
    labels: F64 = run.labels.copy()
    labels[from_bar - 2 :] = 77.0
    close = run.bars.close.copy()
    close[from_bar + 1 :] *= 3.0
    return dataclasses.replace(run, labels=labels, bars=dataclasses.replace(run.bars, close=close))


def test_what_came_after_the_due_bar_changes_nothing(run: RunData) -> None:
    assert run.forecast is not None
    due = int(np.searchsorted(run.open_time, run.models[1].due_ms))
    changed = _poisoned(run, due)
    at = due + 1
    for kind, of in (
        ("direction", base_rate),
        ("volume", hour_of_week_mean),
    ):
        before, after = (
            baseline_forecast(run, head_of(run, kind), of),
            baseline_forecast(changed, head_of(changed, kind), of),
        )
        np.testing.assert_array_equal(before[: at + 1], after[: at + 1])
    old, new = (plain_volatility(r, head_of(r, "volatility")) for r in (run, changed))
    np.testing.assert_array_equal(old.variance[:at], new.variance[:at])


def test_forecasts_made_elsewhere_are_judged_by_what_came_before_them(run: RunData) -> None:
    assert run.forecast is not None
    first = int(np.flatnonzero(run.forecast.model >= 0)[0])
    value = run.forecast.value.copy()
    value[first, 0] = np.nan
    forecast = dataclasses.replace(run.forecast, value=value)
    changed = dataclasses.replace(run, models=(), forecast=forecast)
    head = head_of(changed, "direction")
    assert [(era.model, int(era.bars[0])) for era in eras(changed, head)] == [(-1, first)]
    naive = plain_volatility(changed, head_of(changed, "volatility"))
    assert np.isfinite(naive.model_variance[first + 1 :][head.rows[first + 1 :]]).all()
    rises = head.label[: first - 3]
    rises = rises[np.isfinite(rises)]
    got = baseline_forecast(changed, head, base_rate)[first]
    np.testing.assert_allclose(got, (rises.sum() + 1) / (len(rises) + 2))


def test_a_single_date_of_forecasts_made_elsewhere_has_a_baseline(run: RunData) -> None:
    assert run.forecast is not None
    value = np.full_like(run.forecast.value, np.nan)
    value[50] = run.forecast.value[np.flatnonzero(run.forecast.model >= 0)[0]]
    forecast = dataclasses.replace(run.forecast, value=value)
    changed = dataclasses.replace(run, models=(), forecast=forecast)
    (era,) = eras(changed, head_of(changed, "direction"))
    assert (era.bars.tolist(), era.first, era.stop) == ([50], 0, 50)


def test_only_rows_from_the_start_on_are_judged(run: RunData) -> None:
    for head in heads(run):
        assert not head.rows[: run.start_index].any()
        assert head.rows[run.start_index :].any()
