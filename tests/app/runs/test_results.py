"""A run's models bring what their trainings found out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bot.app.runs.results import insight_of, read_run

if TYPE_CHECKING:
    from tests.conftest import Ran


def test_every_model_of_a_run_was_looked_into(short: Ran) -> None:
    models = read_run(short.folder).models
    assert len(models) > 1
    for model in models:
        found = model.insight
        assert found is not None
        n, k = len(found.features), len(found.tasks)
        assert found.importance.shape == (n, k)
        assert found.cosines.shape[1:] == (k, k)
        assert 1 <= found.best_epoch <= len(found.cosines)
        assert np.allclose(np.diagonal(found.cosines, axis1=1, axis2=2), 1.0)
        assert found.gates == ()


def test_of_an_ensemble_the_importance_is_the_members_mean_and_the_rest_the_firsts() -> None:
    def gate(weight: float) -> dict[str, object]:
        return {"layer": 1, "reader": "a", "experts": ["e"], "weights": [weight]}

    manifest = {
        "tasks": ["a"],
        "features": ["f", "g"],
        "spec": {"symbols": []},
        "metrics": {"best_epoch": 1},
        "history": [
            {"number": 1, "cosines": [[1.0]]},
            {"number": 2, "cosines": [[None]]},
            {"number": 1, "cosines": [[0.5]]},
        ],
        "insights": [
            {"importance": [[1.0], [None]], "gates": [gate(0.25)]},
            {"importance": [[3.0], [2.0]], "gates": [gate(0.75)]},
        ],
    }
    found = insight_of(manifest)
    assert found is not None
    assert found.importance.ravel().tolist() == [2.0, 2.0]
    assert found.cosines.shape == (2, 1, 1)
    assert np.isnan(found.cosines[1, 0, 0])
    assert found.gates[0].weights == {"e": 0.25}
    assert insight_of({**manifest, "insights": []}) is None
