"""The rules of trading as plain numbers and arrays, as the kernel takes them.

Owns how settings, venues and instruments become numbers. Rules: a cap, halt, step or minimum of 0 is off; fees, spread and slippage are fractions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from bot.blocks import F64, Bool
from bot.config import Config
from bot.config.needed_heads import needs_calibration
from bot.errors import ConfigError
from bot.portfolio.calibration import block_days
from bot.portfolio.conviction import usual_deviation
from bot.portfolio.correlation import decay_of
from bot.portfolio.full_account import USUAL_TIERS, FullAccount, full_account
from bot.portfolio.instruments import Instrument
from bot.portfolio.margin_tiers import tiers_of
from bot.portfolio.own import own_part
from bot.portfolio.policies.carried import PolicyKind, kind_of, width_of
from bot.timegrid import INTERVAL_MS
from bot.venues import ProductKind, Venue, periods_per_year, split_symbol, venue_row


class SizingMethod(IntEnum):
    """How a signal becomes a weight."""

    FIXED = 0
    PROPORTIONAL = 1
    KELLY = 2
    VOLATILITY_TARGET = 3
    MEAN_VARIANCE = 4


OF_ACCOUNT = (SizingMethod.VOLATILITY_TARGET, SizingMethod.MEAN_VARIANCE)
"""The sizings that size all symbols of a close at once."""


class FillAt(IntEnum):
    """Where an order decided at a close is filled."""

    NEXT_OPEN = 0
    NEXT_CLOSE = 1


class LatePolicy(IntEnum):
    """What becomes of an order whose bar could not be filled."""

    HOLD = 0
    CANCEL = 1
    FLATTEN = 2


class Rules(NamedTuple):
    """Everything the kernel obeys; the arrays have one entry a symbol.

    Attributes:
        policy_kind: a PolicyKind.
        is_calibrated: whether a calibration is needed.
        horizon: bars over which a signal is calibrated; 0 where none is.
        block_days: of the calibration.
        hold_bars: for which the edge policy holds.
        sizes_account: whether the sizing is of all symbols at once, by their measured correlation.
        correlation_decay: how much less a bar weighs in it than the next.
        target_deviation: of the account's return of a bar, to be aimed at.
        usual_deviation: what the volatility head says on average where the deviation is 1.
        policy: a user's compiled policy, None for a shipped one.
        policy_state: numbers that the policy carries for each symbol.
        needs_forecast: whether its answer counts only where there is a forecast.
        scheme: a user's compiled cost scheme, None for the shipped one.
        cost_state: numbers that it carries for each symbol.
        full: what the plain account lacks; None where none of it is asked for.
    """

    threshold: float
    method: int
    fraction: float
    scale: float
    max_weight: float
    band: float
    disagreement_penalty: float
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
    bar_ms: int
    policy_kind: int = int(PolicyKind.THRESHOLD)
    exit_threshold: float = 0.0
    is_calibrated: bool = False
    horizon: int = 0
    block_days: int = 1
    hold_bars: int = 1
    cost_multiple: float = 1.0
    confidence: float = 1.0
    min_calibration_days: int = 90
    sizes_account: bool = False
    correlation_decay: float = 0.0
    target_deviation: float = 0.0
    kelly_fraction: float = 0.25
    risk_aversion: float = 4.0
    usual_deviation: float = 1.0
    policy: Any = None
    policy_state: int = 0
    needs_forecast: bool = True
    scheme: Any = None
    cost_state: int = 0
    full: FullAccount | None = None

    @property
    def inverse(self) -> Bool | None:
        """Return bool[S], which symbols are held in contracts and coin; None for none."""
        return self.full.inverse if self.full is not None and self.full.has_inverse else None


def rules_from(
    config: Config,
    symbols: Sequence[str],
    instruments: Mapping[str, Instrument] | None = None,
    *,
    numbers_only: bool = False,
) -> Rules:
    """Turn settings into the kernel's numbers.

    `costs.reference` turns off spread, slippage, funding, steps, minima, caps, halts, and the
    venue's limit on shorts; `sizing.allow_short` still holds.

    Args:
        config: the settings.
        symbols: in the ledger's order, as in `market.symbols`.
        instruments: by symbol; where one is missing, the `execution` defaults stand in.
        numbers_only: leave a user's policy and cost scheme out, for who reads and does not trade.

    Raises:
        ConfigError: a venue or part is not known, a part does not compile, or the reference has not
            one symbol.
    """
    venues = [venue_row(split_symbol(symbol, config.market.venue)[0]) for symbol in symbols]
    reference = config.costs.reference
    if reference and len(symbols) != 1:
        raise ConfigError(
            f"costs.reference = true is for one symbol and there are {len(symbols)}; name one"
        )
    on = 0.0 if reference else 1.0
    cash = np.array([not venue.contract for venue in venues])
    known = _known(config, symbols, venues, instruments or {})
    step, min_quantity, min_notional = _limits(known)
    fee = config.costs.taker_fee
    rules = Rules(
        threshold=float(config.signal.threshold),
        method=int(SizingMethod[config.sizing.method.upper()]),
        fraction=float(config.sizing.fraction) or 1.0 / _held_at_once(config, len(symbols)),
        scale=float(config.sizing.scale),
        max_weight=float(config.sizing.max_weight),
        band=float(config.sizing.rebalance_band),
        disagreement_penalty=float(config.sizing.disagreement_penalty),
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
        taker_fee=np.array([v.taker_fee if fee == -1.0 else fee for v in venues]),
        quantity_step=step * on,
        min_quantity=min_quantity * on,
        min_notional=min_notional * on,
        **_policy(config),
        **_sizing(config, [venue.name for venue in venues]),
        full=_full(config, symbols, venues, known),
    )
    return rules if numbers_only else _with_own_parts(rules, config)


def _held_at_once(config: Config, n_symbols: int) -> int:
    rule = config.market.rule
    return n_symbols if rule is None else min(rule.most, n_symbols)


def with_costs(rules: Rules, multiple: float) -> Rules:
    """Return the rules with fees, spreads that are modelled, slippage and impact as many times as large."""
    full = rules.full
    if full is not None:
        orders = full.orders._replace(
            impact=full.orders.impact * multiple, maker_fee=full.orders.maker_fee * multiple
        )
        full = full._replace(orders=orders)
    return rules._replace(
        full=full,
        taker_fee=rules.taker_fee * multiple,
        half_spread=rules.half_spread * multiple,
        slippage=rules.slippage * multiple,
    )


def read_well(rules: Rules) -> Rules:
    """Return the rules with what is unknowable inside a bar read in the account's favour."""
    full = rules.full
    return rules if full is None else rules._replace(full=full._replace(optimistic=True))


