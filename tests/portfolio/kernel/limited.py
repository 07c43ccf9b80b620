"""An account on credit without limit, so that nothing but the limits of risk says no."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.limits import RiskLimits
from bot.portfolio.order_rules import plain_orders
from bot.portfolio.rules import Rules


def limited(
    rules: Rules, *, contract: Any = True, mode: MarginMode = MarginMode.NONE, **limits: Any
) -> Rules:
    """Return the rules with these limits of risk and no others."""
    n = len(rules.taker_fee)
    ones = np.ones((n, 1))
    full = FullAccount(
        margin_mode=int(mode),
        contract=np.broadcast_to(np.array(contract), n).copy(),
        leverage=np.full(n, 50.0),
        tier_limit=np.inf * ones,
        tier_rate=0.005 * ones,
        tier_deduction=0.0 * ones,
        tier_leverage=100.0 * ones,
        borrow=True,
        interest=0.0,
        orders=plain_orders(n),
        risk=RiskLimits(settlement_fee=np.full(n, 0.0005))._replace(**limits),
    )
    return rules._replace(full=full)
