"""From a model's manifest to what the report shows of its inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bot.blocks import F64
from bot.report.inputs import Gate, Insight
from bot.report.insights import over_models


def insight_of(manifest: Mapping[str, Any]) -> Insight | None:
    """Return what the training found out about its model; None where `training.interpret` was off.

    Of an ensemble, importance is the members' mean; cosines and gates are the first member's,
    because members stop at epochs of their own and their experts are not the same.
    """
    members = manifest.get("insights", [])
    if not members:
        return None
    first: list[F64] = []
    for epoch in manifest["history"]:
        if first and epoch["number"] == 1:
            break
        first.append(np.array(epoch["cosines"], dtype=np.float64))
    n = len(manifest["tasks"])
    cosines = np.stack(first) if first[0].size else np.zeros((0, n, n))
    features = list(manifest["features"])
    if manifest["spec"].get("symbols"):
        features.append("symbol")  # the place of the symbol follows the features
    each = [np.array(member["importance"], dtype=np.float64) for member in members]
    return Insight(
        tasks=tuple(manifest["tasks"]),
        features=tuple(features),
        importance=over_models(each).mean,
        cosines=cosines,
        best_epoch=int(manifest["metrics"]["best_epoch"]),
        gates=tuple(_gate(value) for value in members[0]["gates"]),
    )


def _gate(value: Mapping[str, Any]) -> Gate:
    weights = dict(zip(value["experts"], value["weights"], strict=True))
    return Gate(int(value["layer"]), value["reader"], weights)
