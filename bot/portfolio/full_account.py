"""The full account: margin, cash and sizes as the exchange has them, as numbers for the kernel.

Owns how settings and instruments become these numbers. Rules: a limit of 0 is off; where none of it is
asked for there is no full account, and the kernel is compiled without a trace of it.

What a contract's margin is follows Bybit's unified account (help centre, "Trading Rules: Liquidation
Process", "Liquidation Price Calculation under Isolated Mode", "Maintenance Margin").
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from bot.blocks import F64, Bool
from bot.config import Config
from bot.portfolio.instruments import Instrument, Tier
from bot.portfolio.limits import RiskLimits, are_asked_for, risk_limits
from bot.portfolio.order_rules import OrderRules, is_asked, order_rules
from bot.venues import ProductKind, Venue

USUAL_TIERS = (Tier(np.inf, 0.01, 0.0, 50.0),)
"""Of inverse contracts that were told nothing, and of what is no contract, which is held on margin where
borrowing is allowed."""


FILLS_A_BAR = 5
"""Most fills of a symbol in a bar: at its open, by a limit, a stop or a liquidation, at its end, and by the end
of the account."""


class MarginMode(IntEnum):
    """What stands for the losses of a contract."""

    NONE = 0
    """Nothing is asked: as if the exchange gave credit."""
    CROSS = 1
    """The whole account."""
    ISOLATED = 2
    """The margin of the position alone."""


class FullAccount(NamedTuple):
    """Everything that the plain account lacks; arrays have one entry a symbol.

    Attributes:
        margin_mode: a MarginMode.
        contract: held on margin; what is not is paid in full.
        leverage: by which the value of a position is divided to have its initial margin.
        tier_limit: float64[S, T], the value up to which a tier holds, in the symbol's own money; the last
            is infinite.
        tier_rate: float64[S, T], maintenance margin as a share of the value.
        tier_deduction: float64[S, T], taken off it.
        tier_leverage: float64[S, T], the largest of the tier.
        borrow: whether cash may be below zero where symbols are paid in full.
        interest: on what is borrowed, of a bar.
        orders: how orders meet the market.
        risk: what says no.
        optimistic: what is unknowable inside a bar is read in the account's favour, and not against it.
        inverse: counted in contracts of the quote currency, with profit, margin and tiers in coin.
        has_inverse: whether any is; without, `inverse` may be empty.
    """

    margin_mode: int
    contract: Bool
    leverage: F64
    tier_limit: F64
    tier_rate: F64
    tier_deduction: F64
    tier_leverage: F64
    borrow: bool
    interest: float
    orders: OrderRules
    risk: RiskLimits = RiskLimits()
    optimistic: bool = False
    inverse: Bool = np.zeros(0, dtype=np.bool_)
    has_inverse: bool = False


def full_account(
    config: Config, symbols: Sequence[str], venues: Sequence[Venue],
    tiers: Sequence[Sequence[Tier]], bars_a_year: float, instruments: Sequence[Instrument],
) -> FullAccount | None:  # fmt: skip
    """Return the full account that the settings ask for, None where they ask for none.

    Args:
        tiers: of each symbol, at least one.
        bars_a_year: into which the yearly interest is divided.
        instruments: of each symbol.
    """
    portfolio = config.portfolio
    mode = MarginMode[portfolio.margin_mode.upper()]
    contract = np.array([venue.contract for venue in venues])
    unpaid = portfolio.borrow or bool(contract.all())
    inverse = np.array([venue.kind is ProductKind.INVERSE for venue in venues])
    asked = bool(inverse.any()) or is_asked(config) or are_asked_for(config.risk)
    plain = mode is MarginMode.NONE and unpaid and not asked
    if config.costs.reference or plain:
        return None
    width = max(len(each) for each in tiers)
    table = np.array([[*each, *[each[-1]] * (width - len(each))] for each in tiers])
    limits = table[:, :, 0].copy()
    limits[:, -1] = np.inf
    return FullAccount(
        margin_mode=int(mode),
        inverse=inverse,
        has_inverse=bool(inverse.any()),
        contract=contract,
        leverage=np.array([_leverage(config, symbol) for symbol in symbols]),
        tier_limit=limits,
        tier_rate=table[:, :, 1].copy(),
        tier_deduction=table[:, :, 2].copy(),
        tier_leverage=table[:, :, 3].copy(),
        borrow=portfolio.borrow,
        interest=portfolio.borrow_rate / bars_a_year,
        orders=order_rules(config, venues, instruments),
        risk=risk_limits(config.risk, venues),
    )


def _leverage(config: Config, symbol: str) -> float:
    return float(config.portfolio.leverages.get(symbol, config.portfolio.leverage))
