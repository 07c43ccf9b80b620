"""Aggregators of the library torchjd, by their names in the config.

Rules: torchjd is imported when one is built; some need solvers that come with the extra
`gradients`, and are refused by name without them. Constants are those of the papers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from bot.errors import extra_needed
from bot.model.training.gradients.aggregator import Aggregator, as_sum, by_weights
from bot.parts.registry import shipped

CAGRAD_C = 0.4
"""c of CAGrad (Liu et al. 2021): how far from the mean gradient it may look."""

FAIRGRAD_ALPHA = 1.0
"""α of FairGrad (Ban & Ji 2024); 1 is proportional fairness."""

NAMES: dict[str, str] = {
    "cagrad": "CAGrad",
    "nash_mtl": "NashMTL",
    "aligned_mtl": "AlignedMTL",
    "imtl_g": "IMTLG",
    "upgrad": "UPGrad",
    "dualproj": "DualProj",
    "fairgrad": "FairGrad",
}
"""Classes of torchjd by the name in training.gradients.

CAGrad (Liu 2021), Nash-MTL (Navon 2022), Aligned-MTL (Senushkin 2023), IMTL-G (Liu 2021), UPGrad and
DualProj (Quinton & Rey 2024; Lopez-Paz & Ranzato 2017), FairGrad (Ban & Ji 2024).
"""

MEANS = frozenset({"cagrad", "imtl_g", "upgrad", "dualproj"})
"""Those that are defined as a mean of gradients; of the others only the direction is defined."""


def jacobian_descent(name: str, n_tasks: int) -> Aggregator:
    """Build the aggregator of this name for gradients of a number of tasks.

    Raises:
        ConfigError: it needs a solver that is not installed.
    """
    from torchjd import aggregation

    given: dict[str, dict[str, Any]] = {
        "cagrad": {"c": CAGRAD_C},
        "fairgrad": {"alpha": FAIRGRAD_ALPHA},
        "nash_mtl": {"n_tasks": n_tasks, "max_norm": 0.0},
    }
    try:
        built = getattr(aggregation, NAMES[name])(**given.get(name, {}))
    except ImportError as error:
        raise extra_needed(
            f"training.gradients = '{name}' needs a solver that is not installed", "gradients"
        ) from error
    if name in MEANS:
        return as_sum(built)
    if name == "nash_mtl":
        return by_weights(_quiet(built.weighting))
    return by_weights(lambda rows: built.gramian_weighting(rows @ rows.t()))


def _quiet(weights_of: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Keep cvxpy from saying at every step that Nash-MTL's problem is built anew each time."""

    def quietly(rows: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "You are solving a parameterized problem", UserWarning
            )
            return weights_of(rows)

    return quietly


for _name, _title in NAMES.items():
    shipped("gradient_method", _name, doc=f"torchjd's {_title}.")(partial(jacobian_descent, _name))
