"""Direction by the share of rises in the training rows."""

from __future__ import annotations

from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Era, Fit, Fitted, Head, always


@shipped(
    "baseline",
    "base_rate",
    heads=("direction", "regime"),
    label="base rate",
    words="base rate of the training rows",
)
def base_rate(_run: Judged, head: Head) -> Fit:
    """The training rows' share of rises.

    It is (rises + 1) / (rows + 2), Laplace's rule, so that no span makes a rise impossible.
    """

    def fit(era: Era) -> Fitted:
        rises = era.training(head.label)
        return always(float((rises.sum() + 1.0) / (len(rises) + 2.0)))

    return fit
