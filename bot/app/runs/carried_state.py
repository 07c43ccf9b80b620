"""The carried state of a record, brought to the layout that this version has.

Rules: each layout but the newest has a function that makes the next one of it; a state that does not
fit the run's own engine is refused with what to do, before anything is done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.adapters.record.contents import Carried
from bot.blocks import Arrays
from bot.engine_state import STATE_LAYOUT, EngineState, state_from_arrays, state_to_arrays
from bot.errors import JournalError
from bot.features.pipeline import FeatureState
from bot.portfolio import calibration
from bot.portfolio.book import ACCOUNT, HOLDING, OF_ANY_WIDTH, new_book
from bot.portfolio.calibration import new_calibration


def _with_states_of_parts(arrays: Arrays) -> Arrays:
    """Add what a user's policy and cost scheme carry, of which a run of layout 1 had neither."""
    n_symbols = len(arrays["book.quantity"])
    return arrays | {
        "book.bars_held": np.zeros(n_symbols, dtype=np.int64),
        "book.policy_state": np.zeros((n_symbols, 0)),
        "book.cost_state": np.zeros((n_symbols, 0)),
    }


def _with_calibration(arrays: Arrays) -> Arrays:
    """Add the state of a calibration, of which a run of layout 2 had none."""
    none = calibration.to_arrays(new_calibration(len(arrays["book.quantity"]), 0))
    return arrays | {f"calibration.{name}": array for name, array in none.items()}


def _with_correlation(arrays: Arrays) -> Arrays:
    """Add the measured correlation, of which a run of layout 3 had none."""
    return arrays | {"book.correlation": np.zeros((len(arrays["book.quantity"]), 0))}


def _with_holdings(arrays: Arrays) -> Arrays:
    """Add what the full account carries, which a run of layout 4 does not have and goes on without."""
    holding = np.zeros(len(arrays["book.quantity"]), dtype=HOLDING)
    return arrays | {
        "book.account": _grown(arrays["book.account"], ACCOUNT),
        "book.holding": holding,
    }


def _with_coins(arrays: Arrays) -> Arrays:
    """Add the coins of inverse symbols, of which a run of layout 5 had none."""
    return arrays | {
        "book.account": _grown(arrays["book.account"], ACCOUNT),
        "book.holding": _grown(arrays["book.holding"], HOLDING),
    }


def _grown(old: npt.NDArray[np.void], dtype: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """Return records with more fields, which are 0."""
    new = np.zeros(len(old), dtype=dtype)
    for name in old.dtype.names or ():
        new[name] = old[name]
    return new


STEPS: Mapping[int, Callable[[Arrays], Arrays]] = {
    1: _with_states_of_parts,
    2: _with_calibration,
    3: _with_correlation,
    4: _with_holdings,
    5: _with_coins,
}
"""By layout, what makes the next one of it."""

OF_ANY_LENGTH = ("engine.open_refusal", "engine.effective_from", "engine.model_id")
PENDING = "calibration.signal"
OF_BOOK = tuple(f"book.{name}" for name in OF_ANY_WIDTH)


def carried_state(carried: Carried, journal: Path, initial: EngineState) -> EngineState:
    """Return the state that a record holds.

    Args:
        initial: the engine's first state, whose arrays say what there must be.

    Raises:
        JournalError: there is no way from its layout to this one, or it is another engine's.
    """
    arrays, layout = carried.arrays, carried.layout
    while layout in STEPS and layout < STATE_LAYOUT:
        arrays, layout = STEPS[layout](arrays), layout + 1
    misfit = _misfit(arrays, state_to_arrays(initial))
    if layout == STATE_LAYOUT and misfit is None:
        return state_from_arrays(arrays)
    layouts = f"the state is of layout {carried.layout}, this version's is {STATE_LAYOUT}"
    raise JournalError(
        f"{journal}: {misfit or layouts}: this version of the bot cannot continue the run. Continue "
        "with the version that wrote it, or begin a new run (--model takes the old run's last "
        "model along); nothing was changed"
    )


def account_state(carried: Carried, journal: Path, n_symbols: int) -> EngineState:
    """Return the state for a command that reads the account and no features.

    Raises:
        JournalError: as above.
    """
    account = {k: v for k, v in carried.arrays.items() if not k.startswith("features.")}
    horizon, *widths = (
        np.shape(account[name])[-1] if name in account else 0 for name in (PENDING, *OF_BOOK)
    )
    initial = EngineState(
        FeatureState({}),
        new_book(n_symbols, 0.0, *widths),
        new_calibration(n_symbols, horizon),
    )
    return carried_state(Carried(account, carried.layout), journal, initial)


def _misfit(arrays: Arrays, expected: Mapping[str, npt.NDArray[np.generic]]) -> str | None:
    """Return the first array that is missing, unknown, or of another kind or shape."""
    for name in sorted({*arrays, *expected}):
        mine, wanted = arrays.get(name), expected.get(name)
        if mine is None:
            return f"the state has no {name}"
        if wanted is None:
            return f"the state has {name}, which this version does not know"
        free = name in OF_ANY_LENGTH
        if mine.dtype != wanted.dtype or (not free and mine.shape != wanted.shape):
            return (
                f"the state's {name} is {mine.dtype}{list(mine.shape)}, this version and these "
                f"settings have {wanted.dtype}{list(wanted.shape)}"
            )
    return None
