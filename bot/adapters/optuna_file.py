"""Optuna's storage of one search in a SQLite file: opened, made where there is none, refused where it is no such file.

Rules: only JSON and numbers are kept in it, so a search's folder from elsewhere runs no code of its maker's; what is
committed is on the disk. Must not know what a trial is.
"""

from __future__ import annotations

import logging
import sqlite3
import warnings
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import DataError

NAME = "search.db"
STUDY = "search"


def open_study(path: Path, minimised: Sequence[bool]) -> optuna.Study:
    """Open the study of a file; a new one where there is none.

    Args:
        minimised: of each objective, whether less is better; of a study that is there they must be the same.

    Raises:
        DataError: the file is no storage of Optuna's, of another version, or of other objectives.
    """
    optuna.logging.set_verbosity(logging.ERROR)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise DataError(f"{path}: is no file; move it away, or name another --out")
    directions = [StudyDirection.MINIMIZE if less else StudyDirection.MAXIMIZE for less in minimised]  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # a path of any characters: the address is one that needs no quoting, the creator has the path
            storage = RDBStorage("sqlite:///search.db", {"creator": lambda: _connected(path)})
            study = optuna.create_study(
                storage=storage, study_name=STUDY, directions=directions, load_if_exists=True
            )
    except (SQLAlchemyError, sqlite3.Error, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"{path}: cannot be opened as the storage of a search ({reason}); move it away, or name "
            "another --out"
        ) from error
    if list(study.directions) != directions:
        raise DataError(f"{path}: is a search for other objectives; name another --out")
    return study


def taken_up(study: optuna.Study, number: int) -> optuna.Trial:
    """Return a trial that is there and not finished, to go on with."""
    return optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=30.0, check_same_thread=False)
