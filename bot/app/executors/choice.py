"""--engine: from its name to an executor that is open for a block of code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.app.executors.local import LocalExecutor
from bot.app.executors.units import Executor
from bot.errors import ConfigError

ENGINES = ("local",)


@dataclass(frozen=True)
class EngineChoice:
    """What runs the units.

    Attributes:
        workers: how many side by side; None for one a core.
    """

    name: str = "local"
    workers: int | None = None

    @property
    def cores(self) -> int:
        """Return how many run side by side on this machine."""
        return self.workers or os.cpu_count() or 1


def chosen(name: str, workers: int | None) -> EngineChoice:
    """Return the choice that the options make.

    Raises:
        ConfigError: there is no such engine.
    """
    if name not in ENGINES:
        raise ConfigError(f"--engine {name}: there is none; choose from {', '.join(ENGINES)}")
    return EngineChoice(name, workers)


LOCAL = EngineChoice()


@contextmanager
def opened(choice: EngineChoice) -> Iterator[Executor]:
    """Give the executor that was chosen, and end it with the block, however that ends."""
    executor = LocalExecutor(choice.cores)
    try:
        yield executor
    finally:
        executor.shutdown()
