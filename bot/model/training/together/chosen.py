"""Whether the members of an ensemble are trained together.

Owns `why_one_by_one`. Rule: together is a matter of speed alone; where a part needs more of a step
than the steps of `descent` do, the members are trained one after the other and nothing else changes.
"""

from __future__ import annotations

from bot.config.schema import Model, Training
from bot.model.training.together.tower import BUILT_OF

WEIGHTINGS = ("fixed", "uncertainty", "dwa", "stch")
"""Those that ask for nothing but the losses: no gradients of the network, no look back."""


def why_one_by_one(model: Model, training: Training) -> str | None:
    """Return what keeps the members from being trained together, None where nothing does.

    >>> why_one_by_one(Model(members=4), Training(gradients="pcgrad"))
    'training.gradients = pcgrad'
    """
    if model.members == 1:
        return "a single member"
    for setting, value, allowed in (
        ("model.architecture", model.architecture, BUILT_OF),
        ("model.encoder", model.encoder, ("mlp",)),
        ("training.gradients", training.gradients, ("sum",)),
        ("training.weighting", training.weighting, WEIGHTINGS),
    ):
        if value not in allowed:
            return f"{setting} = {value}"
    return "the network knows symbols" if model.knows_symbols else None
