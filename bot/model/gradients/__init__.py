"""How the tasks' gradients become one: gradient methods by name.

A new one is an aggregator, a line here or in `jacobian_descent.NAMES`, and a name in the config.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from bot.config.sections import Training
from bot.model.architectures import Architecture
from bot.model.gradients.base import GradientMethod, Sum
from bot.model.gradients.jacobian_descent import jacobian_descent
from bot.model.gradients.pcgrad import pcgrad
from bot.model.gradients.per_task import Aggregator, PerTask

__all__ = ["GradientMethod", "build_gradients"]


def build_gradients(
    training: Training, network: Architecture, learned: Sequence[Tensor]
) -> GradientMethod:
    """Build what training.gradients names.

    Args:
        learned: all that the optimiser moves.

    Raises:
        ModelError: the network shares nothing that the method could work on.
    """
    name = training.gradients
    if name == "sum":
        return Sum()

    def build(n_tasks: int) -> Aggregator:
        return pcgrad if name == "pcgrad" else jacobian_descent(name, n_tasks)

    return PerTask(network, learned, training.gradients_on, build)
