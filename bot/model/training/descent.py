"""The epochs of one network: batches, steps, validation, and when to stop.

Owns `descend`. Rules: what is kept is the best epoch (`stopping`) in the last stage of the
curriculum; everything random comes from torch's global generator, which the caller has seeded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from bot.blocks import Task
from bot.config.schema import Training
from bot.errors import DataError, ModelError
from bot.model.interpretation import COSINE_ROWS, evenly_chosen, gradient_cosines
from bot.model.networks.architectures import Architecture
from bot.model.trained import Epoch, ModelSpec
from bot.model.training.curriculum import Curriculum
from bot.model.training.gradients import GradientMethod, build_gradients
from bot.model.training.losses import TaskLosses
from bot.model.training.stopping import Stopping
from bot.model.training.weighting import Weighting, build_weighting


class RowTensors(NamedTuple):
    """What a network is trained on.

    Attributes:
        x: float32[N, F]; with `last` a table float32[R, F].
        y: float32[N, K], 0 where unlabelled.
        labelled: float32[N, K].
        last: int64[N], where each row's window ends in x.
        lookback: length of the windows.
        symbol: float32[N], the place of each row's symbol, for a network that knows symbols.
    """

    x: Tensor
    y: Tensor
    labelled: Tensor
    last: Tensor | None = None
    lookback: int = 1
    symbol: Tensor | None = None

    def features(self, chosen: Tensor) -> Tensor:
        """Return what the network reads of the chosen rows, float32[B, F] or float32[B, L, F].

        The place of the symbol is one more column.
        """
        if self.last is None:
            x = self.x[chosen]
        else:
            back = torch.arange(1 - self.lookback, 1)
            x = self.x[self.last[chosen, None] + back]
        if self.symbol is None:
            return x
        places = self.symbol[chosen].view(-1, *[1] * (x.dim() - 1))
        return torch.cat([x, places.expand(*x.shape[:-1], 1)], dim=-1)

    def at(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the chosen rows as a step sees them: features, y and labelled."""
        return self.features(chosen), self.y[chosen], self.labelled[chosen]

    def sample(self, most: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return copies of what the network reads, y and labelled, of at most so many rows."""
        return self.at(evenly_chosen(len(self.y), most))


_READ_ROWS = 8192  # bars read by a forward pass over the validation part


@dataclass(frozen=True, slots=True)
class _Course:
    """What stays the same over all epochs of a training."""

    network: Architecture
    losses_of: TaskLosses
    weighting: Weighting
    gradients: GradientMethod
    curriculum: Curriculum
    stopping: Stopping
    optimizer: torch.optim.Optimizer
    training: Training
    labelled: Tensor
    """bool[K], whether any training row has a label of the task; one that has none is left out."""

    def active(self) -> Tensor:
        """Return bool[K], the tasks that are trained in this stage."""
        return self.curriculum.active() & self.labelled


def descend(
    network: Architecture,
    fitted: RowTensors,
    held: RowTensors,
    *,
    spec: ModelSpec,
    training: Training,
    judged_by: Sequence[Task],
    progress: Callable[[Epoch], None] | None,
) -> tuple[list[Epoch], Epoch]:
    """Run the epochs and leave the network with the weights of the best one; return all and it.

    Raises:
        DataError: no task that is trained has a label among the validation rows.
        ModelError: the loss stopped being a number, or settings do not suit one another.
    """
    course = _prepare(network, spec, training, judged_by, fitted)
    compared = fitted.sample(COSINE_ROWS) if training.interpret else None
    history: list[Epoch] = []
    for number in range(1, training.epochs + 1):
        losses = _epoch(course, fitted)
        course.weighting.on_epoch_end(losses)
        epoch, shares = _validate(course, held, number, losses)
        if compared is not None:
            cosines = gradient_cosines(network, course.losses_of, compared)
            epoch = replace(epoch, cosines=cosines)
        history.append(epoch)
        if progress is not None:
            progress(epoch)
        course.stopping.see(epoch, shares)
        if course.curriculum.is_last and course.stopping.done:
            break
        if course.curriculum.advance(epoch.score):
            course.stopping.restart()
    best = course.stopping.put_best()
    if best is None or not course.curriculum.is_last:
        raise ModelError(
            f"training.epochs = {training.epochs}: the curriculum does not reach its last stage; "
            "raise it or shorten the stages"
        )
    return history, best


def _prepare(
    network: Architecture,
    spec: ModelSpec,
    training: Training,
    judged_by: Sequence[Task],
    fitted: RowTensors,
) -> _Course:
    """Build all that the network is trained with."""
    weighting = build_weighting(spec.tasks, training, network.last_shared())
    groups = [
        *network.parameter_groups(training.learning_rate, training.weight_decay),
        *weighting.parameter_groups(training.learning_rate),
    ]
    learned = [parameter for group in groups for parameter in group["params"]]
    return _Course(
        network,
        TaskLosses(spec.tasks, training.return_loss),
        weighting,
        gradients=build_gradients(training, network, learned),
        curriculum=Curriculum(spec.tasks, training),
        stopping=Stopping(network, spec.tasks, judged_by, training.patience),
        optimizer=torch.optim.AdamW(groups, fused=True),
        training=training,
        labelled=fitted.labelled.any(dim=0),
    )


def _epoch(course: _Course, rows: RowTensors) -> Tensor:
    """Pass once over the shuffled rows; return the mean loss of each task, float32[K]."""
    network, weighting, optimizer = course.network, course.weighting, course.optimizer
    network.train()
    clipped = [list(module.parameters()) for module in course.stopping.modules]
    active = course.active()
    total, labelled = torch.zeros(rows.y.shape[1]), torch.zeros(rows.y.shape[1])
    for x, y, known in batches(rows, course.training.batch_size):
        seen: list[Tensor] = []

        def terms_of(output: Tensor) -> tuple[Tensor, Tensor]:
            losses, count = course.losses_of(output, y, known)  # noqa: B023 - called at once
            seen[:] = losses.detach(), count  # noqa: B023
            present = (count > 0) & active
            return weighting.terms(losses, present), present

        before = torch.random.get_rng_state() if weighting.looks_back else None
        optimizer.zero_grad(set_to_none=True)
        course.gradients.backward(network, x, terms_of)
        for parameters in clipped:
            torch.nn.utils.clip_grad_norm_(parameters, course.training.clip_norm)
        optimizer.step()
        if before is not None:
            torch.random.set_rng_state(before)  # the same dropout as in the step
            with torch.no_grad():
                afterwards, _ = course.losses_of(network(x), y, known)
            weighting.after_step(afterwards)
        losses, count = seen
        total += losses * count
        labelled += count
    return total / labelled.clamp(min=1.0)


def batches(rows: RowTensors, batch_size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Cut the rows, shuffled, into nearly equal batches of at most `batch_size` (or 3) rows.

    Equal ones, because a rest of one row has no variance for BatchNorm and a small one is noise.
    """
    n = len(rows.y)
    order = torch.randperm(n)
    for chosen in order.tensor_split(min(math.ceil(n / batch_size), n // 2)):
        yield rows.at(chosen)


def _validate(
    course: _Course, held: RowTensors, number: int, training_losses: Tensor
) -> tuple[Epoch, Tensor]:
    """Measure the network on the validation rows; return the epoch, and float32[K] for `Stopping`.

    Raises:
        ModelError: a loss is not a number.
        DataError: no task that is trained has a label there.
    """
    network, active = course.network.eval(), course.active()
    with torch.inference_mode():
        parts = torch.split(torch.arange(len(held.y)), max(1, _READ_ROWS // held.lookback))
        output = torch.cat([network(held.features(part)) for part in parts])
        losses, count = course.losses_of(output, held.y, held.labelled)
    if not (torch.isfinite(losses).all() and torch.isfinite(training_losses).all()):
        raise ModelError(
            f"training: the loss is no number any more in epoch {number}; lower "
            "training.learning_rate or look for extreme labels"
        )
    judged = course.weighting.active() & active & (count > 0)
    if not judged.any():
        raise DataError(
            "training: no validation row has a label of a trained task; "
            "raise training.validation_fraction"
        )
    shares = (losses / course.losses_of.naive).masked_fill(~judged, math.nan)
    epoch = Epoch(
        number=number,
        train=tuple(training_losses.tolist()),
        validation=tuple(
            value if rows else None
            for value, rows in zip(losses.tolist(), count.tolist(), strict=True)
        ),
        weights=tuple((course.weighting.weights() * active).tolist()),
        score=float(shares[judged].mean()),
    )
    return epoch, shares
