from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from bot.config.schema import Model, Training
from bot.errors import DataError, ModelError
from bot.model.dataset import Dataset, split_chronological
from bot.model.predict import Predictor
from bot.model.threads import one_thread, single_thread
from bot.model.trained import Epoch
from bot.model.training.losses import TaskLosses, naive_losses
from bot.model.training.rows import batches
from bot.model.training.train import TrainedModel, train

MakeDataset = Callable[..., Dataset]
Settings = tuple[Model, Training]


def same_bits(a: TrainedModel, b: TrainedModel) -> bool:
    return (
        a.model_id == b.model_id
        and a.history == b.history
        and a.weights.keys() == b.weights.keys()
        and all(a.weights[k].tobytes() == b.weights[k].tobytes() for k in a.weights)
    )


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty"])
def test_same_seed_same_bits_whatever_the_process_did_before(
    make_dataset: MakeDataset, settings: Settings, weighting: str
) -> None:
    model, training = settings
    training = training.model_copy(update={"weighting": weighting})
    first = train(make_dataset(), model, training, seed=11)
    torch.manual_seed(999)
    torch.rand(17)
    before = torch.random.get_rng_state()
    assert same_bits(first, train(make_dataset(), model, training, seed=11))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not same_bits(first, train(make_dataset(), model, training, seed=12))


def test_two_threads_outside_change_nothing(
    make_dataset: MakeDataset, settings: Settings, trained: TrainedModel
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert same_bits(trained, train(make_dataset(), *settings, seed=5))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_fresh_process_trains_the_same_model(
    make_dataset: MakeDataset, settings: Settings, trained: TrainedModel
) -> None:
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context, initializer=single_thread) as pool:
        apart = pool.submit(train, make_dataset(), *settings, 5).result(timeout=120)
    assert same_bits(trained, apart)


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty"])
def test_learns_a_planted_relation(make_dataset: MakeDataset, weighting: str) -> None:
    dataset = make_dataset(n_bars=1500)
    training = Training(weights={}, epochs=15, batch_size=256, learning_rate=0.005, min_rows=10)
    training = training.model_copy(update={"weighting": weighting})
    trained = train(dataset, Model(members=1, hidden=(32,), head_hidden=16), training, seed=1)
    fresh = make_dataset(n_bars=500, seed=77)
    forecast = Predictor(trained).predict(fresh.x[:, None, :], np.ones((len(fresh), 1), bool))[:, 0]
    known = ~np.isnan(fresh.y).any(axis=1)
    y, f = fresh.y[known], forecast[known]
    assert np.corrcoef(y[:, 0], f[:, 0])[0, 1] > 0.7  # 0.81 is all there is
    assert ((f[:, 1] > 0.5) == (y[:, 1] > 0.5)).mean() > 0.75
    assert np.corrcoef(y[:, 2], f[:, 2])[0, 1] > 0.9
    assert abs(np.corrcoef(y[:, 3], f[:, 3])[0, 1]) < 0.15
    slope = np.polyfit(fresh.x[known, 0], f[:, 0], 1)[0]
    assert slope == pytest.approx(0.007, rel=0.25)


def test_keeps_the_best_epoch_and_stops_when_waiting_is_over(make_dataset: MakeDataset) -> None:
    seen: list[Epoch] = []
    training = Training(
        weights={}, epochs=60, batch_size=32, learning_rate=0.02, patience=2, min_rows=10
    )
    dataset = make_dataset(n_bars=200)
    trained = train(dataset, Model(members=1, hidden=(64,)), training, 3, seen.append)
    scores = [epoch.score for epoch in trained.history]
    best = trained.metrics["best_epoch"]
    assert tuple(seen) == trained.history
    assert best == 1 + int(np.argmin(scores)) == len(scores) - 2 < 60
    # the weights are those of the best epoch: its validation losses come out again
    _, held = split_chronological(dataset, training.validation_fraction, 0)
    x, y = trained.scaler.features(held.x), trained.scaler.targets(held.y)
    with torch.inference_mode():
        losses, _ = TaskLosses(held.tasks, training.return_loss)(
            trained.network()(torch.from_numpy(x)),
            torch.from_numpy(np.nan_to_num(y)),
            torch.from_numpy((~np.isnan(y)).astype(np.float32)),
        )
    assert losses.tolist() == pytest.approx(trained.history[best - 1].validation, abs=1e-5)
    unit = naive_losses(held.tasks, training.return_loss).numpy()
    assert trained.metrics["score"] == pytest.approx(np.mean(losses.numpy() / unit), abs=1e-5)


def best_of(scores: Sequence[float | None], patience: int) -> int:
    """Return the epoch that early stopping keeps, written a second time."""
    best, waited = 0, 0
    for k, score in enumerate(scores):
        if k and score is not None and score < (scores[best] or 0.0):
            best, waited = k, 0
        elif k:
            waited += 1
        if waited == patience:
            break
    return best


