"""How much of a forecast is believed: against an independent regression, and what it must never do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.model.dataset import Dataset
from bot.model.predict import Predictor
from bot.model.shrinkage import LARGEST_SLOPE, PRIOR_DEVIATION, Shrinkage, fit_shrinkage, shrunk
from bot.model.training.train import parts_of, train

RETURN, UP, VOLATILITY = (Task(kind, 5) for kind in ("return", "direction", "volatility"))
RATES = {"direction_5": 0.51}


def spoken(loudness: float, n: int = 3000, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return forecasts that are `loudness` times as large as what follows, and what follows."""
    rng = np.random.default_rng(seed)
    known = 0.002 * rng.normal(size=n)
    return loudness * known, known + 0.01 * rng.normal(size=n)


def test_the_slope_and_its_error_are_those_of_a_regression_with_lags() -> None:
    f, y = spoken(4.0)
    y = np.convolve(y, np.ones(5))[: len(y)]
    found = fit_shrinkage([RETURN], f[:, None], y[:, None], np.arange(len(f)), {})["return_5"]
    slope = np.linalg.lstsq(f[:, None], y, rcond=None)[0][0]
    u = f * (y - slope * f)
    apart = np.abs(np.subtract.outer(np.arange(len(u)), np.arange(len(u))))
    error = np.sqrt(u @ np.maximum(1.0 - apart / 5.0, 0.0) @ u) / (f @ f)  # Bartlett's kernel
    assert found.estimate == pytest.approx(slope, rel=1e-9)
    assert found.error == pytest.approx(error, rel=1e-9)
    variance = PRIOR_DEVIATION**2
    assert found.slope == pytest.approx(slope * variance / (variance + error**2), rel=1e-9)


def test_symbols_of_a_bar_are_no_independent_evidence() -> None:
    f, y = spoken(4.0)
    bar = np.arange(len(f))
    once = fit_shrinkage([RETURN], f[:, None], y[:, None], bar, {})["return_5"]
    four = fit_shrinkage(
        [RETURN], np.repeat(f, 4)[:, None], np.repeat(y, 4)[:, None], np.repeat(bar, 4), {}
    )["return_5"]
    assert four.error == pytest.approx(once.error, rel=1e-9)


def test_a_loud_head_is_shrunk_to_the_size_of_what_follows() -> None:
    f, y = spoken(4.0, n=40_000)
    found = fit_shrinkage([RETURN], f[:, None], y[:, None], np.arange(len(f)), {})["return_5"]
    assert found.slope == pytest.approx(0.25, abs=0.03)


def test_a_head_that_is_wrong_way_round_tells_the_base() -> None:
    f, y = spoken(-4.0)
    up = (y > 0).astype(float)
    both = fit_shrinkage(
        [RETURN, UP], np.column_stack([f, 0.5 + 10 * f]), np.column_stack([y, up]),
        np.arange(len(f)), RATES,
    )  # fmt: skip
    value = shrunk(both, [RETURN, UP], np.array([[0.01, 0.7], [np.nan, np.nan]]))
    np.testing.assert_array_equal(value, [[0.0, 0.51], [np.nan, np.nan]])


def test_a_direction_is_shrunk_to_the_base_rate_of_the_training_rows() -> None:
    f, _ = spoken(1.0, n=20_000)
    p = np.clip(0.55 + 40 * f, 0.01, 0.99)
    up = (np.random.default_rng(3).random(len(p)) < 0.5 + 0.5 * (p - p.mean())).astype(float)
    found = fit_shrinkage([UP], p[:, None], up[:, None], np.arange(len(p)), RATES)["direction_5"]
    assert found.estimate == pytest.approx(0.5, abs=0.1)
    assert float(found.shrunk(p).mean()) == pytest.approx(0.51, abs=1e-9)


def test_what_says_nothing_or_has_no_label_is_not_believed() -> None:
    n = 50
    flat = fit_shrinkage([RETURN], np.zeros((n, 1)), np.ones((n, 1)), np.arange(n), {})
    assert flat["return_5"].slope == 0.0
    unlabelled = fit_shrinkage(
        [RETURN, UP], np.ones((n, 2)), np.full((n, 2), np.nan), np.arange(n), RATES
    )
    assert [each.slope for each in unlabelled.values()] == [0.0, 0.0]
    assert np.isfinite([each.error for each in unlabelled.values()]).all()
    quiet = np.linspace(-1, 1, n)
    loud = fit_shrinkage([RETURN], quiet[:, None] / 9, quiet[:, None], np.arange(n), {})
    assert loud["return_5"].slope == LARGEST_SLOPE


def test_other_heads_are_left_as_they_are() -> None:
    assert fit_shrinkage([VOLATILITY], np.ones((9, 1)), np.ones((9, 1)), np.arange(9), {}) == {}
    assert Shrinkage.from_json(Shrinkage(0.0, 0.5, 0.1, 0.7, 0.2).to_json()) == Shrinkage(
        0.0, 0.5, 0.1, 0.7, 0.2
    )


def test_a_training_fits_it_on_the_validation_rows_of_the_mean_of_its_members(
    make_dataset: Callable[..., Dataset], settings: tuple[Model, Training]
) -> None:
    model, training = settings
    dataset = make_dataset()
    trained = train(dataset, model.model_copy(update={"members": 2}), training, seed=5)
    _, held = parts_of(dataset, training)
    forecast = Predictor(trained).predict(*held.as_bars())[:, 0]
    rates = {name: each["mean"] for name, each in trained.baselines.items()}
    assert trained.shrinkage == fit_shrinkage(trained.tasks, forecast, held.y, held.bar, rates)
    assert trained.shrinkage["return_5"].slope > 0.5  # what is planted is found
    plain = train(dataset, model, training.model_copy(update={"shrinkage": False}), seed=5)
    assert plain.shrinkage == {}
