"""A unit of work and the data that it reads, told apart from where it runs.

Rules: a unit is a pure function of itself and its data, so whatever runs it, however often, gives the
same; it reads no file and writes none. What many units read is data, which a machine gets once.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from bot.config import Config
from bot.errors import DataError

D = TypeVar("D")
D_contra = TypeVar("D_contra", contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Bytes = npt.NDArray[np.uint8]


class Work(Protocol[D_contra, R_co]):
    """What is run: picklable, by modules of the installed package only."""

    @property
    def config(self) -> Config:
        """The settings: training.memory_limit_mb bounds the process, plugins are loaded in it."""
        ...

    @property
    def label(self) -> str:
        """What it is called in errors."""
        ...

    def run(self, data: D_contra) -> R_co:
        """Do it."""
        ...


@dataclass(frozen=True)
class Packed(Generic[D]):
    """SharedData as bytes, and how they are read where they arrive.

    Attributes:
        content: uint8[n].
        read: picklable.
    """

    content: Bytes
    read: Callable[[Bytes], D]


class SharedData(Protocol[D]):
    """What units read."""

    @property
    def name(self) -> str:
        """What tells it from other data."""
        ...

    def load(self) -> D:
        """Return it, on the machine that has it."""
        ...

    def packed(self) -> Packed[D]:
        """Return it for another machine."""
        ...


@dataclass(frozen=True)
class Stored(Generic[D]):
    """A file of this machine.

    Attributes:
        parse: reads it from bytes; the name is for errors.
    """

    path: Path
    parse: Callable[[BinaryIO, str], D]

    @property
    def name(self) -> str:
        """Return its path."""
        return str(self.path)

    def load(self) -> D:
        """Read it.

        Raises:
            DataError: it is no file, or what `parse` raises.
        """
        if not self.path.is_file():  # a pipe would be waited for, and a device never ends
            raise DataError(f"{self.path}: is no file; delete it, and it is made anew")
        with self.path.open("rb") as file:
            return self.parse(file, self.name)

    def packed(self) -> Packed[D]:
        """Return the file's bytes."""
        return Packed(
            np.frombuffer(self.path.read_bytes(), dtype=np.uint8), _Parsed(self.parse, self.name)
        )


@dataclass(frozen=True)
class _Parsed(Generic[D]):
    parse: Callable[[BinaryIO, str], D]
    name: str

    def __call__(self, content: Bytes) -> D:
        return self.parse(io.BytesIO(content.data), self.name)


@dataclass(frozen=True)
class Held(Generic[D]):
    """An object in memory.

    Attributes:
        value: picklable.
    """

    name: str
    value: D

    def load(self) -> D:
        """Return it."""
        return self.value

    def packed(self) -> Packed[D]:
        """Return it pickled, so that arrays arrive as their reader's own and may be written."""
        return Packed(
            np.frombuffer(pickle.dumps(self.value, protocol=5), dtype=np.uint8), _unpickled
        )


def _unpickled(content: Bytes) -> Any:
    return pickle.loads(content.data)


class Executor(Protocol):
    """What runs units, each on one thread."""

    @property
    def slots(self) -> int:
        """How many run side by side at present."""
        ...

    def submit(self, unit: Work[D, R], data: SharedData[D]) -> Future[R]:
        """Run a unit as soon as a slot is free.

        The future raises what the unit refuses, and ModelError where its process dies.
        """
        ...

    def shutdown(self) -> None:
        """Drop what has not started and end what is running."""
        ...
