"""A run's market and round trips, as accounts are walked over them.

Rules: costs are the run's own, by symbol: what its fills paid of their notional, and where a symbol
has none, what its settings would charge. A bar is open to a symbol where the symbol has it, could be
filled in it, and had a close before it. A position still open at the end is a trip without an exit.
Must not decide who trades what.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.blocks import F64, Bool
from bot.portfolio.funding import price_at_open
from bot.portfolio.worth import value_of, values_of_fills
from bot.report.inputs import RunData
from bot.report.money.round_trips import close_before, entries_and_exits
from bot.report.money.walk import Legs, Tape
from bot.report.some_symbols import groups_of_symbols
from bot.timegrid import last_closes, spans


def tape_of(run: RunData, start: int) -> Tape:
    """Return the market from bar `start` on, with the run's costs and funding."""
    m, S = len(run.bars) - start, run.n_symbols
    fill, paid_before, paid_after = (run.empty((m, S)) for _ in range(3))
    mark, at_open_fills = run.empty((m + 1, S)), run.fill == "next_open"
    for at in spans(m, S):
        first = start + at.start
        bars, before = run.bars.rows(first, start + at.stop), close_before(run.price, first)
        at_open = np.nan_to_num(bars.funding_rate * price_at_open(bars, before)) * run.pays_funding
        inside = bars.funding_inside * run.pays_funding
        fill[at] = bars.open if at_open_fills else bars.close
        mark[at.start : at.stop + 1] = last_closes(bars, before)
        paid_before[at] = at_open if at_open_fills else at_open + inside
        paid_after[at] = inside if at_open_fills else 0.0
    return Tape(fill, mark, paid_before, paid_after, cost_shares(run, start))


def cost_shares(run: RunData, start: int) -> F64:
    """Return float64[S], what a fill pays beside its middle price, as a share of the notional there."""
    ours = run.fills[np.searchsorted(run.fills["open_time"], run.open_time[start]) :]
    beyond = ours["spread"] + ours["slippage"]
    middle = np.abs(values_of_fills(ours, run.inverse) - beyond)

    def by_symbol(amounts: F64) -> F64:
        sums = np.bincount(ours["symbol"], weights=amounts, minlength=run.n_symbols)
        return sums.astype(np.float64)

    traded = by_symbol(middle)
    set_to = run.taker_fee + (run.half_spread_bps + run.slippage_bps) / 10_000.0
    paid = by_symbol(ours["fee"] + beyond)
    return np.divide(paid, traded, out=set_to.astype(np.float64), where=traded > 0.0)


def open_bars(run: RunData, start: int) -> Bool:
    """Return bool[m, S], the bars from `start` on in which an order of the symbol can be filled."""

    def allowed(at: slice) -> Bool:
        bars, before = run.bars.rows(at.start, at.stop), close_before(run.price, at.start)
        known = np.isfinite(np.vstack((before, run.price[at.start : at.stop - 1])))
        price = bars.open if run.fill == "next_open" else bars.close
        may: Bool = bars.valid & bars.fillable & known & (price > 0.0)
        return may

    return run.flags(allowed, start)


def legs_of_sides(side: F64, size: F64) -> Legs:
    """Return the round trips of one account.

    Args:
        side: float64[m, S], −1, 0 or 1 from each bar's fills on; flat before the first.
        size: float64[m, S], the share of equity that a trip opened at a bar has.
    """
    entries, exits, sizes = [], [], []
    for s in range(side.shape[1]):
        flat = np.zeros(1)
        entry, exit_ = entries_and_exits(
            np.concatenate((flat, side[:, s])), np.concatenate((side[:, s], flat))
        )
        entries.append(entry)
        exits.append(exit_)
        sizes.append(side[entry, s] * size[entry, s])
    bounds = np.cumsum([0, *(len(each) for each in entries)], dtype=np.int64)
    return Legs(
        entry=np.concatenate(entries)[None, :],
        exit=np.concatenate(exits)[None, :],
        size=np.concatenate(sizes)[None, :],
        bounds=bounds,
    )


def joined_legs(parts: Sequence[Legs]) -> Legs:
    """Return the round trips of the same accounts in symbols that follow one another."""
    counts = [np.diff(part.bounds) for part in parts]
    return Legs(
        entry=np.concatenate([part.entry for part in parts], axis=1),
        exit=np.concatenate([part.exit for part in parts], axis=1),
        size=np.concatenate([part.size for part in parts], axis=1),
        bounds=np.cumsum([0, *np.concatenate(counts)], dtype=np.int64),
    )


def legs_of_run(run: RunData, start: int) -> Legs:
    """Return the run's own round trips from bar `start` on, each with the mean size it was held at."""
    return joined_legs([_legs_of(some, start) for _, some in groups_of_symbols(run)])


def _legs_of(run: RunData, start: int) -> Legs:
    quantity = run.quantity[start:]
    legs = legs_of_sides(np.sign(quantity), np.ones_like(quantity))
    through = np.concatenate((np.zeros((1, run.n_symbols)), np.cumsum(np.abs(quantity), axis=0)))
    symbol = np.repeat(np.arange(run.n_symbols), np.diff(legs.bounds))
    entry, exit_ = legs.entry[0], legs.exit[0]
    mean = (through[exit_, symbol] - through[entry, symbol]) / (exit_ - entry)
    bars = run.bars.rows(start, len(run.bars))
    mark = last_closes(bars, close_before(run.price, start))[entry, symbol]
    held = value_of(mean, mark, run.is_inverse[symbol])
    equity = np.concatenate(([run.equity_before(start)], run.equity[start:]))[entry]
    return legs._replace(size=legs.size * held / equity)
