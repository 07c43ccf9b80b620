"""The kinds of part: what each is, where its shipped parts lie, and which setting chooses among them.

Rule: a kind's room is named and not imported; `registry` imports it when it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartKind:
    """A kind of part.

    Attributes:
        what: what one is, in a few words.
        chosen_by: the setting that names the parts in force; empty where a command does.
        room: the package or module that enters the shipped ones when it is imported.
    """

    name: str
    what: str
    chosen_by: str
    room: str


KINDS = {
    kind.name: kind
    for kind in (
        PartKind("feature", "a number of each bar, for the model to see",
             "features.names", "bot.features.library"),
        PartKind("target", "a number of the bars to come, for a head to predict",
             "targets.kinds", "bot.features.targets"),
        PartKind("encoder", "what reads the features",
             "model.encoder", "bot.model.networks.encoders"),
        PartKind("architecture", "how the tasks share a network",
             "model.architecture", "bot.model.networks.architectures"),
        PartKind("weighting", "how the tasks' losses become one",
             "training.weighting", "bot.model.training.weighting"),
        PartKind("gradient_method", "how the tasks' gradients become one",
             "training.gradients", "bot.model.training.gradients"),
        PartKind("policy", "which side a symbol is worth",
             "policy.kind", "bot.portfolio.policies"),
        PartKind("sizing", "how large a position is",
             "sizing.method", "bot.portfolio.sizings"),
        PartKind("cost_scheme", "what a fill costs",
             "costs.scheme", "bot.portfolio.costs"),
        PartKind("baseline", "the naive forecast that a head has to beat",
             "report.baselines", "bot.report.skill.baselines"),
        PartKind("contender", "settings that `bot compare` holds against others",
             "", "bot.app.study.contenders"),
        PartKind("venue", "a place where symbols trade",
             "market.venue", "bot.venues"),
        PartKind("importer", "a layout of files that `bot import` reads",
             "", "bot.adapters.files.layouts"),
    )
}  # fmt: skip
