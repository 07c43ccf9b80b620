"""What a record gives beside its bars: models, how far it goes, and the state it carries."""

from __future__ import annotations

import io as memory
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.adapters.system.array_headers import reading_arrays
from bot.blocks import Arrays
from bot.errors import JournalError

_NO_ARRAYS = (
    ValueError, OSError, KeyError, EOFError, MemoryError, NotImplementedError, TypeError,
    zipfile.BadZipFile,
)  # fmt: skip
"""What numpy raises over a file of arrays with a changed byte."""


@dataclass(frozen=True)
class ModelRow:
    """A model of the run's schedule."""

    model_id: str
    effective_from: int
    due: int | None
    late: bool
    manifest_sha256: str | None = None
    position: int = 0


@dataclass(frozen=True)
class Extent:
    """The ledger's bars, its first and last open time, and the equity at the last close."""

    bars: int
    first: int
    last: int
    equity: float


@dataclass(frozen=True)
class Span:
    """A table's number of rows, and its first and last open time; None where it is empty."""

    rows: int
    first: int | None
    last: int | None


@dataclass(frozen=True)
class Carried:
    """A committed state: its arrays, and the layout they have (`engine.STATE_LAYOUT`).

    Attributes:
        blob: as the record holds them, where that is known.
        open_time: the bar that the record says it is of, where it says one.
    """

    arrays: Arrays
    layout: int
    blob: bytes | None = None
    open_time: int | None = None

    @property
    def as_packed(self) -> bool:
        """Return whether the blob has the arrays, as this build packs them, and nothing else."""
        return self.blob is None or packed(self.arrays) == self.blob


def packed(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return named arrays as numpy keeps them, without a pickle."""
    buffer = memory.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpacked(blob: bytes, where: Path) -> Arrays:
    """Return the arrays of a state.

    Raises:
        JournalError: it is damaged; `where` names the record.
    """
    try:
        with reading_arrays, np.load(memory.BytesIO(blob), allow_pickle=False) as arrays:
            return dict(arrays)
    except _NO_ARRAYS as error:
        raise JournalError(f"{where}: the engine's state is damaged: {error}") from error
