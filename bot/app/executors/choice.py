"""--engine: from its name to an executor that is open for a block of code."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.app.executors.local import LocalExecutor
from bot.app.executors.units import Executor
from bot.config import Config
from bot.errors import ConfigError

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class EngineChoice:
    """What runs the units.

    Attributes:
        workers: how many side by side; None for one a core.
        address: host:port of the head of a Ray cluster; None for a new one on this machine.
    """

    name: str = "local"
    workers: int | None = None
    address: str | None = None

    @property
    def cores(self) -> int:
        """Return how many run side by side on this machine."""
        return self.workers or os.cpu_count() or 1


def chosen(name: str, workers: int | None, address: str | None = None) -> EngineChoice:
    """Return the choice that the options make.

    Raises:
        ConfigError: there is no such engine, its package is missing, or an address is not for it.
    """
    if name not in ENGINES:
        raise ConfigError(f"--engine {name}: there is none; choose from {', '.join(ENGINES)}")
    if name == "ray":
        from bot.app.executors.ray_cluster import require_ray

        require_ray(address)
    elif address is not None:
        raise ConfigError(f"--ray-address {address}: only --engine ray goes there; add it")
    return EngineChoice(name, workers, address)


LOCAL = EngineChoice()


def check_gpu(choice: EngineChoice, settings: Iterable[Config]) -> None:
    """Refuse trainings on a GPU that are to go to where none is asked for.

    Raises:
        ConfigError: with the fix.
    """
    if choice.name == "ray" and any(each.training.device != "cpu" for each in settings):
        raise ConfigError(
            "--engine ray: what it runs asks for no GPU, and training.device wants one; take --engine "
            "local or set training.device = 'cpu'"
        )


@contextmanager
def opened(choice: EngineChoice) -> Iterator[Executor]:
    """Give the executor that was chosen, and end it with the block, however that ends."""
    executor = _made(choice)
    try:
        yield executor
    finally:
        executor.shutdown()


def _made(choice: EngineChoice) -> Executor:
    if choice.name == "local":
        return LocalExecutor(choice.cores)
    from bot.app.executors.ray_executor import RayExecutor  # Ray takes a second to import

    return RayExecutor(choice.address, choice.workers)
