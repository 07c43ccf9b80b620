"""Whether a training's steps are those written out by hand.

Owns `why_autograd`. Rule: by hand is a matter of speed alone; where a part needs more of a step than
these steps do, and on a GPU, autograd takes them. A single member stays with autograd, so that models made again
keep their ids.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.model.device import CPU
from bot.model.training.by_hand.losses import DERIVED
from bot.model.training.by_hand.tower import BUILT_OF
from bot.model.training.losses import loss_of

WEIGHTINGS = ("fixed", "uncertainty", "dwa", "stch")
"""Those that ask for nothing but the losses: no gradients of the network, no look back."""


def why_autograd(
    model: Model, training: Training, tasks: Sequence[Task], device: torch.device = CPU
) -> str | None:
    """Return why the steps are left to autograd, None where they are not.

    >>> why_autograd(Model(members=4), Training(gradients="pcgrad"), [])
    'training.gradients = pcgrad'
    """
    if model.members == 1:
        return "a single member"
    if device.type != "cpu":
        return f"trained on {device.type}"
    for setting, value, allowed in (
        ("model.architecture", model.architecture, BUILT_OF),
        ("model.encoder", model.encoder, ("mlp",)),
        ("training.gradients", training.gradients, ("sum",)),
        ("training.weighting", training.weighting, WEIGHTINGS),
    ):
        if value not in allowed:
            return f"{setting} = {value}"
    for task in tasks:
        loss = loss_of(task, training.return_loss)
        if loss not in DERIVED:
            return f"the loss of {task.name} is {loss}"
    return "the network knows symbols" if model.knows_symbols else None
