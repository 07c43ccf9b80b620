"""How the losses of the tasks become the one number that is descended: weightings by name.

A new one is a subclass of `Weighting`, a line in `build_weighting`, and a name in the config.

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
from typing import assert_never

from torch import Tensor

from bot.blocks import Task
from bot.config.schema import Training
from bot.errors import ModelError
from bot.model.training.losses import naive_losses
from bot.model.training.weighting.base import Weighting
from bot.model.training.weighting.dwa import Dwa
from bot.model.training.weighting.famo import Famo
from bot.model.training.weighting.fixed import Fixed
from bot.model.training.weighting.gradnorm import GradNorm
from bot.model.training.weighting.stch import Stch
from bot.model.training.weighting.uncertainty import Uncertainty

__all__ = ["Weighting", "build_weighting"]


def build_weighting(
    tasks: Sequence[Task], training: Training, last_shared: Sequence[Tensor]
) -> Weighting:
    """Build what training.weighting names.

    Args:
        last_shared: weights of the network's last shared layer, for GradNorm.

    Raises:
        ModelError: no task has a weight above 0, or GradNorm has no shared layer to look at.
    """
    naive = naive_losses(tasks, training.return_loss)
    match training.weighting:
        case "fixed":
            weighting: Weighting = Fixed(tasks, training.weights)
        case "uncertainty":
            weighting = Uncertainty(tasks, training.uncertainty_variant, training.weighting_rate)
        case "dwa":
            weighting = Dwa(len(tasks), training.dwa_temperature)
        case "famo":
            weighting = Famo(len(tasks), training.weighting_rate, training.weighting_every)
        case "stch":
            weighting = Stch(naive, training.stch_mu)
        case "gradnorm":
            if not last_shared:
                raise ModelError(
                    "training.weighting = 'gradnorm' looks at the last shared layer, and this "
                    "model.architecture shares none; choose another of the two"
                )
            weighting = GradNorm(
                naive,
                last_shared,
                alpha=training.gradnorm_alpha,
                rate=training.weighting_rate,
                variant=training.gradnorm_variant,
                every=training.weighting_every,
            )
        case _:
            assert_never(training.weighting)
    if not weighting.active().any():
        raise ModelError("training.weights: every head has weight 0; give one a positive weight")
    return weighting
