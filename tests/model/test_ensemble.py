"""Members: independent trainings whose forecasts are averaged, with their disagreement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bot.config.schema import Model, Training
from bot.model.dataset import Dataset
from bot.model.predict import Predictor
from bot.model.training.train import member_seed, train

MakeDataset = Callable[..., Dataset]


@pytest.mark.parametrize(("architecture", "tolerance"), [("mmoe", 0.0), ("shared_bottom", 1e-4)])
def test_members_are_single_models_of_other_seeds(
    make_dataset: MakeDataset,
    settings: tuple[Model, Training],
    architecture: str,
    tolerance: float,
) -> None:
    """To the bit where autograd takes the steps of both, but for rounding where those of one are by hand."""
    model, training = settings
    model = model.model_copy(update={"architecture": architecture, "batch_norm": False})
    dataset = make_dataset()
    ensemble = train(dataset, model.model_copy(update={"members": 3}), training, seed=5)
    alone = [train(dataset, model, training, member_seed(5, member)) for member in range(3)]
    x = make_dataset(n_bars=30, seed=3).x.reshape(30, 3, -1)
    ready = np.random.default_rng(1).random((30, 3)) < 0.9
    each = [Predictor(single).predict(x, ready) for single in alone]
    for found, expected in zip(Predictor(ensemble).predict_members(x, ready), each, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * 0.01)
    mean, disagreement = Predictor(ensemble).predict_with_disagreement(x, ready)
    members = Predictor(ensemble).predict_members(x, ready)
    np.testing.assert_allclose(mean, np.mean(members, axis=0), rtol=1e-12)
    np.testing.assert_allclose(disagreement, np.std(members, axis=0), rtol=1e-9)
    assert mean.tobytes() == Predictor(ensemble).predict(x, ready).tobytes()
    assert (disagreement[ready] > 0).all()
    assert np.isnan(disagreement[~ready]).all()
    assert len(ensemble.history) == ensemble.metrics["epochs"] == 9
    assert ensemble.metrics["score"] == pytest.approx(
        np.mean([a.metrics["score"] for a in alone]), rel=max(tolerance, 1e-12)
    )


def test_a_single_model_has_no_disagreement(
    make_dataset: MakeDataset, settings: tuple[Model, Training]
) -> None:
    trained = train(make_dataset(), *settings, seed=1)
    x = make_dataset(n_bars=5).x.reshape(5, 3, -1)
    _, disagreement = Predictor(trained).predict_with_disagreement(
        x, np.ones((5, 3), dtype=np.bool_)
    )
    assert (disagreement == 0).all()