def test_networks_that_share_nothing_stop_each_by_its_own_task(make_dataset: MakeDataset) -> None:
    training = Training(
        weights={}, epochs=60, batch_size=32, learning_rate=0.02, patience=2, min_rows=10
    )
    dataset = make_dataset(n_bars=200)
    model = Model(members=1, architecture="single", hidden=(64,))
    trained = train(dataset, model, training, 3)
    losses = [[epoch.validation[k] for epoch in trained.history] for k in range(4)]
    best = [best_of(own, 2) for own in losses]
    assert len(set(best)) > 1
    assert len(trained.history) == min(60, max(best) + 3)
    assert trained.metrics["best_epoch"] == max(best) + 1
    _, held = split_chronological(dataset, training.validation_fraction, 0)
    x, y = trained.scaler.features(held.x), trained.scaler.targets(held.y)
    with torch.inference_mode():
        again, _ = TaskLosses(held.tasks, training.return_loss)(
            trained.network()(torch.from_numpy(x)),
            torch.from_numpy(np.nan_to_num(y)),
            torch.from_numpy((~np.isnan(y)).astype(np.float32)),
        )
    kept = [own[k] for own, k in zip(losses, best, strict=True)]
    assert again.tolist() == pytest.approx(kept, abs=1e-5)
    assert list(trained.metrics["loss_validation"].values()) == kept
    # an embedding that all of them read ties them together again
    tied = replace(dataset, symbols=("A", "B", "C"))
    settings = model.model_copy(update={"symbol_embedding": 2})
    joint = train(tied, settings, training, 3)
    scores = [epoch.score for epoch in joint.history]
    assert joint.metrics["best_epoch"] == 1 + int(np.argmin(scores)) == len(scores) - 2


def test_a_network_alone_does_not_hear_of_the_others(make_dataset: MakeDataset) -> None:
    """Other tasks' losses, a thousand times larger, change nothing in a tower."""
    training = Training(
        weights={}, epochs=4, batch_size=32, learning_rate=0.02, patience=9, min_rows=10
    )
    dataset = make_dataset(n_bars=200)
    model = Model(members=1, architecture="single", hidden=(16,), dropout=0.0)
    loud = training.model_copy(update={"weights": {"return": 1000.0}})
    quiet = train(dataset, model, training, 3).network()
    heard = train(dataset, model, loud, 3).network()
    x = torch.from_numpy(dataset.x.astype(np.float32))
    with torch.inference_mode():
        assert torch.equal(quiet(x)[:, 1:], heard(x)[:, 1:])


def test_facts_of_the_training_rows(make_dataset: MakeDataset, trained: TrainedModel) -> None:
    fitted, held = split_chronological(make_dataset(), 0.2, 0)
    for k, task in enumerate(fitted.tasks):
        assert trained.baselines[task.name] == {
            "mean": pytest.approx(np.nanmean(fitted.y[:, k])),
            "rms": pytest.approx(np.sqrt(np.nanmean(fitted.y[:, k] ** 2))),
        }
    assert trained.metrics["rows_train"] == len(fitted)
    assert trained.metrics["rows_validation"] == len(held)
    assert trained.history[0].weights == (1.0, 1.0, 1.0, 1.0)
    assert trained.seed == 5


def test_a_head_of_weight_zero_does_not_decide_when_to_stop(
    make_dataset: MakeDataset, settings: Settings
) -> None:
    model, training = settings
    training = training.model_copy(update={"weights": {"volume": 0.0}})
    epoch = train(make_dataset(), model, training, seed=1).history[0]
    unit = [1.0, np.log(2.0), 1.0]
    parts = [v / u for v, u in zip(epoch.validation, unit, strict=False) if v is not None]
    assert epoch.score == pytest.approx(np.mean(parts), abs=1e-6)


def test_refuses_what_it_cannot_train_on(make_dataset: MakeDataset, settings: Settings) -> None:
    model, training = settings
    dataset = make_dataset()
    y = dataset.y.copy()
    y[1000:] = np.nan
    with pytest.raises(DataError, match=r"1000 labelled rows, at least training\.min_rows = 1001"):
        train(replace(dataset, y=y), model, training.model_copy(update={"min_rows": 1001}), 1)
    wild = training.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(ModelError, match="learning_rate"):
        train(dataset, model, wild, seed=1)


def test_a_label_missing_from_the_validation_part_is_left_out(
    make_dataset: MakeDataset, settings: Settings
) -> None:
    dataset = make_dataset()
    _, held = split_chronological(dataset, 0.2, 0)
    y = dataset.y.copy()
    y[dataset.bar >= held.bar.min(), 3] = np.nan
    trained = train(replace(dataset, y=y), *settings, seed=1)
    assert trained.metrics["loss_validation"]["volume_5"] is None
    y[dataset.bar >= held.bar.min(), :3] = np.nan
    y[-1, 3] = 0.1  # one row keeps the part alive; only the head of weight 0 has a label there
    silent = settings[1].model_copy(
        update={"weights": {"volume": 0.0}, "validation_fraction": 1e-4}
    )
    with pytest.raises(DataError, match="no validation row"):
        train(replace(dataset, y=y), settings[0], silent, seed=1)


@pytest.mark.parametrize(("n", "size"), [(2, 2), (3, 2), (5, 4), (65, 64), (1000, 64), (7, 64)])
def test_batches_hold_every_row_once_and_never_a_single_one(n: int, size: int) -> None:
    parts = [chosen.tolist() for chosen in batches(n, size)]
    assert sorted(value for part in parts for value in part) == list(range(n))
    assert min(map(len, parts)) >= 2
    assert max(map(len, parts)) <= max(size, 3)


def test_thread_count_is_put_back() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
