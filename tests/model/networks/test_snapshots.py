"""A task is read from the epoch at which its own head was best, and from no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bot.adapters.files.models import load_model, save_model
from bot.config.schema import Model, Training
from bot.model.dataset import Dataset
from bot.model.networks.snapshots import Snapshots
from bot.model.predict import Predictor
from bot.model.training.train import train

LONG = {"epochs": 12, "patience": 3, "best_epoch": "per_head"}


@pytest.mark.parametrize(
    "change",
    [
        {}, {"members": 2}, {"architecture": "mmoe"}, {"architecture": "hierarchical"},
        {"heads": "per_symbol"}, {"symbol_embedding": 3},
    ],
)  # fmt: skip
def test_each_head_is_kept_at_its_own_best_epoch(
    make_dataset: Callable[..., Dataset],
    settings: tuple[Model, Training],
    tmp_path: Path,
    change: dict[str, object],
) -> None:
    dataset = replace(make_dataset(), symbols=("a", "b", "c"))
    model = settings[0].model_copy(update=change)
    training = settings[1].model_copy(update=LONG)
    trained = train(dataset, model, training, seed=5)
    first = list(trained.history)
    kept = trained.snapshots[0]
    assert max(kept) > 0
    # the first member's epochs end where its numbers start again
    stop = next((k for k in range(1, len(first)) if first[k].number == 1), len(first))
    best = []
    for k in range(4):
        losses = [epoch.validation[k] for epoch in first[:stop]]
        waited = patient_minimum([float(loss) for loss in losses if loss is not None], 3)
        best.append(waited)
    assert [sorted(set(best)).index(number) for number in best] == list(kept)
    save_model(tmp_path, trained, {"features": list("abcdef")})
    again, manifest = load_model(tmp_path, trained.model_id)
    assert manifest["snapshots"] == [list(member) for member in trained.snapshots]
    x, ready, windows, places = make_dataset(n_bars=20, seed=4).as_bars()
    before = Predictor(trained).predict(x, ready, windows, places)
    assert before.tobytes() == Predictor(again).predict(x, ready, windows, places).tobytes()
    assert again.model_id == trained.model_id


def patient_minimum(losses: list[float], patience: int) -> int:
    """Return the epoch, from 0, that waits `patience` epochs for a better one."""
    best = 0
    for k, loss in enumerate(losses):
        if loss < losses[best]:
            best = k
        elif k - best >= patience:
            break
    return best


def test_a_forecast_is_that_of_the_tasks_own_snapshot(
    make_dataset: Callable[..., Dataset], settings: tuple[Model, Training]
) -> None:
    trained = train(make_dataset(), settings[0], settings[1].model_copy(update=LONG), seed=5)
    network = trained.network()
    assert isinstance(network, Snapshots)
    x = torch.randn(64, 6)
    with torch.inference_mode():
        alone = [each(x) for each in network.networks]
        together = network(x)
        folded = network.fold(64)(x)
    for k, snapshot in enumerate(trained.snapshots[0]):
        assert torch.equal(together[:, k], alone[snapshot][:, k])
    np.testing.assert_allclose(folded, together, rtol=1e-4, atol=1e-5)


def test_a_shared_epoch_keeps_one_network(
    make_dataset: Callable[..., Dataset], settings: tuple[Model, Training]
) -> None:
    assert train(make_dataset(), *settings, seed=5).snapshots == ()
