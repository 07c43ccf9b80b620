"""Which tasks are trained when: stages of a curriculum.

Owns `Curriculum`. Rules: a stage ends after its epochs, or when the mean validation loss of its
tasks has not improved for some; the last one lasts until the training ends, and it alone decides
which epoch is kept. A stage never takes so many epochs that a later one has none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bot.blocks import Task
from bot.config.schema import Training
from bot.model.device import CPU

PRESETS: dict[str, tuple[str, ...]] = {
    "none": ("all",),
    "direction_return_all": ("direction for 3", "return for 3", "all"),
}
"""Stages by the name in training.curriculum."""

_STAGE = re.compile(r"([a-z_+]+)(?: for (\d+)| until plateau (\d+))?")


@dataclass(frozen=True, slots=True)
class Stage:
    """Kinds of task that are trained, and what ends it: epochs, a plateau of so many, or neither.

    >>> Stage.parse("direction+return until plateau 2")
    Stage(kinds=('direction', 'return'), epochs=None, plateau=2)
    """

    kinds: tuple[str, ...]
    epochs: int | None
    plateau: int | None

    @classmethod
    def parse(cls, text: str) -> Stage:
        """Read one of training.stages, whose form the config has checked."""
        found = _STAGE.fullmatch(text)
        if found is None:
            raise ValueError(f"'{text}' is no stage")
        kinds, epochs, plateau = found.groups()
        return cls(tuple(kinds.split("+")), int(epochs or 0) or None, int(plateau or 0) or None)


class Curriculum:
    """The stages of one training, and the one it is in."""

    def __init__(self, tasks: Sequence[Task], training: Training) -> None:
        texts = PRESETS.get(training.curriculum, training.stages)
        self._stages = [Stage.parse(text) for text in texts]
        self._kinds = [task.kind for task in tasks]
        self._left, self._run, self._waited, self._most = training.epochs, 0, 0, 0
        self._best = math.inf
        self._place = -1
        self._enter_next()

    @property
    def is_last(self) -> bool:
        """Tell whether no stage follows."""
        return self._place == len(self._stages) - 1

    def active(self) -> Tensor:
        """Return bool[K], the tasks of this stage."""
        kinds = self._stages[self._place].kinds
        chosen = [kinds == ("all",) or kind in kinds for kind in self._kinds]
        return torch.tensor(chosen, device=CPU)

    def advance(self, score: float) -> bool:
        """Count an epoch with this validation score; tell whether a new stage starts."""
        self._left -= 1
        self._run += 1
        self._waited = 0 if score < self._best else self._waited + 1
        self._best = min(self._best, score)
        settled = self._waited >= (self._stages[self._place].plateau or math.inf)
        if self.is_last or not (settled or self._run >= self._most):
            return False
        self._enter_next()
        return True

    def _enter_next(self) -> None:
        """Start the next stage: its own epochs, or an equal share of what the fixed ones leave."""
        self._place += 1
        self._run, self._waited, self._best = 0, 0, math.inf
        stage, *later = self._stages[self._place :]
        fixed = sum(s.epochs for s in later if s.epochs is not None)
        sharing = 1 + sum(s.epochs is None for s in later)
        self._most = stage.epochs or max(1, (self._left - fixed) // sharing)