def _policy(config: Config) -> dict[str, Any]:
    kind, horizon = kind_of(config), config.targets.horizons[0]
    calibrated = needs_calibration(config)
    bar_ms = INTERVAL_MS[config.market.interval]
    return {
        "bar_ms": bar_ms,
        "policy_kind": int(kind),
        "exit_threshold": float(config.policy.exit_threshold),
        "is_calibrated": calibrated,
        "horizon": horizon if calibrated else 0,
        "block_days": block_days(horizon, bar_ms),
        "hold_bars": config.policy.hold_bars or horizon,
        "cost_multiple": float(config.policy.cost_multiple),
        "confidence": float(config.policy.confidence),
        "min_calibration_days": config.policy.min_calibration_days,
        "policy_state": width_of(kind, config.policy.momentum_bars),
    }


def _sizing(config: Config, venues: Sequence[str]) -> dict[str, Any]:
    sizing = config.sizing
    bars = periods_per_year(venues, config.market.interval)
    return {
        "sizes_account": SizingMethod[sizing.method.upper()] in OF_ACCOUNT,
        "correlation_decay": decay_of(sizing.correlation_bars),
        "target_deviation": float(sizing.volatility_target) / math.sqrt(bars),
        "kelly_fraction": float(sizing.kelly_fraction),
        "risk_aversion": float(sizing.risk_aversion),
        "usual_deviation": usual_deviation(config.targets.horizons[0]),
    }


def _full(
    config: Config, symbols: Sequence[str], venues: Sequence[Venue], known: Sequence[Instrument]
) -> FullAccount | None:
    bars = periods_per_year([venue.name for venue in venues], config.market.interval)
    tiers = [
        tiers_of(venue, split_symbol(symbol, venue.name)[1], instrument) or USUAL_TIERS
        for symbol, venue, instrument in zip(symbols, venues, known, strict=True)
    ]
    return full_account(config, symbols, venues, tiers=tiers, bars_a_year=bars, instruments=known)


def _with_own_parts(rules: Rules, config: Config) -> Rules:
    policy = own_part(
        "policy", config.policy.kind, config.policy.settings.get(config.policy.kind, {})
    )
    scheme = own_part(
        "cost_scheme", config.costs.scheme, config.costs.settings.get(config.costs.scheme, {})
    )
    rules = rules._replace(scheme=scheme.call, cost_state=scheme.state)
    if policy.call is None:
        return rules
    return rules._replace(
        policy=policy.call, policy_state=policy.state, needs_forecast=policy.needs_forecast
    )


def _known(
    config: Config,
    symbols: Sequence[str],
    venues: Sequence[Venue],
    instruments: Mapping[str, Instrument],
) -> list[Instrument]:
    """Return the symbols' instruments; where one is not known the settings stand in, and contracts are whole."""
    step, least = config.execution.quantity_step, config.execution.min_notional
    linear, inverse = Instrument(step, 0.0, least), Instrument(step or 1.0, 0.0, least)
    return [
        instruments.get(symbol, inverse if venue.kind is ProductKind.INVERSE else linear)
        for symbol, venue in zip(symbols, venues, strict=True)
    ]


def _limits(known: Sequence[Instrument]) -> tuple[F64, F64, F64]:
    return (
        np.array([k.quantity_step for k in known], dtype=np.float64),
        np.array([k.min_quantity for k in known], dtype=np.float64),
        np.array([k.min_notional for k in known], dtype=np.float64),
    )
