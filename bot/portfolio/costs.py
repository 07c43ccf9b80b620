"""What a fill costs: its price, its fee, and what spread and slippage took.

Rules: every fill is charged by `costs`, and nothing else charges one; with q the signed quantity, spread and
slippage are what the price met and the price paid lie beyond the middle, so that together they are
(price - middle) q. Money is in the quote currency, positive when paid.
"""

from __future__ import annotations

import math

from bot.portfolio.kernel.compiling import hot
from bot.portfolio.rules import Rules


@hot
def costs(
    s: int, quantity: float, middle: float, quote: float, rules: Rules
) -> tuple[float, float, float, float]:
    """Return the price, fee, spread and slippage of a taker's fill.

    Args:
        s: the symbol.
        quantity: signed.
        middle: what is in the middle of the market: of bid and ask, else the bar's price.
        quote: what the order meets, the ask when bought; NaN where there is none, and it is then
            half a spread off the middle.
    """
    side = 1.0 if quantity > 0.0 else -1.0
    met = quote if math.isfinite(quote) else middle * (1.0 + side * rules.half_spread)
    price = met * (1.0 + side * rules.slippage)
    fee = rules.taker_fee[s] * abs(quantity) * price
    return price, fee, (met - middle) * quantity, (price - met) * quantity


@hot
def costs_of_reference(s: int, equity: float, rules: Rules) -> float:
    """Return the fee of a change of position in the reference backtest: a share of equity."""
    fee: float = rules.taker_fee[s] * equity
    return fee
