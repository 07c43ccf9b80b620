"""What the kinds of task mean to the model: which are classified, which must stay positive.

Rules: a regression target is standardised for the loss, a classified one is 0 or 1 and its head
gives a logit. A new kind of target is made known here, and nowhere else in the model.
"""

from __future__ import annotations

from bot.blocks import Task

CLASSIFIED = frozenset({"direction"})
"""Kinds whose label is 0 or 1 and whose forecast is a probability."""

POSITIVE = frozenset({"volatility"})
"""Kinds whose forecast is kept above a floor."""


def is_classified(task: Task) -> bool:
    """Tell whether the head of `task` gives a logit.

    >>> is_classified(Task("direction", 5)), is_classified(Task("return", 5))
    (True, False)
    """
    return task.kind in CLASSIFIED
