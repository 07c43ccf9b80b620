from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.errors import ModelError
from bot.model.dataset import Dataset
from bot.model.training.curriculum import Curriculum
from bot.model.training.train import train

MakeDataset = Callable[..., Dataset]
TASKS = tuple(Task(kind, 5) for kind in ("return", "direction", "volume"))


def of(epochs: int, *stages: str) -> Curriculum:
    return Curriculum(
        TASKS, Training(weights={}, epochs=epochs, curriculum="stages", stages=stages)
    )


def lengths(curriculum: Curriculum, scores: list[float]) -> list[int]:
    """How many epochs each stage took, given the score of every epoch."""
    found = [0]
    for score in scores:
        found[-1] += 1
        if curriculum.advance(score):
            found.append(0)
    return found


def test_no_curriculum_is_one_stage_of_all() -> None:
    curriculum = Curriculum(TASKS, Training(weights={}, epochs=5))
    assert curriculum.active().all()
    assert curriculum.is_last
    assert lengths(curriculum, [1.0] * 5) == [5]


def test_stages_by_epochs() -> None:
    curriculum = of(10, "direction for 2", "direction+return for 3", "all")
    seen = []
    for _ in range(10):
        seen.append(curriculum.active().tolist())
        curriculum.advance(1.0)
    only, both = [False, True, False], [True, True, False]
    assert seen == [only] * 2 + [both] * 3 + [[True] * 3] * 5


def test_a_plateau_ends_a_stage() -> None:
    scores = [5.0, 4.0, 4.5, 3.0, 3.5, 3.2, 9.0, 9.0]
    assert lengths(of(20, "return until plateau 2", "all"), scores) == [6, 2]


def test_a_stage_that_never_settles_leaves_the_others_their_share() -> None:
    falling = [1.0 / n for n in range(1, 13)]
    stages = ("direction until plateau 3", "return for 2", "volume until plateau 3", "all")
    assert lengths(of(11, *stages), falling[:11]) == [3, 2, 3, 3]
    assert lengths(of(5, *stages), falling[:5]) == [1, 2, 1, 1]


def test_the_preset_trains_direction_then_return_then_all(make_dataset: MakeDataset) -> None:
    training = Training(
        weights={},
        epochs=9,
        batch_size=128,
        min_rows=10,
        patience=1,
        curriculum="direction_return_all",
    )
    trained = train(make_dataset(n_bars=200), Model(members=1, hidden=(8,)), training, seed=1)
    weights = [epoch.weights for epoch in trained.history]
    assert weights[:3] == [(0.0, 1.0, 0.0, 0.0)] * 3
    assert weights[3:6] == [(1.0, 0.0, 0.0, 0.0)] * 3
    assert set(weights[6:]) == {(1.0, 1.0, 1.0, 1.0)}
    assert trained.metrics["best_epoch"] > 6


@pytest.mark.parametrize("weighting", ["uncertainty", "dwa", "gradnorm", "famo", "stch"])
def test_every_weighting_goes_through_stages(make_dataset: MakeDataset, weighting: str) -> None:
    training = Training(
        weights={},
        epochs=4, batch_size=128, min_rows=10, curriculum="stages",
        stages=("direction for 1", "return+volatility for 1", "all"),
    ).model_copy(update={"weighting": weighting})  # fmt: skip
    history = train(
        make_dataset(n_bars=200), Model(members=1, hidden=(8,)), training, seed=1
    ).history
    active = [[weight > 0 for weight in epoch.weights] for epoch in history]
    assert active[0] == [False, True, False, False]
    assert active[1] == [True, False, True, False]
    assert active[2] == [True] * 4


def test_refuses_stages_that_do_not_fit(make_dataset: MakeDataset) -> None:
    training = Training(
        weights={}, epochs=2, min_rows=10, curriculum="stages", stages=("direction for 5", "all")
    )
    with pytest.raises(ModelError, match="does not reach its last stage"):
        train(make_dataset(n_bars=100), Model(members=1, hidden=(8,)), training, seed=1)
