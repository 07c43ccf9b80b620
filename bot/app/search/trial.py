"""A trial of a search: its settings as a contender, its trainings fold by fold, and what is kept of it.

Rules: trial NNN has a folder with the settings it ran with and what it came to; its forecasts are the study's
units. What it came to is written before it is told to the storage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

from bot.adapters.files.arrays import read_arrays, write_arrays
from bot.adapters.system.atomic_file import write_text
from bot.app.search.scoring import Score
from bot.app.study.account import Traded
from bot.app.study.contenders import Contender
from bot.app.study.data import Study
from bot.app.study.unit import Unit
from bot.config import to_toml
from bot.errors import DataError

CONFIG, RESULT = "config.toml", "result.npz"


def name_of(number: int) -> str:
    """Return what a trial is called, in tables and as a folder.

    >>> name_of(7)
    '007'
    """
    return f"{number:03d}"


@dataclass
class RunningTrial:
    """A trial on its way.

    Attributes:
        number: from 0, the defaults.
        values: its settings by key; None where they are the base's and lie outside the space.
        asked: what the storage has of it; None of one that is made anew.
        contender: how it is trained and traded; None where its settings make no sense.
        study: of the base and of it.
        scores: of the folds so far, one each time it was looked at.
        failed: why it came to nothing; empty while it has not.
        pruned: whether it was stopped early.
    """

    number: int
    values: dict[str, Any] | None
    asked: optuna.Trial | None = None
    contender: Contender | None = None
    study: Study | None = None
    units: list[Unit] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    folds: int = 0
    failed: str = ""
    pruned: bool = False

    @property
    def goes_on(self) -> bool:
        """Tell whether it has folds to come."""
        return not self.failed and not self.pruned


def keep(folder: Path, trial: RunningTrial) -> None:
    """Write a trial's settings, and what it came to where it came to anything."""
    if trial.contender is not None:
        write_text(folder / CONFIG, to_toml(trial.contender.config))
    if trial.scores:
        score = trial.scores[-1]
        t = score.traded
        head = {
            "values": score.values, "facts": t.facts, "seeds": t.seeds,
            "turnover": t.turnover, "folds": trial.folds,
        }  # fmt: skip
        write_arrays(folder / RESULT, head, {"returns": t.returns, "gross": t.gross})


def kept(folder: Path) -> tuple[Traded, int]:
    """Return what a trial's account did, and on how many folds.

    Raises:
        DataError: the file is gone, damaged or another's.
    """
    path = folder / RESULT
    head, arrays = read_arrays(path)
    try:
        traded = Traded(
            arrays["returns"],
            arrays["gross"],
            dict(head["facts"]),
            tuple(int(seed) for seed in head["seeds"]),
            turnover=float(head["turnover"]),
        )
        return traded, int(head["folds"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: is no result of a trial ({error}); delete it, and it is made anew") from None  # fmt: skip
