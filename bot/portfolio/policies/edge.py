"""The edge policy: trade where the calibrated edge exceeds its cost, and hold for the horizon.

E = sign(s) min(b⁻ |s|, bound), with b⁻ = max(0, b - z SE) the slope of realised returns on past
signals, less z of its errors: the return over the horizon that is expected, never more than the
forecast itself. It is held against policy.cost_multiple times what a round trip costs by the
account's own cost function, with the spread of the quote seen last and the funding expected.

Rules: while a position ages nothing is traded, whatever its size would be now; a position is closed
when `hold` bars have passed since its side was last decided.
"""

from __future__ import annotations

import math

import numpy as np

from bot.parts.registry import shipped
from bot.portfolio.book import Book
from bot.portfolio.costs import round_trip
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.asked import SchemeCall
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.market import Market
from bot.portfolio.policies.carried import AGE, FUNDING_AT_MS, FUNDING_PER_MS, HALF_SPREAD
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Trace

CALIBRATING, EDGE_BELOW_COST = int(Refusal.CALIBRATING), int(Refusal.EDGE_BELOW_COST)
USUAL_SETTLEMENT_MS = 8 * 3_600_000
"""Between two settlements of funding, where none was seen yet, and the longest believed, but
for longer bars."""


@hot
def edge_of(i: int, s: int, rules: Rules, market: Market) -> float:
    """Return the expected return over the horizon; NaN without a forecast, or while calibrating."""
    signal = market.signal[i, s]
    slope = market.slope[i]
    if math.isnan(signal) or math.isnan(slope) or market.days[i] < rules.min_calibration_days:
        return math.nan
    cautious = max(0.0, slope - rules.confidence * market.slope_error[i])
    edge: float = np.sign(signal) * min(cautious * abs(signal), market.bound[i, s])
    return edge


@cold
def edge_side(
    i: int, s: int, held: float, book: Book, rules: Rules, market: Market, trace: Trace,
    scheme: SchemeCall, full: FullAccount | None,
) -> tuple[float, bool]:  # fmt: skip
    """Return the side, and whether it is only kept; NaN where there is nothing to decide."""
    state = book.policy_state[s]
    age = state[AGE]
    trace.age[i, s] = age
    edge = trace.edge[i, s]
    if not math.isnan(edge) and edge != 0.0:
        side = math.copysign(1.0, edge)
        hurdle = rules.cost_multiple * cost_of(i, s, side, book, rules, market, scheme, full)
        trace.hurdle[i, s] = hurdle
        if abs(edge) > hurdle:
            if market.tradable[i]:
                state[AGE] = 0.0
                trace.age[i, s] = 0.0
            return side, False
        trace.refusal[i, s] = EDGE_BELOW_COST
    elif not math.isnan(market.signal[i, s]):
        trace.refusal[i, s] = CALIBRATING if math.isnan(edge) else EDGE_BELOW_COST
    if held == 0.0:
        return (math.nan if math.isnan(market.signal[i, s]) else 0.0), False
    return (0.0, False) if age >= rules.hold_bars else (held, True)


@cold
def cost_of(
    i: int, s: int, side: float, book: Book, rules: Rules, market: Market,
    scheme: SchemeCall, full: FullAccount | None,
) -> float:  # fmt: skip
    """Return the cost of a round trip on this side, of its notional, with the funding expected."""
    state = book.policy_state[s]
    spread = state[HALF_SPREAD] if state[HALF_SPREAD] > 0.0 else rules.half_spread
    funding = side * state[FUNDING_PER_MS] * rules.hold_bars * rules.bar_ms
    cost: float = round_trip(i, s, side * rules.fraction, spread, book, rules, market, scheme, full)
    return cost + (funding if rules.funding[s] else 0.0)


@cold
def grow_older(i: int, s: int, held: float, book: Book, rules: Rules, market: Market) -> None:
    """Take in that a bar has passed, and what it says of funding and of the spread."""
    state = book.policy_state[s]
    state[AGE] = state[AGE] + 1.0 if held != 0.0 else 0.0
    bid, ask = market.fill_bid[i, s], market.fill_ask[i, s]
    if math.isfinite(bid) and math.isfinite(ask):
        state[HALF_SPREAD] = (ask - bid) / (ask + bid)
    price = market.open[i, s] if market.valid[i, s] else book.mark[s]
    paid = market.funding_inside[i, s] / price
    if not math.isnan(market.funding_rate[i, s]):
        paid += market.funding_rate[i, s]
    if math.isfinite(paid) and paid != 0.0:
        now = market.open_time[i]
        before = int(state[FUNDING_AT_MS])
        longest = max(USUAL_SETTLEMENT_MS, rules.bar_ms)
        elapsed = min(now - before, longest) if before else longest
        state[FUNDING_PER_MS] = paid / elapsed
        state[FUNDING_AT_MS] = now


shipped(
    "policy", "edge",
    keys=("policy.cost_multiple", "policy.confidence", "policy.hold_bars", "policy.min_calibration_days"),
    doc="Trades where the calibrated edge exceeds its cost, and holds for the horizon.",
)(edge_side)  # fmt: skip
