"""What proposes settings: the same after a kill at any place as without one, and better than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
import pytest
from cmaes import CMA
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from bot.adapters.optuna_file import taken_up
from bot.app.search.samplers import Cube, SeededSampler, seed_of

RANGES: dict[str, BaseDistribution] = {
    "a": FloatDistribution(1e-4, 1.0, log=True),
    "b": FloatDistribution(-2.0, 2.0),
    "c": IntDistribution(1, 9, step=2),
}
SPACE = RANGES | {"d": CategoricalDistribution(("x", "y", "[1, 2]"))}
GIVEN: list[dict[str, Any]] = [{}, {"a": 0.5, "b": 1.0, "c": 3, "d": "y"}]


def drawn(trial: optuna.Trial, key: str, of: Any) -> Any:
    if isinstance(of, CategoricalDistribution):
        return trial.suggest_categorical(key, of.choices)
    make = trial.suggest_int if isinstance(of, IntDistribution) else trial.suggest_float
    return make(key, of.low, of.high, step=of.step, log=of.log)


def value(params: dict[str, float]) -> float:
    if not params:
        return -9.0
    away = (math.log10(params["a"]) + 2.0) ** 2 + (params["b"] - 0.7) ** 2
    return -float(away) - 0.1 * abs(params["c"] - 5) - 0.3 * (params.get("d", "x") != "x")


def new_sampler(kind: str, space: dict[str, BaseDistribution], seed: int = 3) -> SeededSampler:
    chosen = [{k: v for k, v in each.items() if k in space} for each in GIVEN]
    return SeededSampler(kind, seed, space, chosen, middle=chosen[1])


def searched(
    kind: str, space: dict[str, BaseDistribution], n: int, objectives: int = 1, *, killed: Sequence[tuple[int, int]] = (),
    seed: int = 3,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the settings of n trials; `killed` are trials left after so many of their settings were drawn."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    store = optuna.create_study(directions=["maximize"] * objectives)
    for number in range(n):
        store.sampler = new_sampler(kind, space, seed)
        trial = store.ask()
        for left, at in killed:
            if left == number:
                for key in list(space)[:at] if number else ():
                    drawn(trial, key, space[key])
                store.sampler = new_sampler(kind, space, seed)
                trial = taken_up(store, number)
        params = {key: drawn(trial, key, of) for key, of in space.items()} if number else {}
        if number % 5 == 4:
            if objectives == 1:
                trial.report(value(params), 0)
            store.tell(number, state=TrialState.PRUNED)
        elif number % 7 == 6:
            store.tell(number, state=TrialState.FAIL)
        else:
            store.tell(number, [value(params)] * objectives)
    return [dict(trial.params) for trial in store.trials]


@pytest.mark.parametrize(
    ("kind", "objectives"), [("tpe", 1), ("tpe", 2), ("cmaes", 1), ("random", 1)]
)
def test_a_killed_search_proposes_what_it_would_have(kind: str, objectives: int) -> None:
    space = RANGES if kind == "cmaes" else SPACE
    whole = searched(kind, space, 30, objectives)
    assert whole[0] == {}
    assert whole[1] == {key: GIVEN[1][key] for key in space}
    assert len({tuple(each.items()) for each in whole}) > 25
    kills = [(0, 0), (1, 2), (2, 1), (13, 3), (14, 0), (21, 2), (28, 1)]
    assert searched(kind, space, 30, objectives, killed=kills) == whole
    assert searched(kind, space, 30, objectives, seed=4)[2:] != whole[2:]


def test_what_is_told_matters_to_all_but_chance() -> None:
    found = {
        kind: np.median(
            [max(value(p) for p in searched(kind, RANGES, 60, seed=seed)) for seed in range(5)]
        )
        for kind in ("tpe", "cmaes", "random")
    }
    assert found["tpe"] > found["random"]
    assert found["cmaes"] > found["random"]


def test_cma_es_is_that_of_its_package() -> None:
    """Asked and told by hand, generation after generation, with the same seeds."""
    space: dict[str, BaseDistribution] = {
        "x": FloatDistribution(-1.0, 3.0), "y": FloatDistribution(0.0, 2.0),
    }  # fmt: skip
    store = optuna.create_study(direction="minimize")
    store.sampler = SeededSampler("cmaes", 5, space, [{}])
    store.ask()
    store.tell(0, 9.0)
    told: list[list[tuple[Any, float]]] = [[]]
    for number in range(1, 25):
        trial = store.ask()
        x, y = (drawn(trial, key, of) for key, of in space.items())
        theirs = CMA(
            mean=np.full(2, 0.5), sigma=1.0 / 6.0, bounds=np.array([[0.0, 1.0], [0.0, 1.0]]),
            seed=seed_of(5, number, ""),
        )  # fmt: skip
        for generation in told[:-1]:
            theirs.tell(generation)
        at = theirs.ask()
        assert (x, y) == pytest.approx((-1.0 + 4.0 * at[0], 2.0 * at[1]), abs=1e-9)
        loss = (x - 0.2) ** 2 + 3.0 * (y - 1.1) ** 2
        store.tell(number, loss)
        told[-1].append((at, loss))
        if len(told[-1]) == theirs.population_size:
            told.append([])
    assert len(told) == 5


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3))
def test_a_point_of_the_cube_is_settings_of_the_space_and_back(at: list[float]) -> None:
    cube = Cube(RANGES)
    params = cube.value(np.array(at))
    assert 1e-4 <= params["a"] <= 1.0
    assert -2.0 <= params["b"] <= 2.0
    assert params["c"] in (1, 3, 5, 7, 9)
    again = cube.value(cube.place(params))
    assert again["a"] == pytest.approx(params["a"])
    assert again["b"] == pytest.approx(params["b"])
    assert again["c"] == params["c"]
    assert abs(cube.place(params)[2] - at[2]) <= 0.1 + 1e-9
