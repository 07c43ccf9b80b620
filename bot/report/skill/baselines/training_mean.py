"""Any number by the mean of the training rows."""

from __future__ import annotations

from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Fit, Head, always


@shipped("baseline", "training_mean", heads=(), label="mean", words="mean of the training rows")
def training_mean(_run: Judged, head: Head) -> Fit:
    """The training rows' mean label: for heads that have no baseline of their own."""
    return lambda era: always(float(era.training(head.label).mean()))
