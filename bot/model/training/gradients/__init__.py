"""How the tasks' gradients become one: gradient methods by name.

A new one is an aggregator, entered by a builder for a number of tasks.

base            what a gradient method is, and the plain sum
aggregator      what brings gradients together, and the length of the result
per_task        each task's gradient for itself
by_products     methods that need only the products g_i · g_j
pcgrad          projecting conflicting gradients
graddrop        gradient sign dropout
excess_mtl      excess risks as weights
jacobian_descent the aggregators of torchjd
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from bot.config.schema import Training
from bot.model.networks.architectures import Architecture
from bot.model.training.gradients.aggregator import Aggregator
from bot.model.training.gradients.base import GradientMethod, Sum
from bot.model.training.gradients.per_task import PerTask
from bot.parts.registry import part, shipped

__all__ = ["GradientMethod", "build_aggregator", "build_gradients", "check_solver"]


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

    return PerTask(network, learned, training.gradients_on, partial(build_aggregator, name))


def check_solver(name: str) -> None:
    """Refuse a method whose solver is not installed, before anything is trained.

    Raises:
        ConfigError: the extra that brings it has to be installed.
    """
    if name != "sum":
        build_aggregator(name, 2)


def build_aggregator(name: str, n_tasks: int) -> Aggregator:
    """Build the method of this name for a number of tasks.

    Raises:
        ConfigError: it needs a solver that is not installed.
    """
    aggregator: Aggregator = part("gradient_method", name).made(n_tasks)
    return aggregator


shipped("gradient_method", "sum", doc="The gradient of the sum of the terms: plain descent.")(Sum)
