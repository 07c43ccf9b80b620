"""How the losses of the tasks become the one number that is descended: weightings by name.

A new one is a subclass of `Weighting`, entered by its decorator.

base            what a weighting is
fixed           given weights, the baseline to beat
uncertainty     homoscedastic uncertainty
dwa             dynamic weight average
gradnorm        gradient normalisation
famo            fast adaptive multitask optimisation
stch            smooth Tchebycheff scalarisation
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bot.blocks import Task
from bot.config.schema import Training
from bot.errors import ModelError
from bot.model.device import CPU
from bot.model.training.losses import naive_losses
from bot.model.training.weighting.base import Given, Weighting
from bot.parts.registry import part
from bot.parts.sections import own_section

__all__ = ["Given", "Weighting", "build_weighting"]


def build_weighting(
    tasks: Sequence[Task], training: Training, last_shared: Sequence[Tensor],
    device: torch.device = CPU,
) -> Weighting:  # fmt: skip
    """Build what training.weighting names.

    Args:
        last_shared: weights of the network's last shared layer, for GradNorm.
        device: where the losses are.

    Raises:
        ConfigError: there is none of that name.
        ModelError: no task has a weight above 0, or GradNorm has no shared layer to look at.
    """
    chosen = part("weighting", training.weighting)
    naive = naive_losses(tasks, training.return_loss, device)
    given = Given(tasks, training, naive, last_shared)
    weighting: Weighting = chosen.made(given, *own_section(chosen, training.settings))
    if not weighting.active().any():
        raise ModelError("training.weights: every head has weight 0; give one a positive weight")
    return weighting
