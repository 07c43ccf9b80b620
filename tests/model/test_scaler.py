from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from bot.config.schema import Model, Training
from bot.model.dataset import Dataset, split_chronological
from bot.model.predict import Predictor
from bot.model.scaler import BEND, CLIP, Scaler
from bot.model.training.train import parts_of, train

MakeDataset = Callable[..., Dataset]


def test_columns_come_out_standard_and_directions_untouched(make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    scaler = Scaler.fit(dataset)
    z, t = scaler.features(dataset.x), scaler.targets(dataset.y)
    assert z.dtype == t.dtype == np.float32
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=0), 1.0, atol=1e-5)
    regressions = [0, 2, 3]
    np.testing.assert_allclose(np.nanmean(t[:, regressions], axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(t[:, regressions], axis=0), 1.0, atol=1e-5)
    np.testing.assert_array_equal(t[:, 1], dataset.y[:, 1].astype(np.float32))
    np.testing.assert_array_equal(np.isnan(t), np.isnan(dataset.y))


def test_constant_columns_keep_their_scale_and_outliers_are_cut(make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    x = dataset.x.copy()
    x[:, 0] = 0.1  # its mean is off by a rounding, its deviation is not exactly 0
    x[:, 1] = 0.0
    scaler = Scaler.fit(replace(dataset, x=x))
    assert scaler.feature_std[:2].tolist() == [1.0, 1.0]
    far = np.full((1, x.shape[1]), 1e9)
    assert (scaler.features(far) == CLIP).all()
    assert (scaler.features(-far) == -CLIP).all()


def test_a_task_without_labels_keeps_its_units(make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    y = dataset.y.copy()
    y[:, 3] = np.nan
    scaler = Scaler.fit(replace(dataset, y=y))
    assert (scaler.target_mean[3], scaler.target_std[3]) == (0.0, 1.0)
    assert scaler.target_std[0] == Scaler.fit(dataset).target_std[0]


def test_validation_rows_never_reach_the_scaler(
    make_dataset: MakeDataset, settings: tuple[Model, Training]
) -> None:
    model, training = settings
    dataset = make_dataset()
    fitted, held = split_chronological(dataset, training.validation_fraction, 0)
    later = dataset.bar > fitted.bar.max()  # validation and embargo
    assert later.sum() > len(held)
    poisoned = replace(
        dataset,
        x=np.where(later[:, None], 1e6, dataset.x),
        y=np.where(later[:, None] & np.array([True, False, True, True]), 1e3, dataset.y),
    )
    honest, other = (train(d, model, training, seed=2) for d in (dataset, poisoned))
    for name in ("feature_mean", "feature_std", "target_mean", "target_std"):
        np.testing.assert_array_equal(getattr(honest.scaler, name), getattr(other.scaler, name))
    assert honest.baselines == other.baselines
    assert honest.history[0].train == other.history[0].train
    assert honest.history[0].validation != other.history[0].validation


def test_targets_above_zero_are_learned_as_logarithms_and_told_in_their_own_units(
    make_dataset: MakeDataset,
) -> None:
    dataset = make_dataset()
    y = dataset.y.copy()
    y[3, 2] = 0.0  # a volatility of nothing has no logarithm
    scaler = Scaler.fit(replace(dataset, y=y), logarithms=True)
    learned = scaler.targets(y)
    floor = 0.01 * np.nanmean(y[:, 2])
    logs = np.log(np.maximum(y[:, 2], floor))
    np.testing.assert_allclose(
        learned[:, 2], (logs - np.nanmean(logs)) / np.nanstd(logs), rtol=1e-5, atol=1e-5
    )
    plain = Scaler.fit(replace(dataset, y=y)).targets(y)
    np.testing.assert_array_equal(learned[:, [0, 1, 3]], plain[:, [0, 1, 3]])


def test_a_forecast_of_a_logarithm_is_right_in_the_mean_and_above_its_floor(
    make_dataset: MakeDataset, settings: tuple[Model, Training]
) -> None:
    model, training = settings
    dataset = make_dataset()
    trained = train(dataset, model, training.model_copy(update={"log_targets": True}), seed=5)
    _, held = parts_of(dataset, training)
    forecast = Predictor(trained).predict(*held.as_bars())[:, 0, 2]
    known = np.isfinite(held.y[:, 2])
    assert forecast[known].mean() == pytest.approx(held.y[known, 2].mean(), rel=1e-6)
    assert np.corrcoef(np.log(forecast[known]), np.log(held.y[known, 2]))[0, 1] > 0.9
    far = np.full((4, 1, 6), -1e9)
    wild = Predictor(trained).predict(far, np.ones((4, 1), dtype=np.bool_))[:, :, 2]
    assert (wild >= trained.scaler.log_floor[2]).all()
    assert np.isfinite(wild).all()


def test_robust_features_bend_and_do_not_feel_an_outlier(
    make_dataset: MakeDataset, settings: tuple[Model, Training]
) -> None:
    dataset = make_dataset()
    x = dataset.x.copy()
    x[0, 0] = 1e9
    x[:, 1] = np.where(np.arange(len(x)) < 10, 5.0, 2.0)  # its quartiles are one number
    scaler = Scaler.fit(replace(dataset, x=x), robust=True)
    plain = Scaler.fit(dataset, robust=True)
    assert scaler.feature_std[0] == pytest.approx(plain.feature_std[0], rel=0.02)
    z = scaler.features(x)
    assert np.abs(z).max() <= BEND
    q = np.quantile(x[:, 2], [0.25, 0.5, 0.75])
    straight = (x[:, 2] - q[1]) / (q[2] - q[0])
    np.testing.assert_allclose(z[:, 2], straight / np.hypot(1.0, straight / 3.0), rtol=1e-5)
    assert np.isfinite(z[:, 1]).all()
    model, training = settings
    trained = train(
        dataset, model.model_copy(update={"scaling": "robust", "members": 1}), training, seed=5
    )
    x3, ready, _, _ = make_dataset(n_bars=20, seed=4).as_bars()
    found = Predictor(trained).predict(x3, ready)
    with torch.inference_mode():
        raw = trained.network()(torch.from_numpy(trained.scaler.features(x3[:, 0])))
    s = trained.scaler
    np.testing.assert_allclose(
        found[:, 0, 0], raw[:, 0].numpy() * s.target_std[0] + s.target_mean[0], rtol=1e-4, atol=1e-6
    )
