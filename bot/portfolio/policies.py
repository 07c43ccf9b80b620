"""Policies: which side a signal is worth, by the shipped rule or by one of a user's own.

Rules: a user's policy is asked at every close at which its symbol has a bar, also where its answer
cannot be acted on, so that what it carries depends on bars only. It knows the bar, what is held,
and its own state in the book; so no way of cutting the bars changes it, and no bar to come is seen.
Must not know sizes, caps or steps.
"""

from __future__ import annotations

import math

import numpy as np

from bot.parts.registry import shipped
from bot.portfolio.book import Book
from bot.portfolio.costs import round_trip
from bot.portfolio.kernel.asked import PolicyCall, SchemeCall, note_fault
from bot.portfolio.kernel.compiling import cold, hot
from bot.portfolio.market import Market
from bot.portfolio.rules import Rules
from bot.portfolio.sizings import size_of


@hot
def is_decided(i: int, s: int, market: Market, policy: PolicyCall | None) -> bool:
    """Tell whether there is a bar and a forecast, or a user's policy has decided."""
    if policy is None:
        return not math.isnan(market.signal[i, s]) and market.valid[i, s]
    return not math.isnan(policy.side[s])


@hot
def side_wanted(i: int, s: int, rules: Rules, market: Market, policy: PolicyCall | None) -> float:
    """Return the side, -1 to 1: the signal's where it exceeds the threshold, or a user's policy's."""
    if policy is None:
        signal = market.signal[i, s]
        if not abs(signal) > rules.threshold:
            return 0.0
        return math.copysign(1.0, signal)
    side: float = policy.side[s]
    return side


shipped(
    "policy", "threshold", keys=("signal.threshold",),
    doc="Long where the signal is above signal.threshold, short below its negative, else flat.",
)(side_wanted)  # fmt: skip


@cold
def ask_policy(
    i: int, book: Book, rules: Rules, market: Market,
    policy: PolicyCall, scheme: SchemeCall | None,
) -> None:  # fmt: skip
    """Ask a user's policy about every symbol that has a bar."""
    tradable = market.tradable[i] and book.account[0].halted == 0
    for s in range(len(book.quantity)):
        quantity = book.quantity[s]
        side = np.sign(quantity)
        held = book.bars_held[s]
        book.bars_held[s] = held + side if held * side > 0.0 else side
        policy.side[s] = math.nan
        if not market.valid[i, s]:
            continue
        signal = market.signal[i, s]
        bar = policy.bar[0]
        bar.symbol = s
        bar.open_time = market.open_time[i]
        bar.open = market.open[i, s]
        bar.close = market.close[i, s]
        bar.signal = signal
        bar.volatility = market.volatility[i, s]
        size = size_of(signal, market.volatility[i, s], rules)
        bar.cost = round_trip(i, s, size, signal, book, rules, market, scheme)
        bar.side = np.sign(quantity + book.pending[s])
        bar.bars_held = abs(book.bars_held[s])
        bar.tradable = tradable
        answer = policy.call(bar, book.policy_state[s])
        if abs(answer) > 1.0:
            note_fault(policy.fault, i, s)
        elif rules.needs_forecast and math.isnan(signal):
            answer = math.nan
        policy.side[s] = answer
