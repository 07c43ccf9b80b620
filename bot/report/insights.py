"""What the run's models look at, on the mean over the models: importance, cosines, gates.

Rules: every figure comes with its deviation over the models, because a single training says little;
a figure that no model has is NaN. Must not draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from bot.blocks import F64
from bot.report.inputs import Insight, RunData

SHARED = "shared"
"""How names of shared experts and of a shared state's gate begin."""


@dataclass(frozen=True, slots=True)
class Averaged:
    """Mean and deviation (ddof = 1) over the models, of the same shape; NaN where not known."""

    mean: F64
    deviation: F64


def insights(run: RunData) -> list[Insight]:
    """Return those of the run's models that were looked into, in the order of the schedule."""
    return [model.insight for model in run.models if model.insight is not None]


def importance(found: Sequence[Insight]) -> Averaged:
    """Return F × K: what each head loses without each feature, as a share of its naive loss."""
    return over_models([insight.importance for insight in found])


def by_importance(mean: F64) -> list[int]:
    """Return the features, the one that any head needs most first.

    Heads are compared by each feature's share of what the head's best feature brings.

    >>> by_importance(np.array([[0.1, 0.0], [0.2, 0.1], [0.0, 0.9]]))
    [1, 2, 0]
    """
    share = np.nan_to_num(mean) / column_scale(mean)
    return [int(f) for f in np.argsort(-share.max(axis=1), kind="stable")]


def column_scale(mean: F64) -> F64:
    """Return the largest size in each column, 1 where there is none."""
    scale: F64 = np.nan_to_num(np.abs(mean)).max(axis=0)
    return np.where(scale > 0.0, scale, 1.0)


def kept_cosines(found: Sequence[Insight]) -> list[F64]:
    """Return each model's K × K cosines after the epoch whose weights were kept; none unmeasured."""
    return [i.cosines[min(i.best_epoch, len(i.cosines)) - 1] for i in found if len(i.cosines)]


def cosines_by_epoch(found: Sequence[Insight]) -> F64:
    """Return float64[E, K, K], the mean over the models that ran each epoch."""
    longest = max(len(insight.cosines) for insight in found)
    padded = [
        np.pad(i.cosines, ((0, longest - len(i.cosines)), (0, 0), (0, 0)), constant_values=np.nan)
        for i in found
        if len(i.cosines)
    ]
    return over_models(padded).mean


def pairs(n_tasks: int) -> list[tuple[int, int]]:
    """Return each pair of tasks once."""
    return list(combinations(range(n_tasks), 2))


def effective_experts(weights: dict[str, float]) -> float:
    """Return exp(entropy) of a gate's mean weights: 1 expert alone, or all alike.

    >>> effective_experts({"a": 0.5, "b": 0.5, "c": 0.0})
    2.0
    """
    p = np.array([w for w in weights.values() if w > 0.0])
    return round(float(np.exp(-(p * np.log(p)).sum())), 12)


def over_models(values: Sequence[F64]) -> Averaged:
    """Return mean and deviation over the models, leaving out what is NaN.

    >>> over_models([np.array([1.0, np.nan]), np.array([3.0, 5.0])]).mean.tolist()
    [2.0, 5.0]
    """
    stack = np.stack(values)
    known = ~np.isnan(stack)
    n = known.sum(axis=0)
    mean = np.where(known, stack, 0.0).sum(axis=0) / np.maximum(n, 1)
    squares = np.where(known, stack - mean, 0.0) ** 2
    deviation = np.sqrt(squares.sum(axis=0) / np.maximum(n - 1, 1))
    return Averaged(np.where(n > 0, mean, np.nan), np.where(n > 1, deviation, np.nan))


def insight_rows(run: RunData) -> dict[str, list[dict[str, Any]]]:
    """Return rows for tables and JSON under 'importance', 'cosines' and 'gates'."""
    found = insights(run)
    if not found:
        return {"importance": [], "cosines": [], "gates": []}
    return {
        "importance": _importance_rows(found),
        "cosines": _cosine_rows(found),
        "gates": _gate_rows(found),
    }


def _importance_rows(found: Sequence[Insight]) -> list[dict[str, Any]]:
    averaged = importance(found)
    return [
        {
            "feature": found[0].features[f],
            "heads": {
                task: {
                    "mean": known(averaged.mean[f, k]),
                    "deviation": known(averaged.deviation[f, k]),
                }
                for k, task in enumerate(found[0].tasks)
            },
        }
        for f in by_importance(averaged.mean)
    ]


def _cosine_rows(found: Sequence[Insight]) -> list[dict[str, Any]]:
    """Return a row a pair of tasks, those that conflict most first."""
    kept = kept_cosines(found)
    if not kept:
        return []
    averaged = over_models(kept)
    stack = np.stack(kept)
    rows = [
        {
            "tasks": [found[0].tasks[a], found[0].tasks[b]],
            "mean": known(averaged.mean[a, b]),
            "deviation": known(averaged.deviation[a, b]),
            "conflicts": float((stack[:, a, b] < 0.0).mean()),
        }
        for a, b in pairs(len(found[0].tasks))
    ]
    return sorted(rows, key=lambda row: (row["mean"] is None, row["mean"] or 0.0))


def _gate_rows(found: Sequence[Insight]) -> list[dict[str, Any]]:
    """Return a row a gate; a network's experts have no names that hold over trainings."""
    rows = []
    for place, gate in enumerate(found[-1].gates):
        same = [insight.gates[place].weights for insight in found]
        used = over_models([np.array(effective_experts(weights)) for weights in same])
        common = over_models([np.array(shared_part(weights)) for weights in same])
        rows.append(
            {
                "layer": gate.layer,
                "reader": gate.reader,
                "experts": len(gate.weights),
                "used": known(used.mean),
                "used_deviation": known(used.deviation),
                "shared_part": known(common.mean),
                "newest": gate.weights,
            }
        )
    return rows


def shared_part(weights: dict[str, float]) -> float:
    """Return what a gate gives to shared experts; NaN where experts are not told apart.

    >>> shared_part({"return_1 1": 0.25, "shared 1": 0.5, "shared 2": 0.25})
    0.75
    """
    common = [weight for name, weight in weights.items() if name.startswith(SHARED)]
    return sum(common) if common else float("nan")


def known(value: Any) -> float | None:
    """Return a number, None for NaN."""
    return float(value) if np.isfinite(value) else None
