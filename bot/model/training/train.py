"""From a dataset to a trained model.

Owns `train`. Rules: rows are split by time, the scaler sees training rows only, one thread, and on the
CPU the same dataset, settings and seed give the same bits. The members of an ensemble differ by their
seed alone. Weights come back from wherever the network was trained. Reads no clock and no file, and
leaves torch's global generator as it found it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from bot.blocks import F32, Task
from bot.config.schema import Model, Training
from bot.errors import DataError
from bot.model.dataset import Dataset, split_chronological
from bot.model.device import device_of, facts_of
from bot.model.distance import reach_of
from bot.model.interpretation import IMPORTANCE_ROWS, interpretation
from bot.model.networks.architectures import Architecture
from bot.model.networks.parameter_matching import check_match
from bot.model.networks.snapshots import Snapshots
from bot.model.room import filled, known_of, spans, squares_of
from bot.model.row_forecasts import forecasts_of
from bot.model.scaler import Scaler
from bot.model.shrinkage import fit_shrinkage
from bot.model.threads import one_thread
from bot.model.trained import Epoch, ModelSpec, TrainedModel, join_members, weights_of
from bot.model.training.autograd import AutogradSteps
from bot.model.training.by_hand import StepsByHand, folded, why_autograd
from bot.model.training.course import Course, Parts, begin
from bot.model.training.descent import descend
from bot.model.training.emphasis import weighted
from bot.model.training.rows import RowTensors

__all__ = ["TrainedModel", "train"]


def train(
    dataset: Dataset,
    model: Model,
    training: Training,
    seed: int,
    progress: Callable[[Epoch], None] | None = None,
    judged_by: Sequence[Task] = (),
    needed: Sequence[Task] = (),
) -> TrainedModel:
    """Train a fresh network on a dataset.

    Args:
        dataset: rows whose labels were known when the training was due.
        progress: called with each epoch when it is done, member by member.
        judged_by: tasks by which the best epoch is chosen; all where none is named.
        needed: tasks without which the model is useless. Any other one that has no labels is left
            out, and is among the model's `untrained`.

    Raises:
        DataError: too few labelled rows, a needed task without labels, rows of another lookback, or
            without the names of their symbols.
        ConfigError: the network cannot be as small as model.match_parameters promises, or this
            machine has no training.device.
        ModelError: the loss stopped being a number.
    """
    device = device_of(training.device)
    fitted, held = parts_of(dataset, training, needed)
    scaler = Scaler.fit(fitted, logarithms=training.log_targets, robust=model.scaling == "robust")
    spec = _spec_of(dataset, model)
    parts = Parts(
        weighted(_rows(scaler, fitted, spec, device), fitted, training),
        _rows(scaler, held, spec, device),
    )
    with one_thread(), torch.random.fork_rng(devices=[]):
        courses = [
            begin(
                spec, parts, training=training, seed=member_seed(seed, member),
                judged_by=judged_by, progress=progress,
            )
            for member in range(model.members)
        ]  # fmt: skip
        why = why_autograd(model, training, spec.tasks, device)
        for course in courses:
            descend(course, AutogradSteps(course) if why else StepsByHand(course))
        kept = [course.best() for course in courses]
        networks = [network for _, network in kept]
        insights = (
            _insights(courses, networks, seed, by_hand=why is None) if training.interpret else ()
        )
    history = tuple(epoch for course in courses for epoch in course.history)
    trained = TrainedModel(
        spec=spec,
        weights=join_members([weights_of(network) for network in networks]),
        scaler=scaler,
        baselines=_baselines(fitted),
        metrics=_metrics(fitted, held, len(history), [epoch for epoch, _ in kept])
        | _way(model, why),
        history=history,
        seed=seed,
        insights=insights,
        snapshots=_snapshots(networks, len(spec.tasks)),
        reach=reach_of(fitted.features_read(), scaler, fitted.room),
        trained_on=facts_of(device),
    )
    return _levelled_and_shrunk(trained, training, held)


def _spec_of(dataset: Dataset, model: Model) -> ModelSpec:
    """Return what the network for these rows is built from, or refuse rows that it cannot read."""
    if dataset.lookback != model.bars_read:
        raise DataError(
            f"training: the rows read {dataset.lookback} bars, the network {model.bars_read}; "
            "cut the rows with the model.lookback of the network"
        )
    if model.knows_symbols and not dataset.symbols:
        raise DataError("training: this model knows the symbols, and the rows do not name theirs")
    symbols = dataset.symbols if model.knows_symbols else ()
    spec = ModelSpec(model, dataset.n_features, dataset.tasks, symbols)
    check_match(model, spec.n_features, spec.tasks, len(symbols))
    return spec


def _snapshots(networks: Sequence[Architecture], n_tasks: int) -> tuple[tuple[int, ...], ...]:
    """Return the snapshot that each task is read from, by member; none where all are single."""
    if not any(isinstance(network, Snapshots) for network in networks):
        return ()
    single = (0,) * n_tasks
    return tuple(n.read_from if isinstance(n, Snapshots) else single for n in networks)


def _levelled_and_shrunk(trained: TrainedModel, training: Training, held: Dataset) -> TrainedModel:
    """Return the model with the levels and the shrinkage that its validation rows ask for."""
    forecast = forecasts_of(trained, held)
    trained = replace(trained, scaler=trained.scaler.levelled(held.y, forecast, held.room))
    if not training.shrinkage:
        return trained
    base_rates = {name: values["mean"] for name, values in trained.baselines.items()}
    shrinkage = fit_shrinkage(
        trained.tasks, forecast, held.y, held.bar, base_rates=base_rates, room=held.room
    )
    return replace(trained, shrinkage=shrinkage)


def parts_of(
    dataset: Dataset, training: Training, needed: Sequence[Task] = ()
) -> tuple[Dataset, Dataset]:
    """Return the rows to train on and those to validate on; what this refuses cannot be trained.

    Raises:
        DataError: too few labelled rows, or a needed task has no label among those to train on.
    """
    dataset = dataset.labelled()
    if len(dataset) < training.min_rows:
        raise DataError(
            f"training: {len(dataset)} labelled rows, at least training.min_rows = "
            f"{training.min_rows} are needed; train later, on a longer window, or lower it"
        )
    fitted, held = split_chronological(dataset, training.validation_fraction, training.embargo_bars)
    if len(fitted) < 2:
        raise DataError("training: a single row is left to train on; train on a longer window")
    without = [
        task.name
        for k, task in enumerate(dataset.tasks)
        if task in needed and all(np.isnan(fitted.y[span, k]).all() for span in spans(len(fitted)))
    ]
    if without:
        raise DataError(
            f"training: no training row has a label for {', '.join(without)}, which is needed; look "
            "at the bars of this window ('bot data'), or train on a longer one"
        )
    return fitted, held


def member_seed(seed: int, member: int) -> int:
    """Return the seed of a member; the first one's is that of a single model.

    >>> member_seed(7, 0), member_seed(7, 1) != member_seed(8, 1)
    (7, True)
    """
    if member == 0:
        return seed
    return int(np.random.SeedSequence([seed, member]).generate_state(1)[0])


def _rows(scaler: Scaler, dataset: Dataset, spec: ModelSpec, device: torch.device) -> RowTensors:
    """Standardise a part for the network, which is on a device."""
    room, shape = dataset.room, dataset.y.shape

    def targets(span: slice) -> F32:
        return scaler.targets(dataset.y[span])

    x = filled(room, dataset.x.shape, np.float32, lambda span: scaler.features(dataset.x[span]))
    y = filled(room, shape, np.float32, lambda span: np.nan_to_num(targets(span)))
    labelled = filled(room, shape, np.float32, lambda span: ~np.isnan(targets(span)))
    of_symbol = None
    if spec.symbols:
        of_symbol = filled(room, shape[:1], np.float32, lambda span: dataset.symbol[span])
    return RowTensors(
        torch.from_numpy(x),
        torch.from_numpy(y),
        torch.from_numpy(labelled),
        order=torch.from_numpy(room.empty(shape[0], np.int64)),
        last=None if dataset.last is None else torch.from_numpy(dataset.last),
        lookback=dataset.lookback,
        symbol=None if of_symbol is None else torch.from_numpy(of_symbol),
        device=device,
    )


def _baselines(fitted: Dataset) -> dict[str, dict[str, float]]:
    """Return mean and root mean square of each task's training labels, in its own units.

    A task without labels has none.
    """
    baselines = {}
    for k, task in enumerate(fitted.tasks):
        known = known_of(fitted.y[:, k], fitted.room)
        if len(known) == 0:
            continue
        baselines[task.name] = {
            "mean": float(known.mean()),
            "rms": float(np.sqrt(squares_of(known, fitted.room).mean())),
        }
    return baselines


def _metrics(fitted: Dataset, held: Dataset, epochs: int, best: Sequence[Epoch]) -> dict[str, Any]:
    """Sum up a training: rows, epochs, and the losses of the best epoch by task name.

    An ensemble's epochs are added up, its losses are its members' means, and the best epoch is the
    first member's.
    """
    names = [task.name for task in fitted.tasks]
    return {
        "rows_train": len(fitted),
        "rows_validation": len(held),
        "epochs": epochs,
        "best_epoch": best[0].number,
        "score": sum(epoch.score for epoch in best) / len(best),
        "loss_train": _by_name(names, [epoch.train for epoch in best]),
        "loss_validation": _by_name(names, [epoch.validation for epoch in best]),
    }


def _insights(
    courses: Sequence[Course], networks: Sequence[Architecture], seed: int, *, by_hand: bool
) -> tuple[dict[str, Any], ...]:
    """Return what is found of each member on rows of the validation part."""
    sample = courses[0].parts.held.sample(IMPORTANCE_ROWS)
    return tuple(
        interpretation(
            network, course.losses_of, sample, (seed, member),
            folded(network) if by_hand else None,
        )
        for member, (course, network) in enumerate(zip(courses, networks, strict=True))
    )  # fmt: skip


def _way(model: Model, why: str | None) -> dict[str, Any]:
    """Return how the members of an ensemble were trained, and why by autograd where they were."""
    if model.members == 1:
        return {}
    return {"steps": f"autograd: {why}" if why else "by hand"}


def _by_name(
    names: Sequence[str], losses: Sequence[Sequence[float | None]]
) -> dict[str, float | None]:
    """Return the members' mean loss of each task, None where it was not measured."""
    found: dict[str, float | None] = {}
    for name, values in zip(names, zip(*losses, strict=True), strict=True):
        known = [value for value in values if value is not None]
        found[name] = sum(known) / len(known) if known else None
    return found
