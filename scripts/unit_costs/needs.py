"""From a unit's cost to what a large study needs: arithmetic, each step shown."""

from __future__ import annotations

from dataclasses import dataclass

HOURS_A_YEAR = 8766


@dataclass(frozen=True)
class StudyPlanned:
    """A study that somebody has in mind.

    Attributes:
        seeds: trainings a trial and fold.
    """

    symbols: int
    years: int
    trials: int
    folds: int
    seeds: int
    features: int


def trainings(study: StudyPlanned) -> int:
    """Return how many units it has.

    >>> trainings(StudyPlanned(symbols=1, years=1, trials=200, folds=6, seeds=1, features=9))
    1200
    """
    return study.trials * study.folds * study.seeds


def fold_gb(study: StudyPlanned, window_years: float) -> float:
    """Return the gigabytes of a fold's training rows: features and labels, float64.

    >>> round(fold_gb(StudyPlanned(1000, 5, 200, 6, 1, features=22), window_years=2.0), 2)
    3.65
    """
    return study.symbols * window_years * HOURS_A_YEAR * (study.features + 4) * 8 / 1e9


def core_hours(study: StudyPlanned, window_years: float, cpu_s_a_million_rows: float) -> float:
    """Return the hours of one core, where a training takes time in proportion to its rows."""
    rows = study.symbols * window_years * HOURS_A_YEAR
    return trainings(study) * rows / 1e6 * cpu_s_a_million_rows / 3600.0
