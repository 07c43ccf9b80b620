"""How tasks share a network: architectures by name, one module each.

A new one is a subclass of `Architecture`, a line in `ARCHITECTURES`, and a name in the config.

base            what every architecture is
shared_bottom   one encoder for all tasks
towers          a network a task, apart or drawn together
cross_stitch    a tower a task, mixed after every layer
mmoe            a mixture of experts with a gate a task
ple             shared experts beside each task's own
hierarchical    easier tasks feed harder ones
"""

from __future__ import annotations

from bot.model.networks.architectures.base import Architecture, Builder
from bot.model.networks.architectures.cross_stitch import CrossStitch
from bot.model.networks.architectures.hierarchical import Hierarchical
from bot.model.networks.architectures.mmoe import Mmoe
from bot.model.networks.architectures.ple import Ple
from bot.model.networks.architectures.shared_bottom import SharedBottom
from bot.model.networks.architectures.towers import Single, Soft

__all__ = ["ARCHITECTURES", "Architecture"]

ARCHITECTURES: dict[str, Builder] = {
    "shared_bottom": SharedBottom,
    "soft": Soft,
    "cross_stitch": CrossStitch,
    "mmoe": Mmoe,
    "ple": Ple,
    "hierarchical": Hierarchical,
    "single": Single,
}
"""Builders by the name in model.architecture: (settings, number of features, tasks) to a network."""
