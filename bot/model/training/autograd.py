"""The steps of one network by torch's autograd: any network, weighting and gradient method.

Owns `AutogradSteps`. Rule: everything random comes from torch's global generator, which goes on from
where the course left it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bot.model.training.course import Course
from bot.model.training.gradients import build_gradients


class AutogradSteps:
    """What a network and its weighting are moved by: a gradient method, clipping and AdamW."""

    def __init__(self, course: Course) -> None:
        torch.random.set_rng_state(course.random_state)
        training = course.training
        own = course.network.parameter_groups(training.learning_rate, training.weight_decay)
        groups = [*own, *course.weighting.parameter_groups(training.learning_rate)]
        learned = [parameter for group in groups for parameter in group["params"]]
        self._course = course
        self._gradients = build_gradients(training, course.network, learned)
        self._optimizer = torch.optim.AdamW(groups, fused=True)
        self._rates = tuple(float(group["lr"]) for group in own)
        self._clipped = [list(module.parameters()) for module in course.stopping.modules]

    @property
    def generator(self) -> torch.Generator:
        """Return torch's global generator, which dropout draws from too."""
        return torch.default_generator

    def take(self, chosen: Tensor, active: Tensor, factor: float) -> tuple[Tensor, Tensor]:
        """Move the network by a batch, and its weighting by what the step was worth.

        Args and return value are those of `descent.Steps`.
        """
        course, weighting = self._course, self._course.weighting
        x, y, known = course.parts.fitted.at(chosen)
        seen: list[Tensor] = []

        def terms_of(output: Tensor) -> tuple[Tensor, Tensor]:
            losses, count = course.losses_of(output, y, known)
            seen[:] = losses.detach(), count
            present = (count > 0) & active
            return weighting.terms(losses, present), present

        before = torch.random.get_rng_state() if weighting.looks_back else None
        self._optimizer.zero_grad(set_to_none=True)
        self._gradients.backward(course.network, x, terms_of)
        for parameters in self._clipped:
            torch.nn.utils.clip_grad_norm_(parameters, course.training.clip_norm)
        # the network's own groups come first; what a weighting learns keeps its rate
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=False):
            group["lr"] = rate * factor
        self._optimizer.step()
        if before is not None:
            torch.random.set_rng_state(before)  # the same dropout as in the step
            with torch.no_grad():
                afterwards, _ = course.losses_of(course.network(x), y, known)
            weighting.after_step(afterwards)
        losses, count = seen
        return losses, count

    def forward(self) -> Callable[[Tensor], Tensor]:
        """Return the network itself."""
        return self._course.network
