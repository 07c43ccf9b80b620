"""The course of one training: its epochs as they are judged, which is kept, and when it is over.

Owns `Course`, all of a training but its steps. Rules: what is kept is the best epoch (`stopping`) in
the last stage of the curriculum; what is measured here draws nothing at random. Knows neither
batches nor gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from bot.blocks import Task
from bot.config.schema import Training
from bot.errors import DataError, ModelError
from bot.model.device import CPU
from bot.model.interpretation import COSINE_ROWS, gradient_cosines
from bot.model.networks.architectures import Architecture
from bot.model.trained import Epoch, ModelSpec
from bot.model.training.curriculum import Curriculum
from bot.model.training.losses import TaskLosses
from bot.model.training.rows import RowTensors
from bot.model.training.stopping import Stopping
from bot.model.training.weighting import Weighting, build_weighting

_READ_ROWS = 8192  # bars read by a forward pass over the validation part
JUDGED_ROWS = 2**18
"""Validation rows whose losses are summed at a time; the sums of more of them are added in float64."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of a training: those to descend on, and those that judge the epochs."""

    fitted: RowTensors
    held: RowTensors


@dataclass(frozen=True, slots=True)
class Course:
    """What stays the same over all epochs of a training, and what they came to so far.

    Attributes:
        random_state: of torch's generator when the network was built, from which the steps draw on.
        labelled: bool[K], whether any training row has a label of the task; one that has none is
            left out. It is on the device that trains, as the network is.
        compared: the rows whose gradients are compared after each epoch, None where none are.
    """

    network: Architecture
    losses_of: TaskLosses
    weighting: Weighting
    curriculum: Curriculum
    stopping: Stopping
    training: Training
    tasks: Sequence[Task]
    parts: Parts
    random_state: Tensor
    labelled: Tensor
    compared: tuple[Tensor, Tensor, Tensor] | None
    progress: Callable[[Epoch], None] | None
    history: list[Epoch] = field(default_factory=list)

    def active(self) -> Tensor:
        """Return bool[K], the tasks that are trained in this stage."""
        return self.curriculum.active().to(self.labelled.device) & self.labelled

    def see(self, losses: Tensor, forward: Callable[[Tensor], Tensor]) -> bool:
        """Judge the epoch that ended with these mean training losses; tell whether it was the last.

        Args:
            losses: float32[K].
            forward: the network's forward pass in eval mode, its own or a quicker one.

        Raises:
            DataError: no task that is trained has a label among the validation rows.
            ModelError: the loss stopped being a number.
        """
        self.weighting.on_epoch_end(losses)
        epoch, shares = _validate(self, losses, forward)
        if self.compared is not None:
            cosines = gradient_cosines(self.network, self.losses_of, self.compared)
            epoch = replace(epoch, cosines=cosines)
        self.history.append(epoch)
        if self.progress is not None:
            self.progress(epoch)
        self.stopping.see(epoch, shares)
        if self.curriculum.is_last and self.stopping.done:
            return True
        if self.curriculum.advance(epoch.score):
            self.stopping.restart()
        return len(self.history) == self.training.epochs

    def best(self) -> tuple[Epoch, Architecture]:
        """Return the best epoch, and the network as it was then.

        Raises:
            ModelError: the last stage of the curriculum was not reached.
        """
        best = self.stopping.best()
        if best is None or not self.curriculum.is_last:
            raise ModelError(
                f"training.epochs = {self.training.epochs}: the curriculum does not reach its last "
                "stage; raise it or shorten the stages"
            )
        return best


def begin(
    spec: ModelSpec,
    parts: Parts,
    *,
    training: Training,
    seed: int,
    judged_by: Sequence[Task] = (),
    progress: Callable[[Epoch], None] | None = None,
) -> Course:
    """Seed torch's global generator, build the network, and return a course that saw no epoch.

    The network is built on the CPU and moved to where the parts want it.
    """
    torch.manual_seed(seed)
    device = parts.fitted.device
    network = spec.build().to(device)
    return Course(
        network,
        TaskLosses(spec.tasks, training.return_loss, device),
        weighting=build_weighting(spec.tasks, training, network.last_shared(), device),
        curriculum=Curriculum(spec.tasks, training),
        stopping=Stopping(
            network,
            spec.tasks,
            judged_by,
            training.patience,
            per_head=training.best_epoch == "per_head",
        ),
        training=training,
        tasks=spec.tasks,
        parts=parts,
        random_state=torch.get_rng_state(),
        labelled=parts.fitted.any_labelled().to(device),
        compared=parts.fitted.sample(COSINE_ROWS) if training.interpret else None,
        progress=progress,
    )


def _losses(
    course: Course, held: RowTensors, forward: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the mean loss of each task over the rows, float32[K], and how many have its label."""
    total, labelled = torch.zeros(2, held.y.shape[1], dtype=torch.float64, device=held.device)
    for first in range(0, len(held.y), JUDGED_ROWS):
        here = slice(first, first + JUDGED_ROWS)
        places = torch.arange(first, min(here.stop, len(held.y)), device=CPU)
        parts = torch.split(places, max(1, _READ_ROWS // held.lookback))
        output = torch.cat([forward(held.features(part)) for part in parts])
        losses, count = course.losses_of(output, *held.labels(here))
        if len(held.y) <= JUDGED_ROWS:
            return losses, count
        total += losses.double() * count
        labelled += count
    return (total / labelled.clamp(min=1.0)).float(), labelled.float()


def _validate(
    course: Course, training_losses: Tensor, forward: Callable[[Tensor], Tensor]
) -> tuple[Epoch, Tensor]:
    """Measure the network on the validation rows; return the epoch, and float32[K] for `Stopping`.

    Raises:
        ModelError: a loss is not a number.
        DataError: no task that is trained has a label there.
    """
    course.network.eval()
    held, active, number = course.parts.held, course.active(), len(course.history) + 1
    with torch.inference_mode():
        losses, count = _losses(course, held, forward)
    if not (torch.isfinite(losses).all() and torch.isfinite(training_losses).all()):
        raise ModelError(
            f"training: the loss is no number any more in epoch {number}; lower "
            "training.learning_rate or look for extreme labels"
        )
    judged = course.weighting.active().to(active.device) & active & (count > 0)
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
        weights=tuple((course.weighting.weights().to(active.device) * active).tolist()),
        score=float(shares[judged].mean()),
    )
    return epoch, shares.to(CPU)
