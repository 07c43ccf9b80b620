"""Positions held across a jump of price that no market makes, which may be a redenomination.

Rules: a jump is what `market.max_jump` would refuse, and was accepted: in files by name
(`market.accept_jumps`), live by a second bar. Nobody but the user knows whether it is real, and a
quantity is not converted, so the jump is reported and no figure is changed.
"""

from __future__ import annotations

import numpy as np

from bot.plausibility import jumps
from bot.report.formats import iso_time, price
from bot.report.inputs import RunData
from bot.report.some_symbols import groups_of_symbols

_NAMED = 5


def jumps_held(run: RunData) -> list[str]:
    """Return a sentence for each jump across which a position was held, and what it booked."""
    count, named = 0, list[tuple[int, int, str]]()
    for places, some in groups_of_symbols(run):
        jumped, first = _of_symbols(some)
        count += jumped
        named += [(i, places.start + s, said) for i, s, said in first]
    sentences = [said for _, _, said in sorted(named)[:_NAMED]]
    if count > _NAMED:
        sentences.append(f"Positions were held across {count - _NAMED} more jumps of price.")
    return sentences


def _of_symbols(run: RunData) -> tuple[int, list[tuple[int, int, str]]]:
    """Return how many jumps there were, and of the first of them bar, symbol and sentence."""
    start, bars = run.start_index, run.bars.rows(run.start_index, len(run.bars))
    last = np.vstack([np.full(run.n_symbols, np.nan), run.price[:-1]])[start:]
    candles = bars.open, bars.high, bars.low, bars.close
    before, inside = run.quantity_before(start), run.quantity_inside(start)
    held = (before != 0.0) | (inside != 0.0)
    found = np.argwhere(held & bars.valid & jumps(candles, last, run.max_jump))
    named = []
    for i, s in found[:_NAMED].tolist():
        opened, closed, known = bars.open[i, s], bars.close[i, s], last[i, s]
        booked = before[i, s] * (opened - known) + inside[i, s] * (closed - opened)
        if run.is_inverse[s]:  # contracts: what they made in coin, at the close
            made = before[i, s] * (1.0 / known - 1.0 / opened)
            booked = (made + inside[i, s] * (1.0 / opened - 1.0 / closed)) * closed
        said = (
            f"{run.symbols[s]} was held while its price jumped from {price(known)} to {price(closed)} at "
            f"{iso_time(int(bars.open_time[i]))}, which booked {booked:+,.2f}. The jump was accepted as "
            "real; a quantity is not converted, so if it was a redenomination, this is no profit or loss."
        )
        named.append((i, s, said))
    return len(found), named
