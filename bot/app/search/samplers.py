"""What proposes settings: Optuna's samplers, seeded anew for each draw, and CMA-ES without a memory.

Rules: a draw is a function of the search's seed, the trial's number, the setting's name and the trials that
were told before; nothing is carried from draw to draw, so that a search that was killed proposes what it
would have proposed. Must not know what a trial costs or how good it is.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cmaes import CMA
from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from bot.app.search.dimensions import Dimension
from bot.blocks import F64

Space = dict[str, BaseDistribution]


def distribution_of(d: Dimension) -> BaseDistribution:
    """Return a dimension as Optuna has it."""
    if d.choices:
        return CategoricalDistribution(d.labels)
    assert d.low is not None
    assert d.high is not None
    if d.whole:
        return IntDistribution(int(d.low), int(d.high), log=d.log, step=int(d.step or 1))
    return FloatDistribution(float(d.low), float(d.high), log=d.log, step=d.step)


def seed_of(seed: int, number: int, what: str) -> int:
    """Return the seed of a draw: below 2^32, another for each search, trial and name."""
    text = f"{seed} {number} {what}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4])


class SeededSampler(BaseSampler):
    """The sampler of a search: given settings first, then those that the chosen way proposes.

    Args:
        kind: tpe, cmaes or random.
        space: every setting that varies.
        given: of the first trials, by setting what a sampler has; nothing for one outside the space.
        middle: where CMA-ES begins, as `given`; None for the middle of the space.
    """

    def __init__(
        self, kind: str, seed: int, space: Mapping[str, BaseDistribution],
        given: Sequence[Mapping[str, Any]], middle: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self._kind = kind
        self._seed = seed
        self._space = dict(space)
        self._given = given
        self._middle = middle

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Space:
        """Return what is drawn together: all of it, but by TPE for several objectives and by chance."""
        together = self._kind == "cmaes" or (self._kind == "tpe" and len(study.directions) == 1)
        return self._space if together and trial.number >= len(self._given) else {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: Space) -> dict[str, Any]:  # fmt: skip
        """Return the settings that are drawn together."""
        if not search_space:
            return {}
        seed = seed_of(self._seed, trial.number, "")
        if self._kind == "cmaes":
            finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            told = [t for t in finished if t.number >= len(self._given)]
            maximise = study.direction is StudyDirection.MAXIMIZE
            return by_cmaes(search_space, told, self._middle, seed, maximise=maximise)
        return TPESampler(seed=seed).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # fmt: skip
        """Return one setting: a given one, or one drawn alone."""
        if trial.number < len(self._given):
            return self._given[trial.number][param_name]
        seed = seed_of(self._seed, trial.number, param_name)
        one: BaseSampler = TPESampler(seed=seed) if self._kind == "tpe" else RandomSampler(seed)
        return one.sample_independent(study, trial, param_name, param_distribution)


def by_cmaes(
    space: Mapping[str, BaseDistribution], told: Sequence[FrozenTrial], middle: Mapping[str, Any] | None, seed: int,
    *, maximise: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return the next settings by CMA-ES (Hansen 2016).

    Its state is made from the trials told, a generation after the other, in the order of their numbers:
    a state that is kept would be a pickle in the storage.

    Args:
        told: the finished trials that it proposed.
        middle: where it begins.
    """
    cube = Cube(space)
    mean = np.full(len(space), 0.5) if middle is None else cube.place(middle)
    bounds = np.tile([0.0, 1.0], (len(space), 1))
    optimizer = CMA(mean=mean, sigma=1.0 / 6.0, bounds=bounds, seed=seed)
    size = optimizer.population_size
    for first in range(0, len(told) - size + 1, size):
        generation = told[first : first + size]
        sign = -1.0 if maximise else 1.0
        optimizer.tell([(cube.place(t.params), sign * float(t.value or 0.0)) for t in generation])
    return cube.value(optimizer.ask())


@dataclass(frozen=True)
class Cube:
    """Ranges as a cube of side one: even ratios where asked for; a grid's values have cells of one size."""

    space: Mapping[str, BaseDistribution]

    def place(self, params: Mapping[str, Any]) -> F64:
        """Return where settings lie, float64[d]."""
        at: list[float] = []
        for name, of in self.space.items():
            low, high, log = _ends(of)
            value = params[name]
            at.append(
                math.log(value / low) / math.log(high / low)
                if log
                else (value - low) / (high - low)
            )
        placed: F64 = np.clip(np.array(at), 0.0, 1.0)
        return placed

    def value(self, at: F64) -> dict[str, Any]:
        """Return the settings at a point."""
        found: dict[str, Any] = {}
        for (name, of), share in zip(self.space.items(), at.tolist(), strict=True):
            low, high, log = _ends(of)
            value = low * (high / low) ** share if log else low + share * (high - low)
            found[name] = _on_grid(of, value)
        return found


def _ends(of: BaseDistribution) -> tuple[float, float, bool]:
    """Return the ends of a range, half a step beyond those of a grid."""
    assert isinstance(of, FloatDistribution | IntDistribution)
    beyond = 0.5 * (of.step or 0.0)
    return of.low - beyond, of.high + beyond, of.log


def _on_grid(of: BaseDistribution, value: float) -> float | int:
    assert isinstance(of, FloatDistribution | IntDistribution)
    if of.step is not None:
        most = round((of.high - of.low) / of.step)
        value = of.low + min(max(round((value - of.low) / of.step), 0), most) * of.step
    value = min(max(value, of.low), of.high)
    return round(value) if isinstance(of, IntDistribution) else value
