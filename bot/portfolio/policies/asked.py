"""A policy of a user's own: asked through a record, called by pointer.

Rules: it is asked at every close at which its symbol has a bar, also where its answer cannot be
acted on, so that what it carries depends on bars only. It knows the bar, what is held, and its own
state in the book; so no way of cutting the bars changes it, and no bar to come is seen.
Must not know sizes, caps or steps.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F64
from bot.portfolio.book import Book
from bot.portfolio.costs import round_trip
from bot.portfolio.full_account import FullAccount
from bot.portfolio.kernel.asked import PolicyCall, SchemeCall, call_policy, note_fault
from bot.portfolio.kernel.compiling import cold
from bot.portfolio.market import Market
from bot.portfolio.rules import Rules
from bot.portfolio.sizings.sizes import own_size
from bot.portfolio.trace import Trace


@cold
def ask_policy(
    i: int, book: Book, rules: Rules, market: Market, trace: Trace, sides: F64,
    policy: PolicyCall, scheme: SchemeCall, full: FullAccount | None,
) -> None:  # fmt: skip
    """Ask a user's policy about every symbol that has a bar; `sides` is room for S answers."""
    tradable = market.tradable[i] and book.account[0].halted == 0
    for s in range(len(book.quantity)):
        quantity = book.quantity[s]
        side = np.sign(quantity)
        held = book.bars_held[s]
        book.bars_held[s] = held + side if held * side > 0.0 else side
        sides[s] = math.nan
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
        side_of_signal = -1.0 if signal < 0.0 else 1.0
        size, _ = own_size(i, s, side_of_signal, rules, market, trace)
        size *= side_of_signal
        bar.cost = round_trip(i, s, size, rules.half_spread, book, rules, market, scheme, full)
        bar.side = np.sign(quantity + book.pending[s])
        bar.bars_held = abs(book.bars_held[s])
        bar.tradable = tradable
        answer = call_policy(policy.address, bar, book.policy_state[s])
        if abs(answer) > 1.0:
            note_fault(policy.fault, i, s)
        elif rules.needs_forecast and math.isnan(signal):
            answer = math.nan
        sides[s] = answer
