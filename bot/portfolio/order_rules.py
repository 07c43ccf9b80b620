"""Sizes, stops and limit orders of the full account, as numbers for the kernel.

Owns how settings and instruments become these numbers. Rules: 0 is off; fractions are of prices or of
volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from bot.blocks import F64
from bot.config import Config
from bot.portfolio.instruments import Instrument
from bot.venues import Venue


class Excess(IntEnum):
    """What becomes of the part of an order that a bar cannot fill."""

    WAIT = 0
    """It waits for the next bars."""
    DROP = 1
    SPLIT = 2
    """It waits, and orders are spread evenly over several bars from the start."""


class OrderRules(NamedTuple):
    """How orders meet the market; arrays have one entry a symbol.

    Attributes:
        tick: prices are multiples of it, 0 where it is not known.
        max_market, max_limit: largest order, base currency, 0 where it is not known.
        max_participation: largest share of a bar's volume that is filled.
        excess: an Excess.
        split_bars: bars over which an order is spread.
        impact: coefficient of the square-root law.
        has_stops: whether any of the three is on.
        stop_loss, take_profit: fractions of the entry.
        trailing_stop: a fraction of the best price.
        is_limit: whether orders on a signal are limit orders.
        limit_offset: of the limit from the close, a fraction, better than it where positive.
        post_only: whether an order that would be a taker's is dropped.
        limit_bars: for which a limit order stands.
        crosses: whether it then crosses, and is not cancelled.
        maker_fee: a fraction of the notional.
    """

    tick: F64
    max_market: F64
    max_limit: F64
    max_participation: float
    excess: int
    split_bars: int
    impact: float
    has_stops: bool
    stop_loss: float
    take_profit: float
    trailing_stop: float
    is_limit: bool
    limit_offset: float
    post_only: bool
    limit_bars: int
    crosses: bool
    maker_fee: F64


def order_rules(
    config: Config, venues: Sequence[Venue], instruments: Sequence[Instrument]
) -> OrderRules:
    """Return the rules of orders that the settings ask for."""
    execution, risk, fee = config.execution, config.risk, config.costs.maker_fee
    return OrderRules(
        tick=np.array([known.tick_size for known in instruments]),
        max_market=np.array([known.max_market_quantity for known in instruments]),
        max_limit=np.array([known.max_limit_quantity for known in instruments]),
        max_participation=float(execution.max_participation),
        excess=int(Excess[execution.excess.upper()]),
        split_bars=execution.split_bars,
        impact=float(config.costs.impact),
        has_stops=max(risk.stop_loss, risk.take_profit, risk.trailing_stop) > 0.0,
        stop_loss=float(risk.stop_loss),
        take_profit=float(risk.take_profit),
        trailing_stop=float(risk.trailing_stop),
        is_limit=execution.style == "limit",
        limit_offset=execution.limit_offset_bps * 1e-4,
        post_only=execution.post_only,
        limit_bars=execution.limit_bars,
        crosses=execution.limit_then == "cross",
        maker_fee=np.array([v.maker_fee if fee == -1.0 else fee for v in venues]),
    )


def is_asked(config: Config) -> bool:
    """Tell whether the settings ask for anything here that the plain account lacks."""
    execution, risk = config.execution, config.risk
    stops = max(risk.stop_loss, risk.take_profit, risk.trailing_stop) > 0.0
    sized = execution.max_participation > 0.0 or config.costs.impact > 0.0
    return sized or stops or execution.style == "limit"


def plain_orders(n_symbols: int) -> OrderRules:
    """Return rules under which every order is a market order that is filled whole."""
    none = np.zeros(n_symbols)
    return OrderRules(
        tick=none.copy(),
        max_market=none.copy(),
        max_limit=none.copy(),
        max_participation=0.0,
        excess=int(Excess.WAIT),
        split_bars=1,
        impact=0.0,
        has_stops=False,
        stop_loss=0.0,
        take_profit=0.0,
        trailing_stop=0.0,
        is_limit=False,
        limit_offset=0.0,
        post_only=False,
        limit_bars=1,
        crosses=False,
        maker_fee=none.copy(),
    )
