"""The rules of trading as plain numbers and arrays, as the kernel takes them.

Owns what a venue implies (fee, shorts, funding) and how settings and instruments become numbers.
Rules: a cap, halt, step or minimum of 0 is off; fees, spread and slippage are fractions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from bot.blocks import F64, Bool
from bot.config import Config
from bot.errors import ConfigError
from bot.venues import split_symbol

FEE_CONTRACT = 0.00055
FEE_SPOT = 0.001
FEE_OTHER = 0.0005


class SizingMethod(IntEnum):
    """How a signal becomes a weight."""

    FIXED = 0
    PROPORTIONAL = 1


class FillAt(IntEnum):
    """Where an order decided at a close is filled."""

    NEXT_OPEN = 0
    NEXT_CLOSE = 1


class LatePolicy(IntEnum):
    """What becomes of an order whose bar could not be filled."""

    HOLD = 0
    CANCEL = 1
    FLATTEN = 2


@dataclass(frozen=True, slots=True)
class Instrument:
    """What an exchange asks of an order: step and least quantity (base), least notional (quote)."""

    quantity_step: float
    min_quantity: float
    min_notional: float


class Rules(NamedTuple):
    """Everything the kernel obeys; the arrays have one entry a symbol."""

    threshold: float
    method: int
    fraction: float
    scale: float
    max_weight: float
    band: float
    spread_penalty: float
    max_symbol_weight: float
    max_gross: float
    max_daily_loss: float
    max_drawdown: float
    half_spread: float
    slippage: float
    reference: bool
    fill_at: int
    late_policy: int
    allow_short: Bool
    funding: Bool
    taker_fee: F64
    quantity_step: F64
    min_quantity: F64
    min_notional: F64


def venue_of(symbol: str, default: str) -> str:
    """Return the venue of 'venue:SYMBOL', or the default one.

    >>> venue_of("us:AAPL", "bybit_linear"), venue_of("BTCUSDT", "bybit_linear")
    ('us', 'bybit_linear')
    """
    return split_symbol(symbol, default)[0]


def is_cash(venue: str) -> bool:
    """Tell whether the venue trades against cash: no shorts, no funding (spot, us, yahoo).

    >>> [is_cash(v) for v in ("bybit_linear", "bybit_spot", "us", "yahoo")]
    [False, True, True, True]
    """
    return venue.endswith("_spot") or venue in {"us", "yahoo"}


def default_fee(venue: str) -> float:
    """Return the taker fee of a venue: 0.055 % on perpetuals, 0.1 % on spot, 0.05 % elsewhere.

    Bybit's and Binance's spot fees are those without any VIP level. For stocks the 0.05 % stands
    for commission and exchange fees together.

    >>> default_fee("bybit_linear"), default_fee("binance_spot"), default_fee("us")
    (0.00055, 0.001, 0.0005)
    """
    if venue.endswith("_linear"):
        return FEE_CONTRACT
    return FEE_SPOT if venue.endswith("_spot") else FEE_OTHER


def rules_from(
    config: Config, symbols: Sequence[str], instruments: Mapping[str, Instrument] | None = None
) -> Rules:
    """Turn settings into the kernel's numbers.

    `costs.reference` turns off spread, slippage, funding, steps, minima, caps, halts, and the
    venue's limit on shorts; `sizing.allow_short` still holds.

    Args:
        config: the settings.
        symbols: in the ledger's order, as in `market.symbols`.
        instruments: by symbol; where one is missing, the `execution` defaults stand in.

    Raises:
        ConfigError: a venue's contracts are inverse, or the reference has not one symbol.
    """
    venues = [venue_of(symbol, config.market.venue) for symbol in symbols]
    reference = config.costs.reference
    _check(symbols, venues, reference)
    on = 0.0 if reference else 1.0
    cash = np.array([is_cash(venue) for venue in venues])
    step, min_quantity, min_notional = _limits(config, symbols, instruments or {})
    fee = config.costs.taker_fee
    return Rules(
        threshold=float(config.signal.threshold),
        method=int(SizingMethod[config.sizing.method.upper()]),
        fraction=float(config.sizing.fraction) or 1.0 / len(symbols),
        scale=float(config.sizing.scale),
        max_weight=float(config.sizing.max_weight),
        band=float(config.sizing.rebalance_band),
        spread_penalty=float(config.sizing.spread_penalty),
        max_symbol_weight=config.risk.max_symbol_weight * on,
        max_gross=config.risk.max_gross * on,
        max_daily_loss=config.risk.max_daily_loss * on,
        max_drawdown=config.risk.max_drawdown * on,
        half_spread=config.costs.half_spread_bps * 1e-4 * on,
        slippage=config.costs.slippage_bps * 1e-4 * on,
        reference=reference,
        fill_at=int(FillAt[config.execution.fill.upper()]),
        late_policy=int(LatePolicy[config.execution.late_policy.upper()]),
        allow_short=(~cash | reference) & config.sizing.allow_short,
        funding=~cash & (config.costs.funding and not reference),
        taker_fee=np.array([default_fee(v) if fee == -1.0 else fee for v in venues]),
        quantity_step=step * on,
        min_quantity=min_quantity * on,
        min_notional=min_notional * on,
    )


def _check(symbols: Sequence[str], venues: Sequence[str], reference: bool) -> None:
    for symbol, venue in zip(symbols, venues, strict=True):
        if venue.endswith("_inverse"):
            raise ConfigError(
                f"market.symbols: {symbol} on {venue} is an inverse contract, whose profit is in "
                "coin while the ledger is in the quote currency; use the linear contract"
            )
    if reference and len(symbols) != 1:
        raise ConfigError(
            f"costs.reference = true is for one symbol and there are {len(symbols)}; name one"
        )


def _limits(
    config: Config, symbols: Sequence[str], instruments: Mapping[str, Instrument]
) -> tuple[F64, F64, F64]:
    default = Instrument(config.execution.quantity_step, 0.0, config.execution.min_notional)
    known = [instruments.get(symbol, default) for symbol in symbols]
    return (
        np.array([k.quantity_step for k in known], dtype=np.float64),
        np.array([k.min_quantity for k in known], dtype=np.float64),
        np.array([k.min_notional for k in known], dtype=np.float64),
    )
