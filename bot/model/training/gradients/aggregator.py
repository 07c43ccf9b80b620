"""What brings the tasks' gradients together, and how long the result is.

Rules: K equal gradients give K times it, their sum, whatever the method; papers define theirs as a
mean, a sum or a mere direction, and clipping, which sees the heads' gradients too, would take the
shorter ones for more careful. So a mean is taken K times, and where a method has a length of its
own making (Nash-MTL, FairGrad) or the shortest singular value's (Aligned-MTL), its weights are
brought to a sum of K.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor

Aggregator = Callable[[Tensor], Tensor]
"""From the tasks' gradients float32[K, P], K of at least 2, to one float32[P]."""


class OfBatch(ABC):
    """An aggregator that, on features, must know which of the numbers are of one row.

    Others take the features of all rows for one long vector.
    """

    @abstractmethod
    def __call__(self, rows: Tensor) -> Tensor:
        """Return float32[P] from the gradients on parameters, float32[K, P]."""

    @abstractmethod
    def of_batch(self, gradients: Tensor, h: Tensor) -> Tensor:
        """Return float32[B, W] from the gradients float32[K, B, W] on features h float32[B, W]."""


def of_any_size(aggregator: Aggregator) -> Aggregator:
    """Return a method whose result grows with the gradients, kept from its constants for tiny ones.

    Gradients on features are of the size of one row's share in the mean loss, and some methods take
    what is below 1e-4 for nothing.
    """

    def aggregate(rows: Tensor) -> Tensor:
        size = rows.norm()
        return rows.sum(dim=0) if size == 0.0 else size * aggregator(rows / size)

    return aggregate


def as_sum(mean: Aggregator) -> Aggregator:
    """Return a method that is defined as a mean, as long as a sum, for gradients of any size."""
    return of_any_size(lambda rows: len(rows) * mean(rows))


def by_weights(weights_of: Callable[[Tensor], Tensor]) -> Aggregator:
    """Return a method that is given by weights, these brought to a sum of K.

    Args:
        weights_of: from the gradients float32[K, P] to weights float32[K] whose sum is above 0,
            and whose proportions do not depend on the gradients' common size.
    """

    def aggregate(rows: Tensor) -> Tensor:
        weights = weights_of(rows)
        return (len(rows) / weights.sum() * weights) @ rows

    return of_any_size(aggregate)
