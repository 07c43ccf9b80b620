"""Parts: everything of a kind that a user may add to, each in one file, by one mechanism.

A file of a user's own imports its decorators from here: `from bot.parts import feature`.

registry        what parts there are, by kind and name
sets            named sets of parts
kinds           the kinds: what each is, where its shipped parts lie, which setting chooses
declare         the decorators that enter a part
compile         a user's function to machine code of a fixed signature
sections        a part's own settings, checked
plugins         a user's files and installed packages: loaded, hashed, faults reported by line
"""

from bot.parts.declare import (
    architecture,
    cost_scheme,
    cross_feature,
    encoder,
    feature,
    gradient_method,
    policy,
    target,
    weighting,
)

__all__ = [
    "architecture",
    "cost_scheme",
    "cross_feature",
    "encoder",
    "feature",
    "gradient_method",
    "policy",
    "target",
    "weighting",
]
