"""Each task's gradient for itself, brought together on the shared parameters or features.

Where the tasks meet in one representation h, each head reads a copy of its own, so that one
backward pass through the heads gives every task's ∂L_k/∂h. On the features these are brought
together and then sent through the encoder once: 1.1 to 1.3 times a plain step. On the parameters
each goes through the encoder, which is the cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from bot.errors import ModelError
from bot.model.networks.architectures.base import Architecture, SharedRepresentation
from bot.model.training.gradients.aggregator import Aggregator, OfBatch
from bot.model.training.gradients.base import GradientMethod, TermsOf


class PerTask(GradientMethod):
    """Bring the tasks' gradients together by an aggregator.

    There is an aggregator for each set of tasks that meet in a batch, because some keep a state by
    task. A task that is alone keeps its gradient.
    """

    def __init__(
        self,
        network: Architecture,
        learned: Sequence[Tensor],
        on: Literal["parameters", "features"],
        build: Callable[[int], Aggregator],
    ) -> None:
        """Find out what is shared.

        Args:
            learned: all that the optimiser moves, the weighting's own parameters too.
            build: builds an aggregator for a number of tasks.

        Raises:
            ModelError: the network shares nothing, or no single representation.
        """
        self._shared = network.shared_parameters()
        if not self._shared:
            raise ModelError(
                "training.gradients: this model.architecture shares nothing between the tasks; "
                "set 'sum' or choose another architecture"
            )
        if on == "features" and not isinstance(network, SharedRepresentation):
            raise ModelError(
                "training.gradients_on = 'features': the tasks of this model.architecture do not "
                "meet in one representation; set 'parameters'"
            )
        shared = {id(p) for p in self._shared}
        self._own = [p for p in learned if id(p) not in shared]
        self._on = on
        self._build = build
        self._aggregators: dict[tuple[bool, ...], Aggregator] = {}

    def backward(self, network: Architecture, x: Tensor, terms_of: TermsOf) -> None:
        """Fill `.grad`: the tasks' own directly, the shared ones by the aggregator."""
        if not isinstance(network, SharedRepresentation) or (
            self._on == "parameters" and network.decode_shares
        ):
            terms, present = terms_of(network(x))
            rows = self._rows(terms, present)
            torch.autograd.backward(terms.sum(), inputs=self._own)
            self._put(self._aggregate(rows, present))
            return
        h = network.encode(x)
        gradients, present = self._through_heads(network, x, h.detach(), terms_of)
        if self._on == "features":
            joined = self._aggregate(gradients, present, h.detach())
            h.backward(joined)  # type: ignore[no-untyped-call]
            return
        parts = torch.autograd.grad(h, self._shared, gradients, is_grads_batched=True)
        rows = torch.cat([part.flatten(1) for part in parts], dim=1)
        self._put(self._aggregate(rows, present))

    @staticmethod
    def _through_heads(
        network: SharedRepresentation, x: Tensor, h: Tensor, terms_of: TermsOf
    ) -> tuple[Tensor, Tensor]:
        """Return every task's gradient on the representation, float32[K, B, W], and who is present.

        The tasks' own parameters get their gradients on the way.
        """
        n_tasks = network.n_tasks
        copies = h.expand(n_tasks, *h.shape).contiguous().requires_grad_()
        terms, present = terms_of(network.decode(x, copies))
        terms.sum().backward()  # type: ignore[no-untyped-call]
        if copies.grad is None:
            raise ModelError("training.gradients: no task reads the shared representation")
        return copies.grad, present

    def _rows(self, terms: Tensor, present: Tensor) -> Tensor:
        """Return every task's gradient on the shared parameters, float32[K, P], 0 where absent."""
        size = sum(p.numel() for p in self._shared)
        rows = torch.zeros(len(terms), size, device=terms.device)
        for k in torch.nonzero(present).flatten().tolist():
            parts = torch.autograd.grad(
                terms[k], self._shared, retain_graph=True, materialize_grads=True
            )
            torch.cat([part.flatten() for part in parts], out=rows[k])
        return rows

    def _aggregate(self, gradients: Tensor, present: Tensor, h: Tensor | None = None) -> Tensor:
        """Bring the gradients of the tasks present together, of the shape of one of them.

        Args:
            gradients: float32[K, P], or float32[K, B, W] on features.
            h: the features float32[B, W] where the gradients are on them.
        """
        met = tuple(present.tolist())
        if not all(met):
            gradients = gradients[present]
        if len(gradients) < 2:
            return gradients.sum(dim=0)
        if met not in self._aggregators:
            self._aggregators[met] = self._build(len(gradients))
        aggregator = self._aggregators[met]
        if h is None:
            return aggregator(gradients)
        if isinstance(aggregator, OfBatch):
            return aggregator.of_batch(gradients, h)
        return aggregator(gradients.flatten(1)).view_as(h)

    def _put(self, gradient: Tensor) -> None:
        """Hand out a flat gradient to the shared parameters."""
        sizes = [p.numel() for p in self._shared]
        for parameter, part in zip(self._shared, torch.split(gradient, sizes), strict=True):
            parameter.grad = part.view_as(parameter)
