"""The benchmark that asks nothing of a model: buy all symbols once and hold.

Each symbol gets an equal share of the capital. It is bought at the open of its first bar from the
start on, at the half spread and slippage of the run, and the taker fee is paid once; the share of a
symbol that starts later waits in cash. Nothing is sold: the last known close marks it to the end.
A contract pays its funding on the way, as the run's positions do: what was paid is missing at every
close after it, and nothing is bought or sold for it.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64, I64
from bot.portfolio.funding import funding_paid
from bot.report.inputs import RunData
from bot.report.money.round_trips import close_before
from bot.timegrid import spans


def buy_and_hold(run: RunData, start: int) -> F64:
    """Return float64[m], the benchmark's equity at each close from bar `start` on."""
    capital = run.equity_before(start)
    share = capital / run.n_symbols
    valid = run.bars.valid[start:]
    curve = np.zeros(len(valid))
    since, owned = np.full(run.n_symbols, len(valid)), np.zeros(run.n_symbols)
    markup = 1.0 + (run.half_spread_bps + run.slippage_bps) / 10_000.0
    for s in range(run.n_symbols):
        bought = np.flatnonzero(valid[:, s] & (run.bars.open[start:, s] > 0.0))
        if len(bought) == 0:
            curve += share
            continue
        first = int(bought[0])
        cost = float(run.bars.open[start + first, s]) * markup * (1.0 + float(run.taker_fee[s]))
        curve[:first] += share
        since[s], owned[s] = first, share / cost
        curve[first:] += share / cost * run.price[start + first :, s]
    return curve - _funding(run, start, since, owned)


def _funding(run: RunData, start: int, since: I64, owned: F64) -> F64:
    """Return float64[m], what was paid in funding up to each close.

    Args:
        since: int64[S], the bar from `start` on from whose open on a symbol is held.
        owned: float64[S], how much of it.
    """
    paid = np.empty(len(run.bars) - start)
    for at in spans(len(paid), run.n_symbols):
        bar = np.arange(at.start, at.stop)[:, None]
        before, inside = (np.where(bar - late >= since, owned, 0.0) for late in (1, 0))
        first = start + at.start
        bars = run.bars.rows(first, start + at.stop)
        charged = funding_paid(bars, before, inside, close_before(run.price, first))
        paid[at] = (charged * run.pays_funding).sum(axis=1)
    total: F64 = paid.cumsum()
    return total
