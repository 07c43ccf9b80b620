"""The training loop.

Owns `train`. Rules: rows are split by time, the scaler sees training rows only, the best epoch by
the unweighted validation loss is kept, one thread, and the same dataset, settings and seed give the
same bits. Reads no clock and no file, and leaves torch's global generator as it found it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bot.config.sections import Model, Training
from bot.errors import DataError, ModelError
from bot.model.architectures import Architecture
from bot.model.dataset import Dataset, split_chronological
from bot.model.losses import TaskLosses
from bot.model.scaler import Scaler
from bot.model.threads import one_thread
from bot.model.trained import Epoch, ModelSpec, TrainedModel, put_weights, weights_of
from bot.model.weighting import Weighting, build_weighting

__all__ = ["TrainedModel", "train"]

Rows = tuple[Tensor, Tensor, Tensor]
"""x float32[N, F], y float32[N, K] with 0 where unlabelled, labelled float32[N, K]."""

_READ_ROWS = 8192  # rows of a forward pass over the validation part


@dataclass(frozen=True, slots=True)
class _Course:
    """What stays the same over all epochs of a training."""

    network: Architecture
    losses_of: TaskLosses
    weighting: Weighting
    optimizer: torch.optim.Optimizer
    training: Training


def train(
    dataset: Dataset,
    model: Model,
    training: Training,
    seed: int,
    progress: Callable[[Epoch], None] | None = None,
) -> TrainedModel:
    """Train a fresh network on a dataset.

    Args:
        dataset: rows whose labels were known when the training was due.
        progress: called with each epoch when it is done.

    Raises:
        DataError: too few labelled rows, or a task without labels.
        ModelError: the loss stopped being a number.
    """
    dataset = dataset.rows(np.asarray(~np.isnan(dataset.y).all(axis=1)))
    if len(dataset) < training.min_rows:
        raise DataError(
            f"training: {len(dataset)} labelled rows, at least {training.min_rows} are needed; "
            "train later, on a longer window, or lower training.min_rows"
        )
    fitted, held = split_chronological(dataset, training.validation_fraction, training.embargo_bars)
    if len(fitted) < 2:
        raise DataError("training: a single row is left to train on; train on a longer window")
    scaler = Scaler.fit(fitted)
    spec = ModelSpec(model, dataset.n_features, dataset.tasks)
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = spec.build()
        history = _descend(
            network,
            _rows(scaler, fitted),
            _rows(scaler, held),
            spec=spec,
            training=training,
            progress=progress,
        )
    return TrainedModel(
        spec=spec,
        weights=weights_of(network),
        scaler=scaler,
        baselines=_baselines(fitted),
        metrics=_metrics(fitted, held, history),
        history=tuple(history),
        seed=seed,
    )


def _descend(
    network: Architecture,
    fitted: Rows,
    held: Rows,
    *,
    spec: ModelSpec,
    training: Training,
    progress: Callable[[Epoch], None] | None,
) -> list[Epoch]:
    """Run the epochs and leave the network with the weights of the best one."""
    losses_of = TaskLosses(spec.tasks, training.return_loss)
    weighting = build_weighting(spec.tasks, training)
    optimizer = torch.optim.AdamW(
        [
            *network.parameter_groups(training.learning_rate, training.weight_decay),
            *weighting.parameter_groups(training.learning_rate),
        ],
        fused=True,
    )
    course = _Course(network, losses_of, weighting, optimizer, training)
    history: list[Epoch] = []
    best, best_weights, waited = math.inf, weights_of(network), 0
    for number in range(1, training.epochs + 1):
        losses = _epoch(course, fitted)
        weighting.on_epoch_end(losses)
        epoch = _validate(course, held, number, losses)
        history.append(epoch)
        if progress is not None:
            progress(epoch)
        waited += 1
        if epoch.score < best:
            best, best_weights, waited = epoch.score, weights_of(network), 0
        if waited >= training.patience:
            break
    put_weights(network, best_weights)
    return history


def _epoch(course: _Course, rows: Rows) -> Tensor:
    """Pass once over the shuffled rows; return the mean loss of each task, float32[K]."""
    network, weighting, optimizer = course.network, course.weighting, course.optimizer
    network.train()
    parameters = list(network.parameters())
    total, labelled = torch.zeros(rows[1].shape[1]), torch.zeros(rows[1].shape[1])
    for x, y, known in _batches(rows, course.training.batch_size):
        losses, count = course.losses_of(network(x), y, known)
        objective = weighting.combine(losses, count > 0)
        optimizer.zero_grad(set_to_none=True)
        objective.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, course.training.clip_norm)
        optimizer.step()
        total += losses.detach() * count
        labelled += count
    return total / labelled.clamp(min=1.0)


def _batches(rows: Rows, batch_size: int) -> Iterator[Rows]:
    """Cut the rows, shuffled, into nearly equal batches of at most `batch_size` (or 3) rows.

    Equal ones, because a rest of one row has no variance for BatchNorm and a small one is noise.
    """
    n = len(rows[0])
    order = torch.randperm(n)
    for chosen in order.tensor_split(min(math.ceil(n / batch_size), n // 2)):
        yield rows[0][chosen], rows[1][chosen], rows[2][chosen]


def _validate(course: _Course, held: Rows, number: int, training_losses: Tensor) -> Epoch:
    """Measure the network on the validation rows.

    Raises:
        ModelError: a loss is not a number.
        DataError: no task that is trained has a label there.
    """
    network, weighting = course.network.eval(), course.weighting
    with torch.inference_mode():
        output = torch.cat([network(x) for x in torch.split(held[0], _READ_ROWS)])
        losses, count = course.losses_of(output, held[1], held[2])
    if not (torch.isfinite(losses).all() and torch.isfinite(training_losses).all()):
        raise ModelError(
            f"training: the loss is no number any more in epoch {number}; lower "
            "training.learning_rate or look for extreme labels"
        )
    judged = weighting.active() & (count > 0)
    if not judged.any():
        raise DataError(
            "training: no validation row has a label of a trained task; "
            "raise training.validation_fraction"
        )
    return Epoch(
        number=number,
        train=tuple(training_losses.tolist()),
        validation=tuple(
            value if rows else None
            for value, rows in zip(losses.tolist(), count.tolist(), strict=True)
        ),
        weights=tuple(weighting.weights().tolist()),
        score=float((losses / course.losses_of.naive)[judged].mean()),
    )


def _rows(scaler: Scaler, dataset: Dataset) -> Rows:
    """Standardise a part for the network."""
    y = scaler.targets(dataset.y)
    return (
        torch.from_numpy(scaler.features(dataset.x)),
        torch.from_numpy(np.nan_to_num(y)),
        torch.from_numpy((~np.isnan(y)).astype(np.float32)),
    )


def _baselines(fitted: Dataset) -> dict[str, dict[str, float]]:
    """Return mean and root mean square of each task's training labels, in its own units."""
    baselines = {}
    for k, task in enumerate(fitted.tasks):
        known = fitted.y[~np.isnan(fitted.y[:, k]), k]
        baselines[task.name] = {
            "mean": float(known.mean()),
            "rms": float(np.sqrt(np.mean(known * known))),
        }
    return baselines


def _metrics(fitted: Dataset, held: Dataset, history: list[Epoch]) -> dict[str, Any]:
    """Sum up a training: rows, epochs, and the losses of the best epoch by task name."""
    best = min(history, key=lambda epoch: epoch.score)
    names = [task.name for task in fitted.tasks]
    return {
        "rows_train": len(fitted),
        "rows_validation": len(held),
        "epochs": len(history),
        "best_epoch": best.number,
        "score": best.score,
        "loss_train": dict(zip(names, best.train, strict=True)),
        "loss_validation": dict(zip(names, best.validation, strict=True)),
    }
