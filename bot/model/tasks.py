"""What the kinds of task mean to the model: classified or not, how many columns, kept positive.

Rules: a regression target is standardised for the loss; a classified one is 0 or 1 and its head
gives a logit; a decided one is -1, 0 or +1 and its head gives a logit for each. A new kind of
target is made known here, and nowhere else in the model.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks import Task

CLASSIFIED = frozenset({"direction", "regime"})
"""Kinds whose label is 0 or 1 and whose forecast is a probability."""

DECIDED = frozenset({"decision", "barrier"})
"""Kinds whose label is -1, 0 or +1 and whose forecast is p(+1) - p(-1), a position in [-1, 1]."""

POSITIVE = frozenset({"volatility", "range"})
"""Kinds whose forecast is kept above a floor."""

CHOICES = 3
"""The logits of a decided task, in the order -1, 0, +1."""


def is_classified(task: Task) -> bool:
    """Tell whether the head of `task` gives a logit.

    >>> is_classified(Task("direction", 5)), is_classified(Task("return", 5))
    (True, False)
    """
    return task.kind in CLASSIFIED


def is_decided(task: Task) -> bool:
    """Tell whether the head of `task` gives three logits.

    >>> is_decided(Task("decision", 5)), is_decided(Task("direction", 5))
    (True, False)
    """
    return task.kind in DECIDED


def labels_of(task: Task) -> tuple[float, ...]:
    """Return the labels that a task knows; empty for a regression, which takes any number."""
    if is_decided(task):
        return (-1.0, 0.0, 1.0)
    return (0.0, 1.0) if is_classified(task) else ()


def owners(tasks: Sequence[Task]) -> list[int]:
    """Return for each column of a network's output the place of the task it belongs to.

    >>> owners([Task("return", 5), Task("decision", 5), Task("volume", 5)])
    [0, 1, 1, 1, 2]
    """
    return [k for k, task in enumerate(tasks) for _ in range(CHOICES if is_decided(task) else 1)]
