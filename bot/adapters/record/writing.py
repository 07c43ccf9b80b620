"""The Protocols of writing a run's record: what recorders need of whatever a run is stored in.

Rules: what the engine returned is written as it is, in the order in which it happened; what one
transaction holds is committed together, or nothing of it. Must not know a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bot.adapters.record.commands import CommandRow
from bot.blocks import BarBlock
from bot.engine import StepResult
from bot.engine_state import Activation
from bot.portfolio.trace import Trace


class RecordWriter(Protocol):
    """A record that takes what happened."""

    def write_bars(self, block: BarBlock) -> None:
        """Write bars as seen, in place of an earlier sight of the same bars."""

    def write_fills(self, fills: npt.NDArray[np.void]) -> None:
        """Write fills in the order of booking."""

    def write_open(self, block: BarBlock, trace: Trace) -> None:
        """Write the open of one bar: its row as seen so far, and the fills."""

    def write_close(
        self, result: StepResult, schedule: Sequence[Activation], *, opened: bool = False
    ) -> None:
        """Write closed bars; `opened` where the first one's open was written before."""

    def write_activation(self, activation: Activation, due: int | None, *, late: bool) -> None:
        """Write that a model decides from a bar on."""

    def write_command(self, command: CommandRow) -> None:
        """Write what a person asked, before the bar from which it holds is closed."""

    def write_state(self, open_time: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write the engine's state in place of the one before."""


class DurableWriter(RecordWriter, Protocol):
    """One that outlives the process, and so writes in transactions."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit all that is written inside together, or nothing of it."""

    def write_ledger(self, result: StepResult) -> None:
        """Write ledger rows and positions alone, for a record of the money only."""


class DescribedWriter(DurableWriter, Protocol):
    """One as a backtest has it: with the facts of the run, and closed at its end."""

    def meta(self, key: str) -> str:
        """Return a fact of the run."""

    def write_meta(self, key: str, value: str) -> None:
        """Write a fact of the run, in place of the one before."""

    def close(self, *, for_good: bool = False) -> None:
        """Close it; `for_good` where the run is over."""


class RunWriter(DescribedWriter, Protocol):
    """One as a daemon has it: begun or continued."""

    def begin_stretch(self, arrays: Mapping[str, npt.NDArray[Any]] | None) -> bool:
        """Write where this build goes on and from which state; tell whether it is another build."""

    def write_history(self, block: BarBlock, symbols: Sequence[str]) -> None:
        """Write all the bars that there are, of symbols that join."""
