"""How tasks share a network: architectures by name, one module each.

A new one is a subclass of `Architecture`, a line in `ARCHITECTURES`, and a name in the config.
"""

from __future__ import annotations

from bot.model.architectures.base import Architecture, Builder
from bot.model.architectures.cross_stitch import CrossStitch
from bot.model.architectures.hierarchical import Hierarchical
from bot.model.architectures.mmoe import Mmoe
from bot.model.architectures.ple import Ple
from bot.model.architectures.shared_bottom import SharedBottom
from bot.model.architectures.towers import Single, Soft

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
