from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from bot.blocks import F64
from bot.config.schema import Model
from bot.errors import ModelError
from bot.model.dataset import Dataset
from bot.model.predict import TILE, Predictor
from bot.model.scaler import LEAST_SHARE
from bot.model.trained import ModelSpec, weights_of
from bot.model.training.train import TrainedModel

MakeDataset = Callable[..., Dataset]
F, S = 22, 3


@pytest.fixture(scope="module")
def default_model(trained: TrainedModel) -> TrainedModel:
    """The default net's shapes with random weights: bits do not care for skill."""
    spec = ModelSpec(Model(members=1), F, trained.tasks)
    torch.manual_seed(8)
    network = spec.build()
    for _ in range(3):
        network(torch.randn(64, F))
    rng = np.random.default_rng(2)
    scaler = replace(
        trained.scaler, feature_mean=rng.normal(size=F), feature_std=rng.uniform(0.1, 9.0, size=F)
    )
    return replace(trained, spec=spec, weights=weights_of(network), scaler=scaler)


@pytest.fixture(scope="module")
def predictor(default_model: TrainedModel) -> Predictor:
    return Predictor(default_model)


@pytest.fixture(scope="module")
def features() -> F64:
    return np.random.default_rng(4).normal(size=(700, S, F)) * 5.0


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def everything(x: F64) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.ones(x.shape[:2], dtype=np.bool_)


def test_equals_the_plain_network(make_dataset: MakeDataset, trained: TrainedModel) -> None:
    x = make_dataset(seed=9).x.reshape(-1, 3, 6)
    forecast = Predictor(trained).predict(x, everything(x))
    z = torch.from_numpy(trained.scaler.features(x.reshape(-1, 6)))
    with torch.inference_mode():
        single = trained.network()(z).double().numpy()
        double = trained.network().double()(z.double()).numpy()
    s = trained.scaler
    for raw in (single, double):
        expected = raw * s.target_std + s.target_mean
        expected[:, 1] = expit(raw[:, 1])
        expected[:, 2] = np.maximum(expected[:, 2], LEAST_SHARE * s.target_mean[2])
        scale = np.where(np.arange(4) == 1, 1.0, s.target_std)
        assert np.abs((forecast.reshape(-1, 4) - expected) / scale).max() < 1e-5


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 699), max_size=8), st.floats(0.0, 1.0), st.integers(0, 2**31))
def test_any_cut_of_the_block_gives_the_same_bits(
    predictor: Predictor, features: F64, cuts: list[int], share: float, seed: int
) -> None:
    ready = np.random.default_rng(seed).random(features.shape[:2]) <= share
    whole = predictor.predict(features, ready)
    assert np.array_equal(np.isnan(whole), np.repeat(~ready[:, :, None], 4, axis=2))
    edges = [0, *sorted(set(cuts)), len(features)]
    parts = [predictor.predict(features[a:b], ready[a:b]) for a, b in pairwise(edges)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_bar_by_bar_gives_the_same_bits(predictor: Predictor, features: F64) -> None:
    whole = predictor.predict(features, everything(features))
    single = [predictor.predict(features[i : i + 1], everything(features[:1])) for i in range(700)]
    assert np.concatenate(single).tobytes() == whole.tobytes()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1, 2]))
def test_order_neighbours_and_threads_do_not_matter(
    predictor: Predictor, features: F64, seed: int, count: int
) -> None:
    whole = predictor.predict(features, everything(features))
    order = np.random.default_rng(seed).permutation(len(features))
    with threads(count):
        turned = predictor.predict(features[order], everything(features))
    assert turned.tobytes() == whole[order].tobytes()


def test_every_place_in_a_tile_gives_the_same_bits(predictor: Predictor, features: F64) -> None:
    row = features[:1, :1]
    alone = predictor.predict(row, everything(row))
    tile = np.repeat(row, TILE, axis=0)
    assert (predictor.predict(tile, everything(tile)) == alone).all()


def test_two_predictors_of_one_model_agree(default_model: TrainedModel, features: F64) -> None:
    a, b = Predictor(default_model), Predictor(default_model)
    first = a.predict(features, everything(features))
    assert b.predict(np.asfortranarray(features), everything(features)).tobytes() == first.tobytes()


def test_rows_not_ready_are_not_even_looked_at(predictor: Predictor, features: F64) -> None:
    x = features[:10].copy()
    ready = everything(x)
    ready[3, 1] = False
    x[3, 1] = np.nan
    forecast = predictor.predict(x, ready)
    assert np.isnan(forecast[3, 1]).all()
    assert np.isfinite(forecast[ready]).all()
    nothing = predictor.predict(x, np.zeros_like(ready))
    assert np.isnan(nothing).all()
    assert predictor.predict(x[:0], ready[:0]).shape == (0, S, 4)


def test_forecasts_stay_in_their_range_whatever_the_logit(default_model: TrainedModel) -> None:
    weights = dict(default_model.weights)
    x = np.random.default_rng(1).normal(size=(5, 1, F))
    for bias in (-1e4, 1e4):
        weights["heads.bias"] = np.full(4, bias, dtype=np.float32)
        model = replace(default_model, weights=weights)
        forecast = Predictor(model).predict(x, everything(x))[:, 0]
        assert (forecast[:, 1] == (0.0 if bias < 0 else 1.0)).all()
        if bias < 0:
            floor = LEAST_SHARE * model.scaler.target_mean[2]
            assert (forecast[:, 2] == floor).all()
            assert floor > 0


def test_refuses_other_features(predictor: Predictor, features: F64) -> None:
    with pytest.raises(ModelError, match="reads 22 features and is given 21"):
        predictor.predict(features[:, :, 1:], everything(features))
