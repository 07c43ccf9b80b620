"""The section [search] of a space's file: how `bot search` searches, and what it counts as good.

Rules: those of `section.py`. It is no section of a run's settings.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.config.section import Section

Objective = Literal[
    "net_return", "turnover", "skill", "return_skill", "direction_skill", "volatility_skill", "volume_skill",
]  # fmt: skip

OF_ACCOUNT = frozenset({"net_return", "turnover"})
"""Objectives that the paper account gives; the others are of heads."""

MINIMISED = frozenset({"turnover"})
"""Objectives of which less is better."""


class SearchSettings(Section):
    """How settings are searched for."""

    sampler: Literal["tpe", "cmaes", "random"] = Field(
        "tpe",
        description="What proposes settings: tree-structured Parzen estimators (Bergstra 2011), CMA-ES (Hansen "
        "2016; ranges and one objective only), or chance.",
    )
    trials: int = Field(
        100,
        ge=1,
        le=10_000,
        description="Trials in all, with the defaults, the starts, and those that were stopped early.",
    )
    minutes: float = Field(
        0.0,
        ge=0.0,
        le=1e6,
        description="Minutes of one call after which no trial is begun; 0: no limit.",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of what is proposed.")
    at_once: int = Field(
        1,
        ge=1,
        le=256,
        description="Trials side by side; each is proposed by what came before all of them.",
    )
    contender: Literal["network", "linear", "trees"] = Field(
        "network",
        description="What is trained: the network, a linear model or boosted trees a task.",
    )
    cv: Literal["walk-forward", "combinatorial"] = Field(
        "walk-forward",
        description="How the bars are cut: each fold is forecast by models of the past, or each group by models of the "
        "others, later ones too, on many paths, of which the middle one counts. The latter ranks settings and is no "
        "evidence about trading; folds, months and prune have no say in it.",
    )
    groups: int = Field(6, ge=2, le=40, description="Groups of a combinatorial cut.")
    test_groups: int = Field(
        2, ge=1, le=20, description="Groups of a combinatorial cut that are tested at a time."
    )
    folds: int = Field(6, ge=1, le=1000, description="Number of consecutive test periods.")
    months: int = Field(6, ge=1, le=120, description="Months per fold.")
    retrain_inside: bool = Field(
        False,
        description="Besides the training before each fold, train inside it whenever the trial's own retrain.trigger is "
        "due, as a run does; then retrain.trigger, cron, hours and every_bars may vary.",
    )
    seeds: int = Field(
        2, ge=1, le=100, description="Trainings per network, whose forecasts are averaged."
    )
    objectives: tuple[Objective, ...] = Field(
        ("net_return",),
        min_length=1,
        max_length=4,
        description="What is sought, the first the most: the net return of a year less its standard error; turnover "
        "a year, the less the better; the skill of a head over its baseline, or the mean of all heads'.",
    )
    prune: bool = Field(
        True,
        description="Stop a trial whose first objective over the folds so far is below the median of the trials "
        "before it there.",
    )
