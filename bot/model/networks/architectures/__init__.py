"""How tasks share a network: architectures by name, one module each.

A new one is a subclass of `Architecture`, entered by its decorator.

base            what every architecture is
shared_bottom   one encoder for all tasks
towers          a network a task, apart or drawn together
cross_stitch    a tower a task, mixed after every layer
mmoe            a mixture of experts with a gate a task
ple             shared experts beside each task's own
hierarchical    easier tasks feed harder ones
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks import Task
from bot.config.schema import Model
from bot.model.networks.architectures.base import Architecture
from bot.parts.registry import part
from bot.parts.sections import own_section

__all__ = ["Architecture", "build_architecture"]


def build_architecture(settings: Model, n_features: int, tasks: Sequence[Task]) -> Architecture:
    """Build what model.architecture names.

    Raises:
        ConfigError: there is none of that name.
    """
    chosen = part("architecture", settings.architecture)
    own = own_section(chosen, settings.settings)
    network: Architecture = chosen.made(settings, n_features, tasks, *own)
    return network
