"""What an exchange says of a symbol: sizes and steps of orders, currencies, leverage, margin, funding, life.

Rules: a number of 0 is none, or not known; amounts are in the quote currency, quantities in the base
currency, times in ms UTC. Must not ask anybody.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from bot.timestamps import format_utc


class Tier(NamedTuple):
    """Up to which value of a position which margin is asked for.

    The maintenance margin of a position of this value is value x rate - deduction; the deduction
    makes the margin as if each part of the value were charged at the rate of its own tier
    (https://www.bybit.com/en/help-center/article/Maintenance-Margin-USDT-Contract).

    Attributes:
        limit_value: the largest value of a position in this tier, itself included; in the currency
            that the contract settles in.
        maintenance_rate: a fraction of the value.
        maintenance_deduction: in the currency of the value.
        max_leverage: the initial margin is at least 1 / max_leverage of the value.
    """

    limit_value: float
    maintenance_rate: float
    maintenance_deduction: float
    max_leverage: float


@dataclass(frozen=True, slots=True)
class Instrument:
    """What an exchange asks of an order, and what the symbol is; "" where it did not say.

    Attributes:
        quantity_step, min_quantity: in the base currency; 0 is none.
        min_notional: in the quote currency; 0 is none.
        base, quote, settle: currencies; what is not a contract has no settle coin.
        contract_type: in Bybit's words, for example LinearPerpetual or LinearFutures.
        status: in Bybit's words when it was asked, for example Trading or PreLaunch; UNLISTED where it
            lists the symbol no more.
        tick_size: prices of orders are multiples of it; 0 is none.
        max_market_quantity, max_limit_quantity: of one order, in the base currency; 0 is none.
        max_leverage: 0 where it is not known; what is not a contract has none.
        funding_interval_min: minutes between two settlements of funding; 0 where it is not known.
        max_funding_rate, min_funding_rate: of one settlement, None where not known.
        launch_ms: when trading began or begins, 0 where not known.
        delivery_ms: when a contract is delivered, or a perpetual delisted; 0 where it is not.
        tiers: of the margin, by limit_value; empty where not known.
    """

    quantity_step: float
    min_quantity: float
    min_notional: float
    base: str = ""
    quote: str = ""
    settle: str = ""
    contract_type: str = ""
    status: str = ""
    tick_size: float = 0.0
    max_market_quantity: float = 0.0
    max_limit_quantity: float = 0.0
    max_leverage: float = 0.0
    funding_interval_min: int = 0
    max_funding_rate: float | None = None
    min_funding_rate: float | None = None
    launch_ms: int = 0
    delivery_ms: int = 0
    tiers: tuple[Tier, ...] = ()


TRADED = frozenset({"", "Trading"})
"""Statuses of a symbol that can be traded; some answers have none."""

UNLISTED = "Unlisted"
ENDED = frozenset({"Closed", UNLISTED})
"""Statuses of a symbol that is traded no more."""

SIGNED = frozenset({"max_funding_rate", "min_funding_rate"})
"""Numbers that may have either sign, or be None."""


def untraded(instruments: Mapping[str, Instrument]) -> list[str]:
    """Return why symbols cannot be traded now, and what to do, a line each.

    >>> untraded({"NEWUSDT": Instrument(1.0, 1.0, 0.0, status="PreLaunch")})[0][:51]
    'market.symbols: NEWUSDT is PreLaunch: trading has n'
    """
    return [
        f"market.symbols: {name} is {each.status}: {_WHY_UNTRADED.get(each.status, _NOT_NOW)}".replace(
            "{when}", format_utc(each.launch_ms) + " UTC" if each.launch_ms else "its launch"
        )
        for name, each in instruments.items()
        if each.status not in TRADED
    ]


_NOT_NOW = "it is not traded now; leave it out"
_WHY_UNTRADED = {
    "PreLaunch": "trading has not begun; leave it out until {when}, then let it join "
    "('bot set RUN market.symbols=…')",
    "Settling": "it is being settled, and nothing can be opened; leave it out",
    "Delivering": "it is being delivered, and nothing can be opened; leave it out",
    "Closed": "it is traded no more; leave it out",
}


def has_ended(instrument: Instrument, time_ms: int) -> bool:
    """Return whether a symbol is traded no more at this time: its end tells, where that is dated.

    >>> [has_ended(Instrument(1.0, 1.0, 0.0, delivery_ms=1000), time) for time in (999, 1000)]
    [False, True]
    """
    if instrument.delivery_ms > 0:
        return instrument.delivery_ms <= time_ms
    return instrument.status in ENDED


def is_leaving(instrument: Instrument, time_ms: int, within_ms: int) -> bool:
    """Return whether no position should be opened any more: it ends so soon, or is not traded.

    Args:
        within_ms: how long before its end it leaves; 0: only once it has ended.

    >>> made = Instrument(1.0, 1.0, 0.0, status="Trading", delivery_ms=1000)
    >>> [is_leaving(made, time, 600) for time in (399, 400)], is_leaving(made, 999, 0)
    ([False, True], False)
    """
    if within_ms > 0 and instrument.status not in TRADED:
        return True
    return has_ended(instrument, time_ms + within_ms)


def fault_of(instrument: Instrument) -> str:
    """Return what cannot be true of an instrument, "" where nothing is.

    >>> fault_of(Instrument(0.1, 0.1, 5.0)), fault_of(Instrument(-1.0, 0.1, 5.0))
    ('', 'quantity_step is negative or no number')
    """
    for field in fields(Instrument):
        value = getattr(instrument, field.name)
        if value is None or isinstance(value, str | tuple):
            continue
        if not math.isfinite(value) or (value < 0.0 and field.name not in SIGNED):
            return f"{field.name} is negative or no number"
    below = 0.0
    for tier in instrument.tiers:
        if not below < tier.limit_value < math.inf:
            return "the tiers are not in order of limit_value"
        if not 0.0 < tier.maintenance_rate < 1.0:
            return "the maintenance_rate of a tier is not between 0 and 1"
        if not 0.0 <= tier.maintenance_deduction < math.inf:
            return "the maintenance_deduction of a tier is negative or no number"
        if not 1.0 <= tier.max_leverage < math.inf:
            return "the max_leverage of a tier is below 1 or no number"
        below = tier.limit_value
    return ""
