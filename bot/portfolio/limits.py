"""The limits of risk as numbers for the kernel: caps that hold, stages, cool-downs, stale data.

Owns how the settings of `risk` become these numbers. Rule: a limit of 0 is off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bot.blocks import F64
from bot.config.risk import Risk
from bot.venues import Venue

DELIVERY_FEE = 0.0005
"""Of the value of a contract that is settled, whatever the account's own fees.

Source: Bybit's help centre, "Trading and Settlement Fees (Futures Contract)",
https://help.bybit.com/hc/en-us/articles/900003221726. Of a perpetual that is delisted the pages that we
have say the price (the average of the index over the last 30 minutes) and no fee; the same one is taken,
which is the cautious reading."""


class RiskLimits(NamedTuple):
    """What says no beyond the caps and halts of the plain account.

    Attributes:
        cap_tolerance: a share of a cap by which prices may carry positions beyond it; 0: caps limit
            increases only.
        max_net: longs less shorts over equity.
        max_leverage: contracts over equity.
        halve_drawdown, flatten_drawdown: from the peak since trading last began anew.
        cool_down_bars: closes at which nothing is opened.
        max_losses: round trips in a row.
        max_stale_bars: in session and missing, in a row.
        max_model_age_bars: since the model in force has decided.
        max_disagreement: of its members, over the size of their mean.
        max_distance: of the features, in times of the model's reach.
        flatten_leaving: whether what is held of a symbol that leaves is closed.
        settlement_fee: float64[S], of the value settled; empty in rules without any settlement.
    """

    cap_tolerance: float = 0.0
    max_net: float = 0.0
    max_leverage: float = 0.0
    halve_drawdown: float = 0.0
    flatten_drawdown: float = 0.0
    cool_down_bars: int = 0
    max_losses: int = 0
    max_stale_bars: int = 0
    max_model_age_bars: int = 0
    max_disagreement: float = 0.0
    max_distance: float = 0.0
    flatten_leaving: bool = False
    settlement_fee: F64 = np.zeros(0)


def risk_limits(risk: Risk, venues: Sequence[Venue]) -> RiskLimits:
    """Return the limits that the settings ask for."""
    return RiskLimits(
        cap_tolerance=float(risk.cap_tolerance),
        max_net=float(risk.max_net),
        max_leverage=float(risk.max_leverage),
        halve_drawdown=float(risk.halve_drawdown),
        flatten_drawdown=float(risk.flatten_drawdown),
        cool_down_bars=risk.cool_down_bars,
        max_losses=risk.max_losses,
        max_stale_bars=risk.max_stale_bars,
        max_model_age_bars=risk.max_model_age_bars,
        max_disagreement=float(risk.max_disagreement),
        max_distance=float(risk.max_distance),
        flatten_leaving=risk.on_leaving == "flatten",
        settlement_fee=np.array([DELIVERY_FEE if v.contract else v.taker_fee for v in venues]),
    )


NO_LIMITS = RiskLimits()


def doubts_model(limits: RiskLimits) -> bool:
    """Tell whether any limit is on the model."""
    return (
        limits.max_model_age_bars > 0 or limits.max_disagreement > 0.0 or limits.max_distance > 0.0
    )


def are_asked_for(risk: Risk) -> bool:
    """Tell whether any of these limits is on."""
    return any(
        (
            risk.cap_tolerance, risk.max_net, risk.max_leverage, risk.halve_drawdown,
            risk.flatten_drawdown, risk.cool_down_bars, risk.max_losses, risk.max_stale_bars,
            risk.max_model_age_bars, risk.max_disagreement, risk.max_distance, risk.leaving_hours,
        )
    )  # fmt: skip
