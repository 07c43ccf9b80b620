"""The benchmark that asks nothing of a model: buy all symbols once and hold.

Each symbol gets an equal share of the capital. It is bought at the open of its first bar from the
start on, at the half spread and slippage of the run, and the taker fee is paid once; the share of a
symbol that starts later waits in cash. Nothing is sold: the last known close marks it to the end.
A contract pays its funding on the way, as the run's positions do: what was paid is missing at every
close after it, and nothing is bought or sold for it.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64
from bot.portfolio.funding import funding_paid
from bot.report.inputs import RunData
from bot.report.money.round_trips import carried_in


def buy_and_hold(run: RunData, start: int) -> F64:
    """Return float64[m], the benchmark's equity at each close from bar `start` on."""
    capital = run.equity_before(start)
    share = capital / run.n_symbols
    valid = run.bars.valid[start:]
    curve = np.zeros(len(valid))
    owned = np.zeros(valid.shape)
    markup = 1.0 + (run.half_spread_bps + run.slippage_bps) / 10_000.0
    for s in range(run.n_symbols):
        bought = np.flatnonzero(valid[:, s] & (run.bars.open[start:, s] > 0.0))
        if len(bought) == 0:
            curve += share
            continue
        first = int(bought[0])
        cost = float(run.bars.open[start + first, s]) * markup * (1.0 + float(run.taker_fee[s]))
        curve[:first] += share
        owned[first:, s] = share / cost
        curve[first:] += share / cost * run.price[start + first :, s]
    return curve - _funding(run, start, owned)


def _funding(run: RunData, start: int, owned: F64) -> F64:
    """Return float64[m], what was paid in funding up to each close on float64[m, S] owned in it."""
    before = np.concatenate((np.zeros_like(owned[:1]), owned[:-1]))
    bars = run.bars.rows(start, len(run.bars))
    paid = funding_paid(bars, before, owned, carried_in(run.price, start)[0])
    total: F64 = (paid * run.pays_funding).sum(axis=1).cumsum()
    return total
