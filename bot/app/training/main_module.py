"""Worker processes that do not run the caller's script again.

Python gives a process that it forks from a server the path of the main script, which the process then
runs under another name, to find in it what it is to work on. A training needs nothing from there, and
a script without `if __name__ == "__main__"` would begin a backtest in each worker. Rules: only processes
that are started inside the block are left without it, in this thread; others are as ever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import spawn
from typing import Any

_MAIN = ("init_main_from_name", "init_main_from_path")
_left_alone = threading.local()
_as_python_has_it = spawn.get_preparation_data


def _preparation(name: str) -> dict[str, Any]:
    """Return what a new process is told, without the main script where it is to be left alone."""
    told: dict[str, Any] = _as_python_has_it(name)
    if getattr(_left_alone, "here", False):
        told = {key: value for key, value in told.items() if key not in _MAIN}
    return told


spawn.get_preparation_data = _preparation


@contextmanager
def main_left_alone() -> Iterator[None]:
    """Let processes that are started inside, by this thread, not run the main script."""
    _left_alone.here = True
    try:
        yield
    finally:
        _left_alone.here = False
