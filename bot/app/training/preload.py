"""Imported once by the server that trainings are forked from, so that each worker starts warm."""

from __future__ import annotations

import sys
from types import TracebackType

from bot.app.training.warmup import warm_up
from bot.model.threads import single_thread


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say nothing where a job broke off on its way: the process that sent it has ended."""
    if kind.__name__ != "UnpicklingError" and not isinstance(error, EOFError):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _tell
single_thread()
warm_up()
