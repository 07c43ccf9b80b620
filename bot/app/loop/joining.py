"""What a run carries once more symbols are in it.

Rules: the account goes on as it is, with nothing of the new symbols; what features carry is made anew
from all the bars before, those of the new symbols among them, so that a symbol with history is
known from its first bar in the run on. Whoever has the same bars comes to the same state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.blocks import Arrays, BarBlock
from bot.engine import Engine
from bot.engine_state import EngineState
from bot.errors import InvariantError
from bot.portfolio import calibration
from bot.portfolio.book import Book, from_arrays, to_arrays
from bot.portfolio.correlation import PLACES


def joined_state(engine: Engine, state: EngineState, bars: Iterable[BarBlock]) -> EngineState:
    """Return a state with as many symbols as the engine has; those that were there come first.

    Args:
        engine: of all symbols.
        state: between two bars.
        bars: all before, of all symbols, in blocks.

    Raises:
        InvariantError: a bar is open.
    """
    if state.opened or engine.pipeline is None:
        raise InvariantError("symbols join between two bars, and where features are made of them")
    initial = engine.initial()
    features = initial.features
    for block in bars:
        features, _ = engine.pipeline.advance(features, block)
    scored = _within(
        calibration.to_arrays(initial.calibration), calibration.to_arrays(state.calibration)
    )
    return replace(
        state, features=features, book=_widened(state.book, initial.book),
        calibration=calibration.from_arrays(scored),
    )  # fmt: skip


def _widened(book: Book, wide: Book) -> Book:
    """Return the book with the symbols of a wider one, which has seen nothing."""
    arrays = _within(to_arrays(wide), to_arrays(book))
    if book.correlation.shape[1]:  # a row is one of the matrix, and the places behind it
        n = book.n_symbols
        correlation = wide.correlation.copy()
        correlation[:n, :n] = book.correlation[:, :n]
        correlation[:n, -PLACES:] = book.correlation[:, -PLACES:]
        arrays["correlation"] = correlation
    return from_arrays(arrays)


def _within(wide: Arrays, narrow: Arrays) -> Arrays:
    """Return the wide arrays with the narrow ones in their first places."""
    out = {}
    for name, array in wide.items():
        mine = narrow[name]
        out[name] = array.copy()
        out[name][tuple(slice(0, size) for size in mine.shape)] = mine
    return out
