"""What a run decided at its last closed bar, and what its past signals were worth by then.

Rule: numbers and reasons are those of the record and of the state that is carried; nothing is decided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bot.adapters.record.reading import Record
from bot.config import Config
from bot.config.needed_heads import needs_calibration
from bot.engine_state import EngineState
from bot.portfolio.calibration import slope_of
from bot.portfolio.reasons import REFUSAL
from bot.report.why import NUMBERS, Decided, why


@dataclass(frozen=True)
class Calibration:
    """What past signals were worth: slope and error None until enough days are scored."""

    days: int
    days_needed: int
    slope: float | None
    slope_error: float | None

    @property
    def is_over(self) -> bool:
        """Return whether signals are traded."""
        return self.days >= self.days_needed and self.slope is not None


def decided_last(
    record: Record, days: int, days_needed: int
) -> tuple[dict[str, str], dict[str, Decided]]:
    """Return refusals and decisions of the last closed bar, by symbol; empty before the first.

    Args:
        days: scored so far.
        days_needed: before signals are traded.
    """
    extent = record.extent()
    if extent is None:
        return {}, {}
    times = np.array([extent.last], dtype=np.int64)
    columns, codes = record.decisions(times)
    of = {name: column[0].tolist() for name, column in columns.items()}
    held = record.positions(times)[0].tolist()
    refusals, decided = {}, {}
    for s, (symbol, code) in enumerate(zip(record.symbols, codes[0].tolist(), strict=True)):
        if (named := REFUSAL[code]) is not None:
            refusals[symbol] = named
        reason = why(
            refusal=code, edge=of["edge"][s], hurdle=of["hurdle"][s], age=of["age"][s],
            order=of["order_quantity"][s], position=held[s], days=days, days_needed=days_needed,
        )  # fmt: skip
        decided[symbol] = Decided(reason, *(_number(of[name][s]) for name in NUMBERS))
    return refusals, decided


def calibration_of(config: Config, state: EngineState | None) -> Calibration | None:
    """Return where the calibration stands; None where nothing is calibrated, or before any bar."""
    if state is None or not needs_calibration(config):
        return None
    slope, error = slope_of(state.calibration)
    days = int(state.calibration.sums["days"][0])
    return Calibration(days, config.policy.min_calibration_days, slope, error)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
