"""The benchmark that asks nothing of a model: buy all symbols once and hold.

Each symbol gets an equal share of the capital. It is bought at the open of its first bar from the
start on, at the half spread and slippage of the run, and the taker fee is paid once; the share of a
symbol that starts later waits in cash. Nothing is sold: the last known close marks it to the end.
No funding is charged: it stands for owning the assets, not for a contract.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64
from bot.report.inputs import RunData


def buy_and_hold(run: RunData, start: int) -> F64:
    """Return float64[m], the benchmark's equity at each close from bar `start` on."""
    capital = run.equity_before(start)
    share = capital / run.n_symbols
    valid = run.bars.valid[start:]
    curve = np.zeros(len(valid))
    markup = 1.0 + (run.half_spread_bps + run.slippage_bps) / 10_000.0
    for s in range(run.n_symbols):
        bought = np.flatnonzero(valid[:, s] & (run.bars.open[start:, s] > 0.0))
        if len(bought) == 0:
            curve += share
            continue
        first = int(bought[0])
        cost = float(run.bars.open[start + first, s]) * markup * (1.0 + float(run.taker_fee[s]))
        curve[:first] += share
        curve[first:] += share / cost * run.price[start + first :, s]
    return curve
