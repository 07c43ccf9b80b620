"""What a network looks at: gradient cosines of its tasks, use of its experts, features that matter.

Rules: the network is in eval mode, nothing is drawn from torch's generator and no gradient or
statistic is left behind, so a training that is looked into gives the same bits as one that is not.
Results are plain numbers for the model's manifest; None stands where there is no number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bot.blocks import F64
from bot.model.device import CPU
from bot.model.networks.architectures import Architecture
from bot.model.training.losses import TaskLosses

COSINE_ROWS = 512
"""Training rows whose gradients are compared, evenly over the window; about half a batch."""

IMPORTANCE_ROWS = 1024
"""Most validation rows that a feature is permuted in."""

REPEATS = 2
"""Permutations of each feature; trainings repeat it too, and the report shows their deviation."""

Cosines = tuple[tuple[float | None, ...], ...]
"""K × K; None where a task has no gradient."""


def evenly_chosen(n: int, most: int) -> Tensor:
    """Return at most `most` of n rows' places, at even distances.

    >>> evenly_chosen(6, 3).tolist()
    [0, 2, 4]
    """
    places = torch.arange(min(n, most), device=CPU)
    return places if n <= most else places * n // most


def gradient_cosines(
    network: Architecture, losses_of: TaskLosses, rows: tuple[Tensor, ...]
) -> Cosines:
    """Return the cosines of the tasks' gradients on the shared parameters; () if none are shared.

    The losses are the unweighted ones: a cosine does not depend on positive weights. A negative one
    means that a step for one task hurts the other (Yu et al. 2020, definition 1).

    Args:
        network: in eval mode.
        rows: x, y with 0 where unlabelled, labelled, as a training step sees them.
    """
    shared = network.shared_parameters()
    if not shared:
        return ()
    x, y, known = rows
    losses, _ = losses_of(network(x), y, known)
    gradients = []
    for loss in losses.unbind():
        parts = torch.autograd.grad(loss, shared, retain_graph=True, materialize_grads=True)
        gradients.append(torch.cat([part.flatten() for part in parts]))
    jacobian = torch.stack(gradients).double()
    sizes = jacobian.norm(dim=1)
    cosines = (jacobian @ jacobian.t()) / torch.outer(sizes, sizes)
    return tuple(
        tuple(value if np.isfinite(value) else None for value in row)
        for row in cosines.clamp(-1.0, 1.0).tolist()
    )


def permutation_importance(
    network: Callable[[Tensor], Tensor],
    losses_of: TaskLosses,
    rows: tuple[Tensor, ...],
    seed: Sequence[int],
) -> F64:
    """Return float64[F, K]: how much of its naive loss each head loses without each feature.

    A feature's column is permuted over the rows and all else stays (Breiman 2001; Fisher, Rudin &
    Dominici 2019, eq. 3 as a difference); NaN for a task without labels here. Features that say the
    same cover for one another, so a low number does not prove that nothing is known from a feature.

    Args:
        network: in eval mode.
        rows: validation rows; the features are the last axis of x.
        seed: of the permutations.
    """
    x, y, known = rows
    rng = np.random.default_rng(seed)
    with torch.inference_mode():
        usual, count = losses_of(network(x), y, known)
        found = torch.zeros(x.shape[-1], len(usual), device=x.device)
        for feature in range(x.shape[-1]):
            own = x[..., feature].clone()
            for _ in range(REPEATS):
                x[..., feature] = own[torch.from_numpy(rng.permutation(len(x)))]
                losses, _ = losses_of(network(x), y, known)
                found[feature] += (losses - usual) / losses_of.naive / REPEATS
            x[..., feature] = own
    importance: F64 = np.where((count > 0).cpu(), found.double().cpu(), np.nan)
    return importance


def interpretation(
    network: Architecture,
    losses_of: TaskLosses,
    held: tuple[Tensor, ...],
    seed: Sequence[int],
    forward: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Any]:
    """Return what a trained network does on validation rows, as JSON values.

    `importance` is F × K (see `permutation_importance`), `gates` one `Gate` each; `forward` is the
    network's forward pass in eval mode, where there is a quicker one than its own.
    """
    network.eval()
    importance = permutation_importance(forward or network, losses_of, held, seed)
    with torch.inference_mode():
        gates = network.gate_use(held[0])
    return {
        "importance": [
            [value if np.isfinite(value) else None for value in row] for row in importance.tolist()
        ],
        "gates": [asdict(gate) for gate in gates],
        "rows": len(held[0]),
    }
