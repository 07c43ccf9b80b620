"""From a unit's cost to what a large study needs: arithmetic, each step shown."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.unit_costs.measuring import Sizes


@dataclass(frozen=True)
class StudyPlanned:
    """A study that somebody has in mind.

    Attributes:
        window_bars: that each training learns from, of every symbol.
        seeds: trainings a trial and fold.
    """

    symbols: int
    window_bars: int
    trials: int
    folds: int
    seeds: int

    @property
    def trainings(self) -> int:
        """Return how many units it has."""
        return self.trials * self.folds * self.seeds

    @property
    def rows(self) -> int:
        """Return how many rows a training has at most."""
        return self.symbols * self.window_bars


@dataclass(frozen=True)
class Rates:
    """What was measured, a million rows: CPU seconds, gigabytes of data, gigabytes of memory beyond an empty process's."""

    cpu_s: float
    data_gb: float
    memory_gb: float


def rates(small: Sizes, large: Sizes) -> Rates:
    """Return what a million rows more cost, from two sizes."""
    more = (large.rows - small.rows) / 1e6
    return Rates(
        cpu_s=(large.cpu_s - small.cpu_s) / more,
        data_gb=(large.data_mb - small.data_mb) / 1e3 / more,
        memory_gb=(large.peak_mb - small.peak_mb) / 1e3 / more,
    )


def needs(study: StudyPlanned, measured: Rates, cores: int) -> list[tuple[str, str, str]]:
    """Return what a study needs as rows: what, how it is worked out, and what it comes to."""
    millions = study.rows / 1e6
    a_training = millions * measured.cpu_s
    hours = study.trainings * a_training / 3600.0
    return [
        ("trainings", f"{study.trials} trials × {study.folds} folds × {study.seeds} seed", f"{study.trainings:,}"),
        ("rows a training", f"{study.symbols:,} symbols × {study.window_bars:,} bars", f"{millions:.1f} million"),
        ("CPU a training", f"{millions:.1f} × {measured.cpu_s:.1f} s", f"{a_training:,.0f} s"),
        ("CPU in all", f"{study.trainings:,} × {a_training:,.0f} s", f"{hours:,.0f} core hours"),
        (f"time on {cores} cores", f"{hours:,.0f} / {cores}", f"{hours / cores:,.1f} hours"),
        ("data a fold, once to each machine", f"{millions:.1f} × {measured.data_gb:.2f} GB", f"{millions * measured.data_gb:.1f} GB"),
        ("memory a training", f"{millions:.1f} × {measured.memory_gb:.2f} GB", f"{millions * measured.memory_gb:.0f} GB"),
    ]  # fmt: skip
