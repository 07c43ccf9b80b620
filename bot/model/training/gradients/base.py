"""What a gradient method is, and the plain sum.

Rules: a method runs the forward pass on a batch and fills `.grad` of all that is learned; it knows
neither losses nor labels but through the terms that it is given. Only the shared part is in
dispute: each task's own parameters get their own gradients.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor

from bot.model.networks.architectures import Architecture

TermsOf = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From the network's output float32[B, C] to the terms float32[K] and which are present bool[K]."""


class GradientMethod(ABC):
    """From the tasks' terms to one gradient."""

    @abstractmethod
    def backward(self, network: Architecture, x: Tensor, terms_of: TermsOf) -> None:
        """Run the network on x float32[B, F] and fill `.grad` of everything learned."""


class Sum(GradientMethod):
    """The gradient of the sum of the terms, and of the network's penalty: plain descent."""

    def backward(self, network: Architecture, x: Tensor, terms_of: TermsOf) -> None:
        """Backpropagate the sum."""
        terms, _ = terms_of(network(x))
        objective, penalty = terms.sum(), network.penalty()
        if penalty is not None:
            objective = objective + penalty
        objective.backward()  # type: ignore[no-untyped-call]
