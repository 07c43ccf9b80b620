"""What a report's controls cost: a thousand random twins of a run that trades as often as signals do.

Rules: the trips are dealt and walked as in a report; the market, its costs and funding are made.
"""

from __future__ import annotations

import numpy as np

from bot.report.money.retraced import legs_of_sides
from bot.report.money.twins import TWINS, twin_returns
from bot.report.money.walk import Tape
from scripts.benchmarks.measuring import Row, median_seconds

BARS, SYMBOLS = 3 * 8760, 5
KEPT = 0.72
"""Chance that a side outlasts a bar, for trips of about three bars as under a bare threshold."""


def twins(quick: bool) -> list[Row]:
    """Measure the twins of five symbols over three years of hours."""
    rng = np.random.default_rng(7)
    m = BARS // 10 if quick else BARS
    moves = 0.008 * rng.standard_normal((m, SYMBOLS))
    mark = np.vstack((np.ones(SYMBOLS), np.exp(np.cumsum(moves, axis=0))))
    funding = np.where(np.arange(m)[:, None] % 8 == 0, 1e-4 * mark[:-1], 0.0)
    tape = Tape(mark[:-1].copy(), mark, funding, np.zeros_like(funding), np.full(SYMBOLS, 7.5e-4))
    side = rng.integers(-1, 2, (m, SYMBOLS)).astype(np.float64)
    kept = rng.random((m, SYMBOLS)) < KEPT
    for i in range(1, m):
        side[i] = np.where(kept[i], side[i - 1], side[i])
    own = legs_of_sides(side, np.full_like(side, 1.0 / SYMBOLS))
    allowed = np.ones(side.shape, dtype=np.bool_)

    def work() -> None:
        twin_returns(own, allowed, tape, TWINS, np.random.default_rng(1))

    took = median_seconds(work, 1 if quick else 3)
    name = f"{TWINS:,} random twins, {SYMBOLS} symbols x {m:,} bars"
    note = f"{own.entry.shape[1]:,} round trips each"
    return [Row(name, took, "s", goal=30.0, at_least=False, note=note)]
