"""What the kinds of task mean to the model: classified or not, how many columns, kept positive.

Rules: a regression target is standardised for the loss; a classified one is 0 or 1 and its head
gives a logit; a decided one is -1, 0 or +1 and its head gives a logit for each. What a kind of target
is, its registration says.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks import Task
from bot.parts.registry import find

CHOICES = 3
"""The logits of a decided task, in the order -1, 0, +1."""


def output_of(kind: str) -> str:
    """Return what a kind of target is: 'number', 'positive', 'probability' or 'side'.

    A kind that is not known is a number: forecasts made elsewhere may have any.
    """
    known = find("target", kind)
    return "number" if known is None else str(known.facts["output"])


def is_classified(task: Task) -> bool:
    """Tell whether the head of `task` gives a logit.

    >>> is_classified(Task("direction", 5)), is_classified(Task("return", 5))
    (True, False)
    """
    return output_of(task.kind) == "probability"


def is_decided(task: Task) -> bool:
    """Tell whether the head of `task` gives three logits.

    >>> is_decided(Task("decision", 5)), is_decided(Task("direction", 5))
    (True, False)
    """
    return output_of(task.kind) == "side"


def is_positive(task: Task) -> bool:
    """Tell whether the forecast of `task` is kept above a floor.

    >>> is_positive(Task("volatility", 5)), is_positive(Task("return", 5))
    (True, False)
    """
    return output_of(task.kind) == "positive"


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
